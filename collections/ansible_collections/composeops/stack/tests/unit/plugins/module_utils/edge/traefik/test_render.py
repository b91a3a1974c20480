# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.edge.model import ServiceTarget, parse_sites
from ansible_collections.composeops.stack.plugins.module_utils.edge.traefik.render import Host, render
from ansible_collections.composeops.stack.plugins.module_utils.errors import InvalidInput
from ansible_collections.composeops.stack.plugins.module_utils.release.traefik_file import Choice

WEB, EVENT = ServiceTarget("shop", "app", 3000), ServiceTarget("shop", "app", 8000)
ENDPOINTS = {
    WEB: {"blue": ["127.0.0.1:21000"], "green": ["127.0.0.1:21010"]},
    EVENT: {"blue": ["127.0.0.1:21020"], "green": ["127.0.0.1:21030"]},
}
HOST = Host(ENDPOINTS)
CAREFUL = {"X-Content-Type-Options": "nosniff"}
SITE: dict[str, Any] = {
    "name": "a.test",
    "aliases": ["www.a.test"],
    "routes": [
        {"path": "/", "stack": "shop", "service": "app", "port": 3000},
        {"path": "/_event", "stack": "shop", "service": "app", "port": 8000, "websocket": True},
    ],
}


def body(text: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads("\n".join(line for line in text.splitlines() if not line.startswith("#")))
    return found


def rendered(*sites: dict[str, Any], host: Host = HOST) -> dict[str, dict[str, Any]]:
    return {name: body(text) for name, text in render(parse_sites(sites), host).items()}


def test_each_route_is_a_router_with_a_certificate_of_all_names() -> None:
    router = rendered(SITE)["sites.yml"]["http"]["routers"]["a.test-2"]
    assert router == {
        "rule": "(Host(`a.test`) || Host(`www.a.test`)) && PathPrefix(`/_event`)",
        "priority": 7,
        "service": "shop-app-8000",
        "middlewares": ["a.test-headers", "composeops-compress", "composeops-retry"],
        "entryPoints": ["websecure"],
        "tls": {"certResolver": "composeops", "domains": [{"main": "a.test", "sans": ["www.a.test"]}]},
    }


def test_the_longest_path_wins() -> None:
    routers = rendered(SITE)["sites.yml"]["http"]["routers"]
    assert routers["a.test-1"]["priority"] < routers["a.test-2"]["priority"]


def test_plain_http_is_redirected() -> None:
    http = rendered(SITE)["sites.yml"]["http"]
    assert [name for name, router in http["routers"].items() if router["entryPoints"] == ["web"]] == ["a.test-redirect"]
    assert http["middlewares"]["composeops-redirect"] == {"redirectScheme": {"scheme": "https", "permanent": True}}


def test_plain_http_answers_alike_where_it_is_not_redirected() -> None:
    routers = rendered({**SITE, "redirect_to_https": False})["sites.yml"]["http"]["routers"]
    assert sorted(name for name, router in routers.items() if router["entryPoints"] == ["web"]) == [
        "a.test-1-plain",
        "a.test-2-plain",
    ]
    assert "tls" not in routers["a.test-1-plain"]


def test_a_stack_has_both_colours_and_what_chooses_between_them() -> None:
    services = rendered(SITE, host=Host(ENDPOINTS, {"shop": Choice("green")}))["stack-shop.yml"]["http"]["services"]
    assert services["shop-app-3000-green"]["loadBalancer"]["servers"] == [{"url": "http://127.0.0.1:21010"}]
    for port in (3000, 8000):
        assert services[f"shop-app-{port}"]["weighted"]["services"] == [
            {"name": f"shop-app-{port}-blue", "weight": 0},
            {"name": f"shop-app-{port}-green", "weight": 100},
        ]


def test_a_stack_that_is_replaced_in_place_is_reached_directly() -> None:
    files = rendered(SITE, host=Host({WEB: {"": ["127.0.0.1:21000"]}, EVENT: {}}))
    services = files["stack-shop.yml"]["http"]["services"]
    assert sorted(services) == ["shop-app-3000", "shop-app-8000"]
    assert services["shop-app-8000"]["loadBalancer"]["servers"] == []


def test_a_stack_that_is_routed_no_more_keeps_its_choice() -> None:
    files = render(parse_sites([SITE]), Host(ENDPOINTS, {"blog": Choice("green")}))
    assert '"colour": "green"' in files["stack-blog.yml"]
    assert "services" not in body(files["stack-blog.yml"])["http"]


def test_idle_connections_end_before_an_application_closes_them() -> None:
    transports = rendered(SITE)["stack-shop.yml"]["http"]["serversTransports"]
    assert transports["shop-app-8000-timeouts"]["forwardingTimeouts"] == {
        "dialTimeout": "5s",
        "responseHeaderTimeout": "3600s",
        "idleConnTimeout": "4s",
    }


def test_the_longest_time_out_of_its_routes_is_a_services_own() -> None:
    slow = {**SITE["routes"][0], "path": "/reports/", "read_timeout": 600}
    files = rendered({**SITE, "routes": [*SITE["routes"], slow]})
    assert files["stack-shop.yml"]["http"]["serversTransports"]["shop-app-3000-timeouts"]["forwardingTimeouts"][
        "responseHeaderTimeout"
    ] == ("600s")


def test_servers_outside_of_any_stack() -> None:
    site = {"name": "old.test", "routes": [{"path": "/", "upstream": ["10.0.0.5:8080", "[::1]:80"]}]}
    http = rendered(site, host=Host({}))["sites.yml"]["http"]
    balancer = http["services"]["old.test-route-1"]["loadBalancer"]
    assert balancer["servers"] == [{"url": "http://10.0.0.5:8080"}, {"url": "http://[::1]:80"}]
    assert balancer["serversTransport"] in http["serversTransports"]


def test_least_connections_is_the_less_busy_of_two() -> None:
    routes = [{**route, "balance": "least_conn"} for route in SITE["routes"]]
    services = rendered({**SITE, "routes": routes})["stack-shop.yml"]["http"]["services"]
    assert services["shop-app-3000-blue"]["loadBalancer"]["strategy"] == "p2c"


@pytest.mark.parametrize(
    ("hsts", "expected"),
    [
        pytest.param((), {**CAREFUL, "X-Frame-Options": "DENY"}, id="headers"),
        pytest.param(("a.test",), {**CAREFUL, "X-Frame-Options": "DENY", "hsts": 63072000}, id="and HSTS"),
    ],
)
def test_headers(hsts: tuple[str, ...], expected: dict[str, Any]) -> None:
    files = rendered({**SITE, "headers": {"X-Frame-Options": "DENY"}}, host=Host(ENDPOINTS, hsts=hsts))
    http = files["sites.yml"]["http"]
    found = http["middlewares"]["a.test-headers"]["headers"]
    seen = {**found["customResponseHeaders"], **({"hsts": found["stsSeconds"]} if "stsSeconds" in found else {})}
    assert seen == expected
    assert http["routers"]["a.test-1"]["middlewares"][0] == "a.test-headers"


def test_sag_02_a_routes_headers_speak_after_those_of_the_site() -> None:
    first, second = SITE["routes"]
    routes = [{**first, "headers": {"Cache-Control": "no-store"}}, second]
    http = rendered({**SITE, "routes": routes, "headers": {"X-Frame-Options": "DENY"}})["sites.yml"]["http"]
    assert http["middlewares"]["a.test-1-headers"] == {
        "headers": {"customResponseHeaders": {"Cache-Control": "no-store"}}
    }
    assert http["routers"]["a.test-1"]["middlewares"][:2] == ["a.test-1-headers", "a.test-headers"]
    assert http["routers"]["a.test-2"]["middlewares"][0] == "a.test-headers"


def test_tls_is_mozillas_intermediate_profile_and_unknown_names_get_no_certificate() -> None:
    tls = rendered(SITE)["sites.yml"]["tls"]["options"]["default"]
    assert (tls["minVersion"], tls["sniStrict"], len(tls["cipherSuites"])) == ("VersionTLS12", True, 6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param({"snippet": "return 200;"}, "has a snippet, which is nginx's language", id="snippet"),
        pytest.param({"client_max_body_size": "50m"}, "sets client_max_body_size", id="size of bodies"),
    ],
)
def test_what_traefik_has_nothing_for_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        rendered({**SITE, **change})
