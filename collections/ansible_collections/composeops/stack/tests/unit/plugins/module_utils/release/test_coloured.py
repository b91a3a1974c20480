# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.errors import InvalidInput
from ansible_collections.composeops.stack.plugins.module_utils.release import coloured, colours
from ansible_collections.composeops.stack.plugins.module_utils.release.render import services_of
from ansible_collections.composeops.stack.plugins.module_utils.release.state import Endpoint

COMPOSE: dict[str, Any] = {
    "name": "shop",
    "services": {
        "db": {"image": "db:1", "networks": {"inner": None}, "volumes": [{"type": "volume", "source": "data"}]},
        "api": {
            "image": "api:1",
            "container_name": "api",
            "labels": {"composeops.revision": "r1"},
            "networks": {"inner": {"aliases": ["backend"]}, "outer": None},
            "depends_on": {"db": {"condition": "service_healthy"}},
            "volumes": [
                {"type": "volume", "source": "logs", "target": "/logs"},
                {"type": "bind", "source": "./files/app.conf", "target": "/app.conf"},
                {"type": "bind", "source": "./uploads", "target": "/uploads"},
            ],
            "secrets": [{"source": "token"}],
        },
        "web": {
            "image": "web:1",
            "networks": {"outer": None},
            "depends_on": {"api": {"condition": "service_started"}},
        },
    },
    "networks": {"inner": {"name": "shop_inner"}, "outer": {"name": "shop_outer", "driver": "bridge"}},
    "volumes": {"data": {"name": "shop_data"}, "logs": {"name": "shop_logs", "driver": "local"}},
    "secrets": {"token": {"environment": "TOKEN"}, "other": {"environment": "OTHER"}},
}
IN_COLOURS = ("api", "web")
ENDPOINTS = [
    Endpoint("api", 80, "127.0.0.1", 21000, "blue"),
    Endpoint("api", 80, "127.0.0.1", 21002, "green"),
    Endpoint("api", 80, "127.0.0.1", 21003, "green"),
]


def green() -> dict[str, Any]:
    return coloured.colour(
        COMPOSE,
        "shop",
        "green",
        coloured=IN_COLOURS,
        endpoints=ENDPOINTS,
        directory="/stacks/shop",
        own_files={"files/app.conf"},
    )


def test_the_base_keeps_what_is_in_no_colour() -> None:
    assert set(coloured.base(COMPOSE, IN_COLOURS)["services"]) == {"db"}


def test_the_services_of_a_colour_are_known_by_their_names_among_themselves_only() -> None:
    found = green()
    api = found["services"]["api-green"]
    assert api["networks"][coloured.PRIVATE_NETWORK] == {"aliases": ["api", "backend"]}
    assert api["networks"]["inner"] == {}
    assert found["networks"][coloured.PRIVATE_NETWORK] == {
        "name": "shop-green_composeops-release",
        "internal": True,
    }


def test_a_network_of_the_base_is_joined_and_another_is_the_colour_s_own() -> None:
    networks = green()["networks"]
    assert networks["inner"] == {"external": True, "name": "shop_inner"}
    assert networks["outer"] == {"name": "shop_outer-green", "driver": "bridge"}


def test_order_within_the_colour_is_kept_and_the_base_is_there_before() -> None:
    services = green()["services"]
    assert "depends_on" not in services["api-green"]
    assert services["web-green"]["depends_on"] == {"api-green": {"condition": "service_started"}}


def test_ports_are_those_of_the_colour() -> None:
    services = green()["services"]
    assert [port["published"] for port in services["api-green"]["ports"]] == ["21002-21003"]
    assert "ports" not in services["web-green"]


def test_volumes_are_shared_by_both_colours() -> None:
    assert green()["volumes"] == {"logs": {"external": True, "name": "shop_logs"}}
    (volume,) = coloured.own_volumes(COMPOSE, "shop", IN_COLOURS, "/stacks/shop")
    assert (volume.name, volume.driver) == ("shop_logs", "local")
    assert dict(volume.labels) == {"com.docker.compose.project": "shop", "com.docker.compose.volume": "logs"}


def test_data_beside_the_compose_file_is_the_same_in_both_colours_and_configuration_is_the_release_s() -> None:
    sources = [volume["source"] for volume in green()["services"]["api-green"]["volumes"]]
    assert sources == ["logs", "./files/app.conf", "/stacks/shop/uploads"]


def test_only_secrets_that_are_used_come_along() -> None:
    assert green()["secrets"] == {"token": {"environment": "TOKEN"}}


def test_a_fixed_container_name_is_left_out_and_said() -> None:
    assert "container_name" not in green()["services"]["api-green"]
    assert coloured.notes(COMPOSE, IN_COLOURS) == [
        "api: its container_name api is left out, because two of it run while a release replaces another"
    ]


def changed(**services: dict[str, Any]) -> dict[str, Any]:
    return {**COMPOSE, "services": {name: {**COMPOSE["services"][name], **new} for name, new in services.items()}}


def aliases(compose: dict[str, Any], service: str) -> list[str]:
    found = coloured.colour(
        compose, "shop", "green", coloured=IN_COLOURS, endpoints=[], directory="/stacks/shop", own_files=()
    )
    return list(found["services"][f"{service}-green"]["networks"][coloured.PRIVATE_NETWORK]["aliases"])


def test_a_container_is_found_by_the_name_that_it_would_have_had() -> None:
    calls = {"environment": {"API": "http://shop-api-1:80", "MORE": "http://the_api"}}
    compose = changed(db={}, api={"container_name": "the_api"}, web=calls)
    assert aliases(compose, "api") == ["api", "the_api", "shop-api-1", "backend"]
    assert aliases(compose, "web") == ["web"]


ADJUSTED: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "a network with a name of its own": (
        {},
        {"outer": {"name": "mine"}},
        "web: its network mine is mine-blue or mine-green, one for each release",
    ),
    "a network of others": (
        {},
        {"outer": {"name": "edge", "external": True}},
        "web: other stacks in the network edge do not find it by its name; they reach it through the edge",
    ),
    "a volume without a name": (
        {"volumes": [{"type": "volume", "target": "/cache"}]},
        {},
        "web: its volume /cache has no name, so it is empty in each release",
    ),
    "a restart with the base": (
        {"depends_on": {"db": {"condition": "service_started", "restart": True}}},
        {},
        "web: it is not restarted when db is replaced, although its depends_on says so",
    ),
}


@pytest.mark.parametrize(("web", "networks", "note"), ADJUSTED.values(), ids=ADJUSTED.keys())
def test_what_is_different_in_a_colour_is_said(web: dict[str, Any], networks: dict[str, Any], note: str) -> None:
    compose = {**changed(db={}, web=web), "networks": {**COMPOSE["networks"], **networks}}
    assert coloured.notes(compose, ("web",)) == [note]


def test_a_volume_that_binds_a_directory_beside_the_compose_file_finds_it() -> None:
    bound = {"name": "shop_logs", "driver_opts": {"type": "none", "o": "bind,rw", "device": "./logs"}}
    compose = {**COMPOSE, "volumes": {**COMPOSE["volumes"], "logs": bound}}
    (volume,) = coloured.own_volumes(compose, "shop", IN_COLOURS, "/stacks/shop")
    assert dict(volume.options) == {"device": "/stacks/shop/logs", "o": "bind,rw", "type": "none"}


def test_services_keep_the_names_they_were_declared_with() -> None:
    found = {service.name: service for service in services_of(green())}
    assert set(found) == {"api", "web"}
    assert found["web"].waits_for == {"api": "service_started"}
    assert found["api"].revision == "r1"


def test_the_compose_file_itself_is_not_changed() -> None:
    before = repr(COMPOSE)
    green()
    assert repr(COMPOSE) == before


@pytest.mark.parametrize("name", ["shop-blue", "my-shop-green"])
def test_a_stack_that_is_called_like_a_colour_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput, match="cannot be the name of a stack"):
        colours.check_stack(name)


@pytest.mark.parametrize("name", ["shop", "blue", "shopgreen"])
def test_other_names_are_accepted(name: str) -> None:
    colours.check_stack(name)
