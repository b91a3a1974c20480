"""Everything a site or route can declare, at once, over a real nginx: what visitors get, and what they do not."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.io import http

from tests.integration.edge_host import STACK, Edge, edge, site
from tests.support import scan

pytestmark = pytest.mark.bed
__all__ = ["edge"]

APP, CLOSED, PLAIN = "app.petcare.com", "customer.petcare.com", "mobile-api.petcare.com"
FRONTEND = {"stack": STACK, "service": "frontend", "port": 80}
BACKEND = {"stack": STACK, "service": "backend", "port": 3000}
PASSWORD = "open sesame"
HASHES = {
    "bcrypt": "$2y$05$abcdefghijklmnopqrstuupx2xBUC4954936wVIjyyPHmUBFu0wCW",
    "sha512": "$6$abcdefgh$CkjGkP7IIgZVUCNlt.Vi53LOYJLXZ5KzdpzEYCj01XGruA1hxZYJqccTU2zz68oJwAGsd1iPty5F7dHIatUTy/",
}
FILES = "/srv/edge-test"
OPTIONS = {"http3": True, "brotli": True, "status_port": 8081, "tls_policy": "modern"}
ROUTES: list[dict[str, Any]] = [
    {"path": "/", **FRONTEND},
    {"path": "/api/", **BACKEND, "balance": "hash", "hash_by": "uri", "max_fails": 2, "fail_timeout": 5},
    {"path": "/files/", "static": {"directory": FILES, "cache": "1y", "fallback": "/files/index.html"}},
    {"path": "/old/", "redirect": {"to": "https://new.petcare.com", "code": 308, "keep_path": True}},
    {"path": "/users/", **FRONTEND, "basic_auth": {"realm": "Staff", "users": HASHES}},
    {"path": "/inside/", **FRONTEND, "allow": ["127.0.0.1", "::1"]},
    {"path": "/outside/", **FRONTEND, "deny": ["127.0.0.0/8"]},
    {"path": "/seldom/", **FRONTEND, "limits": {"rate": "1r/m", "burst": 1}},
]
OPEN: dict[str, Any] = {"redirect_to_https": False, "routes": ROUTES[:1]}
SITES = [
    site(
        APP, redirect_to_https=False, routes=ROUTES, limits={"connections": 50}, headers={"Referrer-Policy": "origin"}
    ),
    site(CLOSED, **OPEN, maintenance=True, maintenance_allow=["127.0.0.1"]),
    site(PLAIN, **OPEN, compress=False, basic_auth={"users": HASHES}, headers={"X-Frame-Options": ""}),
]


@pytest.fixture(scope="module", autouse=True)
def published(edge: Edge) -> Iterator[dict[str, Any]]:
    edge.host.run(
        f"mkdir -p {FILES}/files /var/www/composeops-acme/.well-known/acme-challenge"
        f" && python3 -c 'print(\"let x; \" * 400)' > {FILES}/files/app.js && echo page > {FILES}/files/index.html"
        f" && touch {FILES}/files/.env && echo token > /var/www/composeops-acme/.well-known/acme-challenge/test",
        check=True,
    )
    client = edge.host.module("composeops.stack.host_state", {"packages": ["curl"]})
    assert not client["failed"], client["msg"]
    predicted = edge.sites(*SITES, check=True, **OPTIONS)
    result = edge.sites(*SITES, diff=True, **OPTIONS)
    assert not result["failed"], result["msg"]
    assert (result["plan"], result["changed"]) == (predicted["plan"], True)
    assert edge.sites(*SITES, **OPTIONS)["plan"] == []
    yield result
    edge.host.run(f"rm -r {FILES} /var/www/composeops-acme/.well-known/acme-challenge/test", check=True)


def ask(edge: Edge, url: str, **headers: str) -> http.Response:
    return http.request(url, connect_to=edge.host.address, headers=headers)


def curl(edge: Edge, *arguments: str, name: str = APP) -> str:
    """Ask from the host itself; nobody certified the placeholder that serves here."""
    argv = ["curl", "--silent", "--insecure", "--resolve", f"{name}:443:127.0.0.1", "--resolve", f"{name}:80:127.0.0.1"]
    return edge.host.run([*argv, *arguments], check=True).stdout


def login(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def test_requests_for_one_path_reach_one_server(edge: Edge) -> None:
    paths = [f"http://{APP}/api/{number}" for number in range(12)]
    first, second = ([json.loads(ask(edge, path).body)["port"] for path in paths] for _ in range(2))
    assert first == second
    assert set(first) == {21901, 21902}


def test_files_are_cached_pages_are_not_and_hidden_ones_are_nobodys(edge: Edge) -> None:
    script = ask(edge, f"http://{APP}/files/app.js")
    assert (script.status, script.headers["cache-control"]) == (200, "max-age=31536000")
    for path in ("/files/", "/files/no/such/page"):
        page = ask(edge, f"http://{APP}{path}")
        assert (page.status, page.body, page.headers["cache-control"]) == (200, b"page\n", "no-cache")
    assert ask(edge, f"http://{APP}/files/.env").status == 404


@pytest.mark.parametrize(("accepted", "encoding"), [("gzip", "gzip"), ("br, gzip", "br")])
def test_answers_are_compressed(edge: Edge, accepted: str, encoding: str) -> None:
    script = ask(edge, f"http://{APP}/files/app.js", **{"Accept-Encoding": accepted})
    assert script.headers["content-encoding"] == encoding


def test_redirects_keep_the_path(edge: Edge) -> None:
    answer = ask(edge, f"http://{APP}/old/a?b=c")
    assert (answer.status, answer.headers["location"]) == (308, "https://new.petcare.com/old/a?b=c")


@pytest.mark.parametrize("user", list(HASHES))
def test_passwords_are_asked_for_and_kept_from_the_service(edge: Edge, user: str) -> None:
    url = f"http://{APP}/users/x"
    refused = ask(edge, url)
    assert (refused.status, refused.headers["www-authenticate"]) == (401, 'Basic realm="Staff"')
    assert ask(edge, url, Authorization=login(user, "wrong")).status == 401
    known = ask(edge, url, Authorization=login(user, PASSWORD))
    assert known.status == 200
    assert "Authorization" not in json.loads(known.body)["headers"]


def test_hashes_are_for_nginx_alone(edge: Edge, published: dict[str, Any]) -> None:
    assert not [value for value in HASHES.values() if value in json.dumps(published)]
    listed = edge.host.run("stat --format='%a %U %G' /etc/nginx/composeops/passwords/*", check=True).stdout
    assert set(listed.splitlines()) == {"640 root www-data"}


@pytest.mark.parametrize(("path", "outside", "inside"), [("/inside/", 403, "200"), ("/outside/", 200, "403")])
def test_addresses_are_let_in_or_kept_out(edge: Edge, path: str, outside: int, inside: str) -> None:
    assert ask(edge, f"http://{APP}{path}").status == outside
    assert curl(edge, "--output", "/dev/null", "--write-out", "%{http_code}", f"http://{APP}{path}") == inside


def test_who_asks_too_often_is_told(edge: Edge) -> None:
    assert [ask(edge, f"http://{APP}/seldom/").status for _ in range(3)] == [200, 200, 429]
    assert ask(edge, f"http://{APP}/").status == 200


def test_a_site_in_maintenance_is_closed_but_for_those_allowed_and_for_challenges(edge: Edge) -> None:
    answer = ask(edge, f"http://{CLOSED}/api/")
    assert (answer.status, answer.headers["retry-after"]) == (503, "600")
    assert b"Back soon" in answer.body
    assert ask(edge, f"http://{CLOSED}/.well-known/acme-challenge/test").body == b"token\n"
    assert json.loads(curl(edge, f"https://{CLOSED}/x", name=CLOSED))["path"] == "/x"


def test_challenges_are_answered_without_a_password(edge: Edge) -> None:
    assert ask(edge, f"http://{PLAIN}/").status == 401
    assert ask(edge, f"http://{PLAIN}/.well-known/acme-challenge/test").status == 200


def test_headers_of_the_site_come_before_the_defaults(edge: Edge) -> None:
    headers = ask(edge, f"http://{APP}/").headers
    names = ("x-content-type-options", "x-frame-options", "referrer-policy")
    assert [headers.get(name) for name in names] == ["nosniff", "SAMEORIGIN", "origin"]
    assert "x-frame-options" not in ask(edge, f"http://{PLAIN}/", Authorization=login("bcrypt", PASSWORD)).headers


@pytest.mark.parametrize(("protocol", "version"), [("--http2", "2"), ("--http3-only", "3")])
def test_https_speaks_http_2_and_3(edge: Edge, protocol: str, version: str) -> None:
    said = curl(edge, protocol, "--include", "--write-out", "\n%{http_version}", f"https://{APP}/api/x")
    assert said.splitlines()[-1] == version
    assert 'alt-svc: h3=":443"; ma=86400' in said
    assert '"path": "/api/x"' in said


def test_a_scan_against_mozillas_modern_profile_finds_nothing(edge: Edge, tmp_path: Path) -> None:
    """But what it says of the placeholder: nobody certified this name yet."""
    authority = tmp_path / "authority.pem"
    authority.write_text(edge.host.output(f"cat /etc/nginx/composeops/tls/{APP}/current/fullchain.pem"))
    found = scan.tls(edge.host.address, [APP], authority, scan.MODERN)[APP]
    assert set(found.issues) == {"certificate_path_validation", "maximum_certificate_lifespan"}
    assert found.versions == {"tls_1_3"}


def test_counters_are_for_the_host_itself(edge: Edge) -> None:
    assert "Active connections" in curl(edge, "http://127.0.0.1:8081/status")
    with pytest.raises(ComposeOpsError, match="Nothing listens"):
        ask(edge, "http://composeops.invalid:8081/status")
