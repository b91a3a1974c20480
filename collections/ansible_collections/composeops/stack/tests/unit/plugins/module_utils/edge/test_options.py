# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import re
from typing import Any

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.edge import protection
from ansible_collections.composeops.stack.plugins.module_utils.edge.capabilities import Capabilities
from ansible_collections.composeops.stack.plugins.module_utils.edge.model import ServiceTarget, parse_sites
from ansible_collections.composeops.stack.plugins.module_utils.edge.render import render
from ansible_collections.composeops.stack.plugins.module_utils.edge.settings import Settings, check
from ansible_collections.composeops.stack.plugins.module_utils.errors import InvalidInput

BACKEND = {"path": "/", "stack": "petcare", "service": "backend", "port": 3000}
ENDPOINTS = {ServiceTarget("petcare", "backend", 3000): {"": ["127.0.0.1:21001", "127.0.0.1:21002"]}}
HASH = "$2y$05$" + "a" * 53
LOGIN = {"users": {"alice": HASH}}


def tree(*routes: dict[str, Any], settings: Settings | None = None, **site: Any) -> dict[str, str]:
    declared = {"name": "a.test", "redirect_to_https": False, "routes": list(routes) or [BACKEND], **site}
    return render(parse_sites([declared]), ENDPOINTS, Capabilities(), settings or Settings())


def servers(text: str) -> list[str]:
    return re.findall(r"^server \{\n(.*?)^\}", text, re.MULTILINE | re.DOTALL)


def secure(*routes: dict[str, Any], **options: Any) -> str:
    return servers(tree(*routes, **options)["sites/a.test.conf"])[-1]


def location(text: str, path: str) -> list[str]:
    found = re.search(rf"^    location {re.escape(path)} \{{\n(.*?)^    \}}", text, re.MULTILINE | re.DOTALL)
    assert found, text
    return [line.strip() for line in found[1].splitlines()]


@pytest.mark.parametrize(
    ("options", "lines"),
    [
        pytest.param({"balance": "hash"}, ["hash $request_uri consistent;"], id="uri"),
        pytest.param({"balance": "hash", "hash_by": "address"}, ["hash $remote_addr consistent;"], id="address"),
        pytest.param(
            {"balance": "hash", "hash_by": "cookie", "hash_cookie": "sid"},
            ["hash $cookie_sid consistent;"],
            id="cookie",
        ),
        pytest.param({"max_fails": 0}, ["server 127.0.0.1:21001 max_fails=0;"], id="never-left-out"),
        pytest.param(
            {"max_fails": 3, "fail_timeout": 5}, ["server 127.0.0.1:21002 max_fails=3 fail_timeout=5s;"], id="left-out"
        ),
    ],
)
def test_upstreams(options: dict[str, Any], lines: list[str]) -> None:
    upstream = [line.strip() for line in tree({**BACKEND, **options})["upstreams/petcare.conf"].splitlines()]
    assert [line for line in lines if line not in upstream] == []
    # One worker's knowledge of failures, and of the ring, is every worker's.
    assert "zone petcare-backend-3000 64k;" in upstream


def test_limits_have_a_zone_of_their_own_for_each_place() -> None:
    routes = [{**BACKEND, "limits": {"rate": "1r/s", "burst": 4}}, {**BACKEND, "path": "/a/"}]
    text = tree(*routes, limits={"rate": "5r/m", "connections": 7})["sites/a.test.conf"]
    assert "limit_req_zone $binary_remote_addr zone=rate-a.test:10m rate=5r/m;" in text
    assert "limit_conn_zone $binary_remote_addr zone=connections-a.test:10m;" in text
    assert "limit_req_zone $binary_remote_addr zone=rate-a.test-1:10m rate=1r/s;" in text
    for server in servers(text):
        assert "\n    limit_req zone=rate-a.test;\n    limit_req_status 429;\n" in server
        assert "\n    limit_conn connections-a.test 7;\n    limit_conn_status 429;\n" in server
        assert "limit_req zone=rate-a.test-1 burst=4 nodelay;" in location(server, "/")
        assert not [line for line in location(server, "/a/") if line.startswith("limit")]


def test_those_denied_are_refused_even_where_a_network_is_allowed() -> None:
    found = location(secure({**BACKEND, "allow": ["10.0.0.0/8"], "deny": ["10.0.0.1"]}), "/")
    assert [line for line in found if line.startswith(("allow", "deny"))] == [
        "deny 10.0.0.1/32;",
        "allow 10.0.0.0/8;",
        "deny all;",
    ]


def test_the_certificate_authority_gets_in_everywhere() -> None:
    plain, _ = servers(tree(allow=["10.0.0.0/8"], basic_auth=LOGIN)["sites/a.test.conf"])
    challenges = location(plain, "^~ /.well-known/acme-challenge/")
    assert challenges[:2] == ["allow all;", "auth_basic off;"]
    assert "deny all;" in plain


def test_passwords_are_checked_by_nginx_and_go_no_further() -> None:
    sites = parse_sites([{"name": "a.test", "routes": [BACKEND], "basic_auth": LOGIN}])
    ((path, content),) = protection.password_files(sites).items()
    assert content == f"alice:{HASH}\n"
    text = secure(basic_auth=LOGIN)
    assert f"auth_basic_user_file {path};" in text
    assert 'proxy_set_header Authorization "";' in location(text, "/")
    assert HASH not in "".join(tree(basic_auth=LOGIN).values())


def test_another_password_is_another_file() -> None:
    sites = [
        parse_sites([{"name": "a.test", "routes": [BACKEND], "basic_auth": {"users": {"alice": value}}}])
        for value in (HASH, HASH[:-1] + "b")
    ]
    assert len({path for site in sites for path in protection.password_files(site)}) == 2


def test_files_of_the_host() -> None:
    files = {"path": "/", "static": {"directory": "/srv/a", "cache": "30d", "fallback": "/index.html"}}
    text = tree(files)
    found = location(servers(text["sites/a.test.conf"])[-1], "/")
    assert found[:5] == [
        "# files below /srv/a",
        "root /srv/a;",
        "open_file_cache off;",
        "try_files $uri $uri/ /index.html;",
        "expires $composeops_cache_30d;",
    ]
    assert found[-3:] == [r"location ~ /\.(?!well-known/) {", "return 404;", "}"]
    assert "~^text/html -1;\n    default 30d;" in text["static.conf"]
    assert "static.conf" not in tree()


def test_redirects() -> None:
    keeping = {"path": "/", "redirect": {"to": "https://b.test", "keep_path": True}}
    assert location(secure(keeping), "/") == ["return 301 https://b.test$request_uri;"]
    plain = {"path": "/", "redirect": {"to": "/new?a=b", "code": 302}}
    assert location(secure(plain), "/") == ["return 302 /new?a=b;"]


def test_maintenance() -> None:
    text = tree(maintenance=True, maintenance_allow=["10.0.0.0/8"], maintenance_page="<p>Later</p>")
    assert text["pages/a.test.html"] == "<p>Later</p>\n"
    assert "    default 1;\n    10.0.0.0/8 0;\n" in text["sites/a.test.conf"]
    for server in servers(text["sites/a.test.conf"]):
        assert "if ($composeops_closed_a_test) {\n        return 503;" in server
        assert "add_header Retry-After 600 always;" in location(server, "@composeops_maintenance")
    assert not [path for path in tree() if path.startswith("pages/")]


def test_sites_in_maintenance_have_variables_of_their_own() -> None:
    names = ["a-b.test", "a.b.test", "a--b.test"]
    text = render(
        parse_sites([{"name": name, "routes": [BACKEND], "maintenance": True} for name in names]),
        ENDPOINTS,
        Capabilities(),
    )
    found = [re.findall(r"geo (\S+) ", text[f"sites/{name}.conf"])[0] for name in names]
    assert len(set(found)) == len(names)


def test_compression_is_switched_off_for_a_site_alone() -> None:
    assert "gzip off;" in secure(compress=False)
    assert "brotli off;" in secure(compress=False, settings=Settings(brotli=True))
    assert "gzip off;" not in secure()
    policy = tree(settings=Settings(brotli=True))["policy.conf"]
    assert "brotli on;" in policy
    assert "brotli" not in "".join(tree().values())


def test_headers_of_the_service_are_replaced_only_where_two_would_contradict() -> None:
    found = location(secure(headers={"X-Frame-Options": "DENY", "X-Other": "a", "Referrer-Policy": ""}), "/")
    assert [line for line in found if "hide" in line] == ["proxy_hide_header X-Frame-Options;"]


def test_defaults_stay_away_where_the_service_speaks() -> None:
    text = tree()
    chosen = (
        '$upstream_http_x_frame_options $composeops_default_x_frame_options {\n    "" "SAMEORIGIN";\n    default "";'
    )
    assert f"map {chosen}" in text["policy.conf"]
    assert "add_header X-Frame-Options $composeops_default_x_frame_options always;" in text["sites/a.test.conf"]


def test_http_3_listens_beside_the_others_and_is_announced() -> None:
    text = tree({**BACKEND, "headers": {"X-A": "b"}}, settings=Settings(http3=True))
    assert "listen 443 quic reuseport default_server;" in text["default.conf"]
    plain, encrypted = servers(text["sites/a.test.conf"])
    assert "listen 443 quic;" in encrypted
    # Once for the server, and once more in the location, which inherits none.
    assert encrypted.count("add_header Alt-Svc") == 2
    assert "Alt-Svc" not in plain
    assert "quic" not in "".join(tree().values())


def test_the_modern_policy_is_tls_1_3_alone() -> None:
    policy = tree(settings=Settings(tls_policy="modern"))["policy.conf"]
    assert "ssl_protocols TLSv1.3;" in policy
    assert "ssl_ciphers" not in policy
    assert "ssl_ecdh_curve X25519MLKEM768:X25519:prime256v1:secp384r1;" in policy


def test_counters_listen_on_the_loopback_alone() -> None:
    text = tree(settings=Settings(status_port=8081))["default.conf"]
    assert "listen 127.0.0.1:8081;" in text
    assert "127.0.0.1:8081" not in tree()["default.conf"]


@pytest.mark.parametrize(
    ("settings", "capabilities", "message"),
    [
        pytest.param(
            Settings(http3=True), Capabilities((1, 22, 1), http3=False), "nginx 1.22.1 .* without HTTP/3", id="h3"
        ),
        pytest.param(Settings(brotli=True), Capabilities(brotli=False), "no module for brotli", id="brotli"),
        pytest.param(Settings(status_port=443), Capabilities(), "443 is no free port", id="taken"),
        pytest.param(Settings(status_port=70000), Capabilities(), "70000 is no free port", id="port"),
    ],
)
def test_what_this_nginx_has_not_is_refused_by_its_name(
    settings: Settings, capabilities: Capabilities, message: str
) -> None:
    with pytest.raises(InvalidInput, match=message):
        check(settings, capabilities)
    check(Settings(), capabilities)
