# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which loopback ports the routed services are published on: stable, and a pure function of what is known."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from ansible_collections.composeops.stack.plugins.module_utils.errors import InvalidInput
from ansible_collections.composeops.stack.plugins.module_utils.release.model import Routed
from ansible_collections.composeops.stack.plugins.module_utils.release.state import Endpoint

LOOPBACK = "127.0.0.1"
HIGHEST = 65535
ROOM = 10
"""Ports that are kept for one port of a service in one colour: it grows there, and the edge still reaches the first."""


def allocate(
    routed: Sequence[Routed],
    *,
    base: int,
    replicas: Mapping[str, int],
    existing: Collection[Endpoint],
    taken: Collection[int],
    colours: Mapping[str, Sequence[str]] | None = None,
) -> list[Endpoint]:
    """Return one endpoint for each replica of each routed port, and where ``colours`` names them, in each colour.

    The first port that a service has stays with it, whatever the number of its replicas, unless a stranger or another
    service is in the way. New ones begin at ``base`` or a multiple of ``ROOM`` above it, with room to grow; those of
    one service follow each other, because compose publishes the replicas of a service on a range.
    """
    of_service = colours or {}
    places = [(route, colour) for route in routed for colour in of_service.get(route.service, ("",))]
    # The ports of one colour follow each other.
    places.sort(key=lambda place: place[1])
    there = {place: _ports_of(existing, *place) for place in places}
    sizes = {(route, colour): replicas.get(route.service, 1) for route, colour in places}
    blocks: dict[tuple[Routed, str], range] = {}
    for place, ports in there.items():
        others = {port for other, theirs in there.items() if other != place for port in theirs}
        block = range(ports[0], ports[0] + sizes[place]) if ports else range(0)
        if block and block[-1] <= HIGHEST and not {*taken, *others, *_flat(blocks.values())}.intersection(block):
            blocks[place] = block
    for place in places:
        if place not in blocks:
            blocks[place] = _new_block(place[0], sizes[place], base, taken, list(blocks.values()))
    return [
        Endpoint(route.service, route.port, LOOPBACK, port, colour)
        for route, colour in places
        for port in blocks[route, colour]
    ]


def rooms(endpoints: Collection[Endpoint]) -> set[int]:
    """Return the ports that ``endpoints`` have, and those that they may grow to."""
    first: dict[tuple[str, int, str], int] = {}
    for found in endpoints:
        key = (found.service, found.port, found.colour)
        first[key] = min(found.host_port, first.get(key, found.host_port))
    grown = {port for start in first.values() for port in range(start, start + ROOM)}
    return {endpoint.host_port for endpoint in endpoints} | grown


def _ports_of(existing: Collection[Endpoint], route: Routed, colour: str) -> list[int]:
    wanted = (route.service, route.port, colour)
    return sorted(found.host_port for found in existing if (found.service, found.port, found.colour) == wanted)


def _flat(blocks: Iterable[range]) -> set[int]:
    return {port for block in blocks for port in block}


def _new_block(route: Routed, size: int, base: int, taken: Collection[int], blocks: Sequence[range]) -> range:
    """Return the lowest free block with room, or without it where there is none that has."""
    ends = [port for block in blocks for port in range(block.start, block.start + max(ROOM, len(block)))]
    room = max(ROOM, -(-size // ROOM) * ROOM)
    for step, width, used in ((ROOM, room, {*taken, *ends}), (1, size, {*taken, *_flat(blocks)})):
        for first in range(base, HIGHEST - width + 2, step):
            if used.isdisjoint(range(first, first + width)):
                return range(first, first + size)
    raise InvalidInput(
        f"No {size} free ports follow each other from {base} up for {route.service}.", "Choose a lower port_base."
    )
