# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which loopback ports the routed services are published on: stable, and a pure function of what is known."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from ansible_collections.composeops.stack.plugins.module_utils.errors import InvalidInput
from ansible_collections.composeops.stack.plugins.module_utils.release.model import Routed
from ansible_collections.composeops.stack.plugins.module_utils.release.state import Endpoint

LOOPBACK = "127.0.0.1"
HIGHEST = 65535


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

    A port that a service already has stays with it. New ones are the lowest free ones from ``base`` up; those of one
    service follow each other, because compose publishes the replicas of a service on a range.
    """
    used = set(taken)
    of_service = colours or {}
    places = [(route, colour) for route in routed for colour in of_service.get(route.service, ("",))]
    # The ports of one colour follow each other.
    places.sort(key=lambda place: place[1])
    kept: dict[tuple[Routed, str], list[Endpoint]] = {}
    for route, colour in places:
        block = sorted(
            (found for found in existing if (found.service, found.port, found.colour) == (*_port(route), colour)),
            key=lambda endpoint: endpoint.host_port,
        )
        ports = [endpoint.host_port for endpoint in block]
        if len(ports) == replicas.get(route.service, 1) and _is_range(ports) and not used.intersection(ports):
            kept[route, colour] = block
            used.update(ports)
    result: list[Endpoint] = []
    for route, colour in places:
        block = kept.get((route, colour)) or _block(route, colour, replicas.get(route.service, 1), base, used)
        used.update(endpoint.host_port for endpoint in block)
        result += block
    return result


def _port(route: Routed) -> tuple[str, int]:
    return route.service, route.port


def _is_range(ports: Sequence[int]) -> bool:
    return bool(ports) and ports[-1] - ports[0] == len(ports) - 1


def _block(route: Routed, colour: str, size: int, base: int, used: Collection[int]) -> list[Endpoint]:
    for first in range(base, HIGHEST - size + 2):
        ports = range(first, first + size)
        if not any(port in used for port in ports):
            return [Endpoint(route.service, route.port, LOOPBACK, port, colour) for port in ports]
    raise InvalidInput(
        f"No {size} free ports follow each other from {base} up for {route.service}.", "Choose a lower port_base."
    )
