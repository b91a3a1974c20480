# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.errors import InvalidInput
from ansible_collections.composeops.stack.plugins.module_utils.release.model import Routed
from ansible_collections.composeops.stack.plugins.module_utils.release.ports import allocate
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
        at("web", 80, 21000) + at("api", 3000, 21001),
    ),
    "a port that is there stays, wherever it is": (
        [WEB, API],
        {},
        at("api", 3000, 21007),
        [],
        at("web", 80, 21000) + at("api", 3000, 21007),
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
        [21000, 21002],
        at("web", 80, 21001) + at("api", 3000, 21003),
    ),
    "a port that a stranger took moves": ([WEB], {}, at("web", 80, 21000), [21000], at("web", 80, 21001)),
    "replicas get a range": (
        [WEB, API],
        {"web": 3},
        [],
        [],
        at("web", 80, 21000, 21001, 21002) + at("api", 3000, 21003),
    ),
    "a range has no hole": ([WEB], {"web": 2}, [], [21001], at("web", 80, 21002, 21003)),
    "more replicas move only their own service": (
        [WEB, API],
        {"web": 2},
        at("web", 80, 21000) + at("api", 3000, 21001),
        [],
        at("web", 80, 21002, 21003) + at("api", 3000, 21001),
    ),
    "two ports of one service": (
        [Routed("app", 3000), Routed("app", 8000)],
        {},
        [],
        [],
        at("app", 3000, 21000) + at("app", 8000, 21001),
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
    assert first == at("api", 3000, 21000) + in_colours(21001, 21002)
    assert allocate([API, WEB], base=22000, replicas={}, existing=first, taken=[], colours=BOTH) == first


def test_the_other_colour_of_a_service_that_moves_into_colours_gets_a_new_port() -> None:
    blue = [Endpoint("web", 80, "127.0.0.1", 21000, "blue")]
    assert allocate([WEB], base=21000, replicas={}, existing=blue, taken=[], colours=BOTH) == in_colours(21000, 21001)
