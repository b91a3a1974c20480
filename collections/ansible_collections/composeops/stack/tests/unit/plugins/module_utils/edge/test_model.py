# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.edge.model import (
    AddressTarget,
    Route,
    ServiceTarget,
    Site,
    parse_sites,
    service_targets,
)
from ansible_collections.composeops.stack.plugins.module_utils.errors import InvalidInput

BACKEND = {"path": "/", "stack": "petcare", "service": "backend", "port": 3000}


def site(**changes: Any) -> dict[str, Any]:
    return {"name": "app.petcare.com", "routes": [BACKEND], **changes}


def route(**changes: Any) -> dict[str, Any]:
    return site(routes=[{**BACKEND, **changes}])


def only_route(entry: dict[str, Any]) -> Route:
    return parse_sites([entry])[0].routes[0]


def test_a_site_with_nothing_but_a_route_gets_safe_defaults() -> None:
    assert parse_sites([site()]) == (
        Site("app.petcare.com", (Route("/", ServiceTarget("petcare", "backend", 3000)),), redirect_to_https=True),
    )


def test_options_that_ansible_fills_with_none_count_as_not_given() -> None:
    filled = {**BACKEND, "upstream": None, "read_timeout": None, "send_timeout": None, "websocket": False}
    assert parse_sites([site(routes=[filled], hsts=None)]) == parse_sites([site()])


def test_a_websocket_may_be_silent_for_an_hour_unless_told_otherwise() -> None:
    silent = only_route(route(websocket=True))
    told = only_route(route(websocket=True, read_timeout=120))
    assert (silent.read_timeout, silent.send_timeout, silent.connect_timeout) == (3600, 3600, 5)
    assert (told.read_timeout, told.send_timeout) == (120, 3600)


def test_addresses_become_an_upstream_named_after_the_route() -> None:
    parsed = only_route(site(routes=[{"path": "/", "upstream": ["10.0.0.5:8080", "[fd00::5]:8080"]}]))
    assert parsed.target == AddressTarget("app.petcare.com-route-1", ("10.0.0.5:8080", "[fd00::5]:8080"))


def test_a_service_used_by_several_routes_is_one_target() -> None:
    sites = parse_sites([site(routes=[BACKEND, {**BACKEND, "path": "/api/"}]), site(name="b.test")])
    assert service_targets(sites) == (ServiceTarget("petcare", "backend", 3000),)


@pytest.mark.parametrize(
    ("entry", "complaint"),
    [
        pytest.param(site(name="localhost"), "'localhost' is not a full host name", id="single-label"),
        pytest.param(site(name="*.petcare.com"), "is not a full host name", id="wildcard"),
        pytest.param(site(name="App.petcare.com"), "is not a full host name in lower case", id="upper-case"),
        pytest.param(site(name="10.1.2.3 evil.com; }"), "is not a full host name", id="directive-injection"),
        pytest.param(site(aliases=["www_.test"]), "app.petcare.com, aliases: 'www_.test'", id="alias"),
        pytest.param(site(routes=[]), "app.petcare.com has no routes", id="no-routes"),
        pytest.param(site(routes=[BACKEND, BACKEND]), "routes / more than once", id="path-twice"),
        pytest.param(route(path="api"), "path 'api' cannot be routed", id="relative-path"),
        pytest.param(route(path="/a b"), "cannot be routed", id="path-with-space"),
        pytest.param(route(path="/x { }"), "cannot be routed", id="path-injection"),
        pytest.param(
            route(path="/.well-known/acme-challenge/"), "challenges are answered there", id="path-of-the-challenges"
        ),
        pytest.param(route(port=None), "it has stack, service", id="no-port"),
        pytest.param(
            route(upstream=["10.0.0.5:80"]), "it has stack, service, port, upstream", id="service-and-addresses"
        ),
        pytest.param(site(routes=[{"path": "/"}]), "it has neither", id="no-target"),
        pytest.param(route(port=70000), "70000 is not a port", id="port-range"),
        pytest.param(route(service="a b"), "service 'a b' is not a name", id="service-name"),
        pytest.param(
            site(routes=[{"path": "/", "upstream": ["db.internal:80"]}]),
            "'db.internal:80' is not an IP address",
            id="upstream-by-name",
        ),
        pytest.param(
            site(routes=[{"path": "/", "upstream": ["10.0.0.999:80"]}]),
            "is not an IP address",
            id="upstream-no-address",
        ),
        pytest.param(route(read_timeout=0), "read_timeout is 0", id="no-time"),
        pytest.param(site(client_max_body_size="10 MB"), "'10 MB' is not a size", id="size"),
        pytest.param(site(headers={"X Y": "1"}), "'X Y' is not the name", id="header-name"),
        pytest.param(site(headers={"X-Y": 'a"; b'}), "header X-Y holds a quote", id="header-injection"),
        pytest.param(
            site(headers={"strict-transport-security": "max-age=1"}), "sent by the option hsts", id="hsts-as-header"
        ),
    ],
)
def test_what_cannot_be_served_is_refused_by_name(entry: dict[str, Any], complaint: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        parse_sites([entry])
    assert complaint in str(raised.value)
    assert str(raised.value).startswith("edge_sites")


@pytest.mark.parametrize(
    "second",
    [site(), site(name="b.test", aliases=["app.petcare.com"])],
    ids=["the same site twice", "an alias that is another site"],
)
def test_a_name_belongs_to_one_site(second: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match=r"app\.petcare\.com is a name of site app\.petcare\.com and again"):
        parse_sites([site(), second])


@pytest.mark.parametrize("given", ["ip_hash", "least-conn", "random"])
def test_an_unknown_balance_is_refused_with_the_known_ones(given: str) -> None:
    with pytest.raises(InvalidInput, match=f"balance '{given}' is unknown") as error:
        parse_sites([route(balance=given)])
    assert error.value.remedy == "Write round_robin, least_conn or hash."


def test_routes_of_one_service_are_balanced_alike() -> None:
    least = {**BACKEND, "path": "/api/", "balance": "least_conn"}
    assert parse_sites([site(routes=[least, {**least, "path": "/ws"}])])
    with pytest.raises(InvalidInput, match=r"site app\.petcare\.com, route /api/ balances petcare/backend:3000"):
        parse_sites([site(routes=[BACKEND, least])])
