# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.edge.model import ServiceTarget, parse_sites
from ansible_collections.composeops.stack.plugins.module_utils.edge.traefik.render import Host, render
from ansible_collections.composeops.stack.plugins.module_utils.errors import InvalidInput

ROUTE: dict[str, Any] = {"path": "/", "stack": "shop", "service": "app", "port": 80}
HOST = Host({ServiceTarget("shop", "app", 80): {"": ["127.0.0.1:21000"]}})
BCRYPT = "$2y$05$" + "a" * 53
SHA512 = "$6$salt$" + "b" * 86


def rendered(route: dict[str, Any] | None = None, host: Host = HOST, **site: Any) -> dict[str, Any]:
    declared = {"name": "a.test", "routes": [{**ROUTE, **(route or {})}], **site}
    files = render(parse_sites([declared]), host)
    found: dict[str, Any] = {}
    for name, text in files.items():
        found[name] = json.loads("\n".join(line for line in text.splitlines() if not line.startswith("#")))
    return found


def test_guards_stand_between_headers_and_the_service_in_the_order_of_nginx() -> None:
    site = {"limits": {"rate": "300r/m", "burst": 9, "connections": 4}, "allow": ["10.0.0.0/8"]}
    http = rendered({"basic_auth": {"users": {"alice": BCRYPT}}}, **site)["sites.yml"]["http"]
    own = [f"a.test-1-{kind}" for kind in ("rate", "connections", "access", "login")]
    chain = http["routers"]["a.test-1"]["middlewares"]
    assert chain == ["a.test-headers", *own, "composeops-compress", "composeops-retry"]
    made = http["middlewares"]
    assert made[own[0]]["rateLimit"] == {
        "average": 300,
        "period": "1m",
        "burst": 10,
        "sourceCriterion": {"ipStrategy": {"depth": 0}},
    }
    assert made[own[1]]["inFlightReq"]["amount"] == 4
    assert made[own[2]]["ipAllowList"] == {"sourceRange": ["10.0.0.0/8"]}
    assert made[own[3]]["basicAuth"]["usersFile"].startswith("/etc/traefik/passwords/a.test-")
    assert made[own[3]]["basicAuth"]["removeHeader"] is True
    assert BCRYPT not in json.dumps(http)


def test_a_route_has_its_own_in_place_of_the_sites() -> None:
    http = rendered({"limits": {"rate": "1r/s"}, "allow": ["10.0.0.1"]}, limits={"rate": "9r/s", "burst": 5})
    made = http["sites.yml"]["http"]["middlewares"]
    assert (made["a.test-1-rate"]["rateLimit"]["average"], made["a.test-1-rate"]["rateLimit"]["burst"]) == (1, 1)
    assert made["a.test-1-access"]["ipAllowList"] == {"sourceRange": ["10.0.0.1/32"]}


@pytest.mark.parametrize(("code", "permanent"), [(301, True), (302, False), (307, False), (308, True)])
def test_redirects(code: int, permanent: bool) -> None:
    entry = {"path": "/", "redirect": {"to": "https://b.test", "code": code, "keep_path": True}}
    text = render(parse_sites([{"name": "a.test", "routes": [entry]}]), Host({}))["sites.yml"]
    http = json.loads("\n".join(line for line in text.splitlines() if not line.startswith("#")))["http"]
    assert http["middlewares"]["a.test-1-redirect"]["redirectRegex"] == {
        "regex": "^https?://[^/]+(.*)$",
        "replacement": "https://b.test${1}",
        "permanent": permanent,
    }
    assert http["routers"]["a.test-1"]["service"] == "noop@internal"
    assert "services" not in http


def test_servers_are_chosen_by_address_and_left_out_after_failures() -> None:
    service = rendered({"balance": "hash", "hash_by": "address", "max_fails": 2})["stack-shop.yml"]["http"]["services"]
    balancer = service["shop-app-80"]["loadBalancer"]
    assert balancer["strategy"] == "hrw"
    assert balancer["passiveHealthCheck"] == {"maxFailedAttempts": 2, "failureWindow": "10s"}


def test_compression_is_left_out_where_it_is_switched_off() -> None:
    router = rendered(compress=False)["sites.yml"]["http"]["routers"]["a.test-1"]
    assert router["middlewares"] == ["a.test-headers", "composeops-retry"]


def test_the_modern_policy_is_tls_1_3_alone() -> None:
    tls = rendered(host=Host(HOST.endpoints, tls_policy="modern"))["sites.yml"]["tls"]["options"]["default"]
    assert tls["minVersion"] == "VersionTLS13"
    assert "cipherSuites" not in tls


@pytest.mark.parametrize(
    ("route", "site", "message"),
    [
        pytest.param({}, {"maintenance": True}, "site a.test sets maintenance", id="maintenance"),
        pytest.param({}, {"deny": ["10.0.0.1"]}, "site a.test has deny", id="deny"),
        pytest.param({"deny": ["10.0.0.1"]}, {}, "route / has deny", id="deny-of-a-route"),
        pytest.param({"balance": "hash"}, {}, "hash_by: uri", id="hash"),
        pytest.param({"basic_auth": {"users": {"bob": SHA512}}}, {}, "the hash of bob in basic_auth", id="sha512"),
    ],
)
def test_what_traefik_has_nothing_for_is_refused(route: dict[str, Any], site: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        rendered(route, **site)


def test_files_are_refused() -> None:
    entry = {"path": "/", "static": {"directory": "/srv"}}
    with pytest.raises(InvalidInput, match="route / has static"):
        render(parse_sites([{"name": "a.test", "routes": [entry]}]), Host({}))
