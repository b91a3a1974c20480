# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.errors import InvalidInput
from ansible_collections.composeops.stack.plugins.module_utils.release.model import Routed
from ansible_collections.composeops.stack.plugins.module_utils.release.ports import allocate, rooms
from ansible_collections.composeops.stack.plugins.module_utils.release.state import Endpoint

WEB = Routed("web", 80)
API = Routed("api", 3000)


def at(service: str, port: int, *host_ports: int) -> list[Endpoint]:
    return [Endpoint(service, port, "127.0.0.1", host_port) for host_port in host_ports]


CASES = {
    "the first ones count up from the base in the declared order": (
        [WEB, API],
        {},
        [],
        [],
        at("web", 80, 21000) + at("api", 3000, 21010),
    ),
    "a port that is there stays, wherever it is": (
        [WEB, API],
        {},
        at("api", 3000, 21017),
        [],
        at("web", 80, 21000) + at("api", 3000, 21017),
    ),
    "the order of the list does not matter to what is there": (
        [API, WEB],
        {},
        at("web", 80, 21000) + at("api", 3000, 21001),
        [],
        at("api", 3000, 21001) + at("web", 80, 21000),
    ),
    "a removed service frees its port for a new one": ([API], {}, at("web", 80, 21000), [], at("api", 3000, 21000)),
    "a port of a stranger is left alone": (
        [WEB, API],
        {},
        [],
        [21000, 21022],
        at("web", 80, 21010) + at("api", 3000, 21030),
    ),
    "a port that a stranger took moves": ([WEB], {}, at("web", 80, 21000), [21000], at("web", 80, 21010)),
    "replicas get a range": (
        [WEB, API],
        {"web": 3},
        [],
        [],
        at("web", 80, 21000, 21001, 21002) + at("api", 3000, 21010),
    ),
    "many replicas get more room": (
        [WEB, API],
        {"web": 11},
        [],
        [],
        at("web", 80, *range(21000, 21011)) + at("api", 3000, 21020),
    ),
    "a range has no hole": ([WEB], {"web": 2}, [], [21001], at("web", 80, 21010, 21011)),
    "more replicas begin where the first one is": (
        [WEB, API],
        {"web": 3},
        at("web", 80, 21000) + at("api", 3000, 21010),
        [],
        at("web", 80, 21000, 21001, 21002) + at("api", 3000, 21010),
    ),
    "fewer replicas keep the first": (
        [WEB],
        {"web": 1},
        at("web", 80, 21004, 21005, 21006),
        [],
        at("web", 80, 21004),
    ),
    "without room, more replicas move only their own service": (
        [WEB, API],
        {"web": 2},
        at("web", 80, 21000) + at("api", 3000, 21001),
        [],
        at("web", 80, 21020, 21021) + at("api", 3000, 21001),
    ),
    "a new service leaves the room of the others": (
        [WEB, API],
        {},
        at("web", 80, 21005),
        [],
        at("web", 80, 21005) + at("api", 3000, 21020),
    ),
    "two ports of one service": (
        [Routed("app", 3000), Routed("app", 8000)],
        {},
        [],
        [],
        at("app", 3000, 21000) + at("app", 8000, 21010),
    ),
    "an old port below another base stays": ([WEB], {}, at("web", 80, 20500), [], at("web", 80, 20500)),
    "nothing routed": ([], {}, at("web", 80, 21000), [], []),
}


@pytest.mark.parametrize(("routed", "replicas", "existing", "taken", "expected"), CASES.values(), ids=CASES.keys())
def test_allocates(
    routed: list[Routed],
    replicas: dict[str, int],
    existing: list[Endpoint],
    taken: list[int],
    expected: list[Endpoint],
) -> None:
    assert allocate(routed, base=21000, replicas=replicas, existing=existing, taken=taken) == expected


@pytest.mark.parametrize(("routed", "replicas", "existing", "taken", "expected"), CASES.values(), ids=CASES.keys())
def test_is_stable(
    routed: list[Routed],
    replicas: dict[str, int],
    existing: list[Endpoint],
    taken: list[int],
    expected: list[Endpoint],
) -> None:
    assert allocate(routed, base=21000, replicas=replicas, existing=expected, taken=taken) == expected


def test_says_when_there_are_no_more() -> None:
    with pytest.raises(InvalidInput, match="No 3 free ports follow each other from 65534 up for web"):
        allocate([WEB], base=65534, replicas={"web": 3}, existing=[], taken=[])


BOTH = {"web": ("blue", "green")}


def in_colours(*host_ports: int) -> list[Endpoint]:
    return [
        Endpoint("web", 80, "127.0.0.1", host_port, colour)
        for host_port, colour in zip(host_ports, ("blue", "green"), strict=True)
    ]


def test_each_colour_has_ports_of_its_own_which_stay() -> None:
    first = allocate([WEB, API], base=21000, replicas={}, existing=[], taken=[], colours=BOTH)
    assert first == at("api", 3000, 21000) + in_colours(21010, 21020)
    assert allocate([API, WEB], base=22000, replicas={}, existing=first, taken=[], colours=BOTH) == first


def test_the_other_colour_of_a_service_that_moves_into_colours_gets_a_new_port() -> None:
    blue = [Endpoint("web", 80, "127.0.0.1", 21000, "blue")]
    assert allocate([WEB], base=21000, replicas={}, existing=blue, taken=[], colours=BOTH) == in_colours(21000, 21010)


def test_ports_recorded_before_there_was_room_stay() -> None:
    recorded = in_colours(21000, 21001)
    assert allocate([WEB], base=21000, replicas={}, existing=recorded, taken=[], colours=BOTH) == recorded


def test_both_colours_grow_where_they_are() -> None:
    grown = allocate([WEB], base=21000, replicas={"web": 2}, existing=in_colours(21000, 21010), taken=[], colours=BOTH)
    assert [(found.colour, found.host_port) for found in grown] == [
        ("blue", 21000),
        ("blue", 21001),
        ("green", 21010),
        ("green", 21011),
    ]


def test_close_to_the_last_port_there_is_no_room_and_still_a_port() -> None:
    assert allocate([WEB], base=65530, replicas={}, existing=[], taken=[65530]) == allocate(
        [WEB], base=65531, replicas={}, existing=[], taken=[]
    )


def test_the_room_of_another_stack_is_its_ports_and_those_it_grows_to() -> None:
    assert rooms(at("web", 80, 21003)) == set(range(21003, 21013))
