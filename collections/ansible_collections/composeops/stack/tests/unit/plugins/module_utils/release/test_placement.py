# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

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
    options = {"rollout": RolloutPolicy("blue_green"), **options}
    request = StackRequest(name="shop", compose="", routed=(Routed("web", 80),), files=(CONFIG,), **options)
    return place({"services": {"web": web, "db": {}, **(others or {})}}, request)


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


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(InvalidInput, match="overlapping names 'wbe'"):
        placed({}, overlapping=("wbe",))


def test_nothing_runs_in_a_colour_unless_that_is_asked_for() -> None:
    assert placed({}, rollout=RolloutPolicy()) == IN_PLACE


def test_what_needs_two_colours_is_refused_in_place() -> None:
    with pytest.raises(InvalidInput, match="overlapping is given, and its services are replaced in place"):
        placed({}, rollout=RolloutPolicy(), overlapping=("web",))
