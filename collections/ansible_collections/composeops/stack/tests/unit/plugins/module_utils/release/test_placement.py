# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.errors import InvalidInput
from ansible_collections.composeops.stack.plugins.module_utils.release.model import (
    Published,
    RolloutPolicy,
    Routed,
    StackFile,
    StackRequest,
)
from ansible_collections.composeops.stack.plugins.module_utils.release.placement import IN_PLACE, Placement, place

CONFIG = StackFile("files/app.conf", b"")


def placed(web: dict[str, Any], others: dict[str, Any] | None = None, **options: Any) -> Placement:
    networks = options.pop("networks", {})
    options = {"rollout": RolloutPolicy("blue_green"), "routed": (Routed("web", 80),), **options}
    request = StackRequest(name="shop", compose="", files=(CONFIG,), **options)
    return place({"services": {"web": web, "db": {}, **(others or {})}, "networks": networks}, request)


def volume(source: str, **options: Any) -> dict[str, Any]:
    return {"type": "volume", "source": source, "target": "/data", **options}


def bind(source: str, **options: Any) -> dict[str, Any]:
    return {"type": "bind", "source": source, "target": "/data", **options}


TOLERANT: dict[str, dict[str, Any]] = {
    "nothing of its own": {},
    "a volume it reads": {"volumes": [volume("assets", read_only=True)]},
    "an anonymous volume": {"volumes": [{"type": "volume", "target": "/cache"}]},
    "memory": {"volumes": [{"type": "tmpfs", "target": "/tmp"}]},
    "a configuration file of the stack": {"volumes": [bind("./files/app.conf")]},
    "a directory it reads": {"volumes": [bind("/etc/ssl", read_only=True)]},
    "a name of its own": {"container_name": "web"},
}


@pytest.mark.parametrize("web", TOLERANT.values(), ids=TOLERANT.keys())
def test_a_routed_service_runs_in_a_colour(web: dict[str, Any]) -> None:
    assert placed(web) == Placement(("web",))


INTOLERANT: dict[str, tuple[dict[str, Any], str]] = {
    "a volume": ({"volumes": [volume("uploads")]}, "it writes to uploads; list web under overlapping"),
    "a directory beside the compose file": ({"volumes": [bind("./data")]}, "it writes to ./data"),
    "a directory of the host": ({"volumes": [bind("/srv/data")]}, "it writes to /srv/data"),
    "the host's network": ({"network_mode": "host"}, "its network_mode is host"),
    "a fixed address": ({"networks": {"n": {"ipv4_address": "10.0.0.9"}}}, "a fixed address in the network n"),
    "links": ({"links": ["db:database"]}, "it has links"),
    "a fixed link-local address": (
        {"networks": {"n": {"link_local_ips": ["169.254.1.1"]}}},
        "a fixed address in the network n",
    ),
    "a fixed MAC address": ({"mac_address": "02:42:ac:11:65:43"}, "it has a fixed MAC address"),
    "a hostname": ({"hostname": "shop"}, "its hostname shop would be both the old and the new one"),
    "the namespace of another": ({"pid": "service:db"}, "web shares namespaces or volumes with another service"),
}


@pytest.mark.parametrize(("web", "reason"), INTOLERANT.values(), ids=INTOLERANT.keys())
def test_pet_11_what_cannot_overlap_is_stopped_first_and_said_before(web: dict[str, Any], reason: str) -> None:
    found = placed(web)
    assert found.coloured == ()
    assert reason in found.stop_first["web"]
    assert found.sentences()[0].startswith("web is stopped before it is replaced, so requests to it fail for a while: ")


def test_a_published_port_cannot_be_held_twice() -> None:
    found = placed({}, published=(Published("web", 80, 8080),))
    assert found.stop_first == {"web": "it is published on port 8080 of the host"}


def test_a_sidecar_keeps_its_service_in_place() -> None:
    assert "web" in placed({}, {"proxy": {"network_mode": "service:web"}}).stop_first


def test_overlapping_allows_two_writers() -> None:
    assert placed({"volumes": [volume("logs")]}, overlapping=("web",)) == Placement(("web",))


def test_overlapping_releases_a_worker_with_the_rest() -> None:
    assert placed({}, {"worker": {}}, overlapping=("worker",)).coloured == ("web", "worker")


def test_what_the_base_waits_for_stays_in_the_base() -> None:
    others = {"worker": {"depends_on": {"web": {"condition": "service_started"}}}}
    found = placed({}, others)
    assert found.coloured == ()
    assert "worker depends on it and is not released with it; list worker under overlapping" in found.stop_first["web"]
    assert placed({}, others, overlapping=("worker",)).coloured == ("web", "worker")


NET = {"networks": {"inner": None}}
CALLS: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "a value": ({}, {"environment": {"API_URL": "http://web:80/"}}, "in API_URL"),
    "an alias": ({"networks": {"inner": {"aliases": ["api"]}}}, {"command": "curl http://api"}, "in its command"),
    "a container_name": ({"container_name": "shop_web"}, {"environment": {"WEB_HOST": "shop_web"}}, "in WEB_HOST"),
    "what compose calls its container": ({}, {"environment": {"X": "http://shop-web-1:80"}}, "in X"),
    "a file it mounts": ({}, {"volumes": [bind("./files/app.conf")]}, "in files/app.conf"),
    "an inline config": ({}, {"configs": [{"source": "proxy"}]}, "in the config shop_proxy"),
}


@pytest.mark.parametrize(("web", "caller", "where"), CALLS.values(), ids=CALLS.keys())
def test_what_the_base_calls_by_its_name_stays_in_the_base(
    web: dict[str, Any], caller: dict[str, Any], where: str
) -> None:
    calling = StackRequest(
        name="shop",
        compose="",
        routed=(Routed("web", 80),),
        files=(StackFile("files/app.conf", b"proxy_pass http://web;"),),
        rollout=RolloutPolicy("blue_green"),
    )
    canonical = {
        "services": {"web": {**NET, **web}, "worker": {**NET, **caller}},
        "configs": {"proxy": {"name": "shop_proxy", "content": "target: web"}},
    }
    reason = f"worker calls it by its name {where} and is not released with it; list worker under overlapping"
    assert place(canonical, calling).stop_first["web"].startswith(reason)
    assert place(canonical, replace(calling, overlapping=("worker",))).coloured == ("web", "worker")


def test_a_name_that_never_led_there_keeps_nothing() -> None:
    worker = {"networks": {"outer": None}, "environment": {"API_URL": "http://web:80/"}}
    assert placed(NET, {"worker": worker}).coloured == ("web",)


def test_what_is_in_a_colour_itself_calls_others_as_it_likes() -> None:
    web = {**NET, "environment": {"WORKER_HOST": "worker", "DB_HOST": "db"}}
    worker = {**NET, "environment": {"API_URL": "http://web:80/"}}
    assert placed(web, {"worker": worker}, overlapping=("worker",)).coloured == ("web", "worker")


def test_being_needed_passes_on() -> None:
    api = {**NET, "environment": {"X": "http://web:80"}}
    others = {"api": api, "cron": {**NET, "environment": {"API_HOST": "api"}}}
    found = placed(NET, others, routed=(Routed("web", 80), Routed("api", 80)))
    assert found.coloured == ()
    assert "cron calls it by its name in API_HOST" in found.stop_first["api"]
    assert "api calls it by its name in X" in found.stop_first["web"]


ONE_NETWORK: dict[str, tuple[dict[str, Any], str]] = {
    "a subnet": ({"ipam": {"config": [{"subnet": "10.1.0.0/16"}]}}, "has a fixed subnet"),
    "macvlan": ({"driver": "macvlan"}, "is a macvlan of the host's interface"),
    "a bridge": ({"driver_opts": {"com.docker.network.bridge.name": "br1"}}, "has a fixed bridge"),
}


@pytest.mark.parametrize(("network", "why"), ONE_NETWORK.values(), ids=ONE_NETWORK.keys())
def test_a_network_that_there_is_one_of_keeps_its_services_in_place(network: dict[str, Any], why: str) -> None:
    found = placed(NET, networks={"inner": network})
    assert found.stop_first == {"web": f"its network inner {why}, and each colour has a network of its own"}


def test_a_network_that_the_base_is_in_is_shared() -> None:
    network = {"ipam": {"config": [{"subnet": "10.1.0.0/16"}]}}
    assert placed(NET, {"cache": NET}, networks={"inner": network}).coloured == ("web",)


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(InvalidInput, match="overlapping names 'wbe'"):
        placed({}, overlapping=("wbe",))


def test_nothing_runs_in_a_colour_unless_that_is_asked_for() -> None:
    assert placed({}, rollout=RolloutPolicy()) == IN_PLACE


def test_what_needs_two_colours_is_refused_in_place() -> None:
    with pytest.raises(InvalidInput, match="overlapping is given, and its services are replaced in place"):
        placed({}, rollout=RolloutPolicy(), overlapping=("web",))
