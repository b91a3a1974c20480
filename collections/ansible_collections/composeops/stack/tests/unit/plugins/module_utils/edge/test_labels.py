# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.edge import labels
from ansible_collections.composeops.stack.plugins.module_utils.edge.model import parse_sites
from ansible_collections.composeops.stack.plugins.module_utils.errors import InvalidInput

FRONTEND = "traefik.http.routers.https-0.rule=Host(`www.jackcwf.com`) && PathPrefix(`/`)"
SEED = [
    FRONTEND,
    "traefik.http.services.https-0.loadbalancer.server.port=3000",
    "traefik.http.routers.https-websocket.rule=Host(`www.jackcwf.com`) && PathPrefix(`/_event`)",
    "traefik.http.services.https-websocket.loadbalancer.server.port=8000",
    "traefik.http.routers.https-websocket.priority=20",
]
"""As the system's document has them."""
PORT = "traefik.http.services.x.loadbalancer.server.port=80"


def read(*lines: str) -> list[dict[str, Any]]:
    return labels.sites({"app": {"labels": list(lines)}}, "reflexapp")


def routes(site: dict[str, Any]) -> dict[str, int]:
    return {route["path"]: route["port"] for route in site["routes"]}


def test_the_labels_of_the_document() -> None:
    (site,) = read(*SEED)
    assert (site["name"], site["aliases"], site["redirect_to_https"]) == ("www.jackcwf.com", [], True)
    assert site["routes"] == [
        {"path": "/", "stack": "reflexapp", "service": "app", "port": 3000, "websocket": True},
        {"path": "/_event", "stack": "reflexapp", "service": "app", "port": 8000, "websocket": True},
    ]


def test_what_is_read_is_what_a_site_can_be() -> None:
    assert [site.name for site in parse_sites(read(*SEED))] == ["www.jackcwf.com"]


def test_labels_of_others_and_of_disabled_services_are_none() -> None:
    assert read("com.example.team=web") == []
    assert read("traefik.enable=false", *SEED) == []
    assert len(read("traefik.enable=true", *SEED)) == 1


def test_a_mapping_says_the_same_as_a_list() -> None:
    mapping = {key: value for key, _, value in (line.partition("=") for line in SEED)}
    mapping["traefik.enable"] = True
    assert labels.sites({"app": {"labels": mapping}}, "reflexapp") == read(*SEED)


@pytest.mark.parametrize(
    ("rule", "names", "path"),
    [
        pytest.param("Host(`a.test`)", ["a.test"], "/", id="a host"),
        pytest.param("Host(`a.test`) || Host(`b.test`)", ["a.test", "b.test"], "/", id="two hosts"),
        pytest.param("(Host(`a.test`) || Host(`b.test`)) && PathPrefix(`/x`)", ["a.test", "b.test"], "/x", id="both"),
        pytest.param("Host(`a.test`, `b.test`)", ["a.test", "b.test"], "/", id="as Traefik 2 writes it"),
        pytest.param("PathPrefix(`/x`) && Host(`a.test`)", ["a.test"], "/x", id="the path first"),
    ],
)
def test_rules(rule: str, names: list[str], path: str) -> None:
    (site,) = read(f"traefik.http.routers.x.rule={rule}", PORT)
    assert ([site["name"], *site["aliases"]], list(routes(site))) == (names, [path])


def test_compression_and_redirects_are_what_the_edge_does_anyway() -> None:
    more = [
        "traefik.http.routers.https-0.middlewares=gzip",
        "traefik.http.middlewares.gzip.compress=true",
        "traefik.http.routers.https-0.entryPoints=https",
        "traefik.http.routers.https-0.tls=true",
        "traefik.http.routers.https-0.tls.certresolver=letsencrypt",
        "traefik.http.routers.http-0.rule=Host(`www.jackcwf.com`)",
        "traefik.http.routers.http-0.entryPoints=http",
        "traefik.http.routers.http-0.middlewares=redirect",
        "traefik.http.middlewares.redirect.redirectscheme.scheme=https",
        "traefik.http.middlewares.redirect.redirectscheme.permanent=true",
    ]
    assert read(*SEED, *more) == read(*SEED)


def test_a_site_that_answers_on_port_80_as_well() -> None:
    (site,) = read(*SEED, "traefik.http.routers.https-0.entrypoints=http,https")
    assert site["redirect_to_https"] is False


def test_headers_of_answers() -> None:
    header = "traefik.http.middlewares.h.headers.customResponseHeaders.X-Frame-Options=DENY"
    (site,) = read(*SEED, header, "traefik.http.routers.https-0.middlewares=h")
    assert site["headers"] == {"X-Frame-Options": "DENY"}


def test_services_of_several_containers() -> None:
    services = {
        "web": {"labels": ["traefik.http.routers.w.rule=Host(`a.test`)", PORT]},
        "api": {
            "labels": {
                "traefik.http.routers.a.rule": "Host(`a.test`) && PathPrefix(`/api`)",
                "traefik.http.routers.a.service": "b",
                "traefik.http.services.b.loadbalancer.server.port": 8000,
                "traefik.http.services.c.loadbalancer.server.port": 9000,
            }
        },
        "db": {},
    }
    (site,) = labels.sites(services, "shop")
    assert [(route["service"], route["path"], route["port"]) for route in site["routes"]] == [
        ("web", "/", 80),
        ("api", "/api", 8000),
    ]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        pytest.param(["traefik.tcp.routers.x.rule=HostSNI(`*`)"], "traefik.tcp.routers.x.rule is not under", id="TCP"),
        pytest.param(
            ["traefik.http.routers.x.observability.metrics=true"], "observability.metrics is not under", id="option"
        ),
        pytest.param(
            ["traefik.http.middlewares.x.basicauth.users=a"], "middlewares.x.basicauth.users is not", id="middleware"
        ),
        pytest.param(["traefik.http.middlewares.x.compress=false"], "x.compress is not", id="no compression"),
        pytest.param(["traefik.http.services.x.loadbalancer.sticky=true"], "sticky is not", id="service"),
        pytest.param(["traefik.http.services.x.loadbalancer.server.scheme=h2c"], "scheme h2c of", id="scheme"),
        pytest.param([PORT, "traefik.http.routers.x.rule=Method(`GET`)"], "is more than host names", id="rule"),
        pytest.param([PORT, "traefik.http.routers.x.rule=Host(`a.test`) && !Path(`/x`)"], "is more than", id="not"),
        pytest.param([PORT, "traefik.http.routers.x.rule=PathPrefix(`/`)"], "names no host", id="no host"),
        pytest.param(
            [PORT, FRONTEND, "traefik.http.routers.https-0.middlewares=x"], "what the middleware x", id="lost"
        ),
        pytest.param([PORT, FRONTEND, "traefik.http.routers.https-0.entrypoints=smtp"], "entry point smtp", id="entry"),
        pytest.param([FRONTEND], "at which port its service listens", id="no port"),
        pytest.param([PORT, FRONTEND, "traefik.http.routers.https-0.service=y"], "at which port y listens", id="other"),
        pytest.param(
            [PORT, FRONTEND, FRONTEND.replace("https-0", "again")], "is routed by another router", id="a path twice"
        ),
        pytest.param([PORT, FRONTEND, "traefik.http.routers.https-0.entrypoints=http"], "no router for HTTPS", id="80"),
        pytest.param(
            [*SEED, "traefik.http.routers.https-0.priority=30"],
            "/_event has priority 20 and www.jackcwf.com/ has 30, so nobody would reach it",
            id="priority",
        ),
    ],
)
def test_what_is_not_understood_is_refused_by_its_name(lines: list[str], message: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        read(*lines)
    assert message in str(raised.value)
