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
) -> list[Endpoint]:
    """Return one endpoint for each replica of each routed port.

    A port that a service already has stays with it. New ones are the lowest free ones from ``base`` up; those of one
    service follow each other, because compose publishes the replicas of a service on a range.
    """
    used = set(taken)
    kept: dict[Routed, list[Endpoint]] = {}
    for route in routed:
        block = sorted(
            (endpoint for endpoint in existing if (endpoint.service, endpoint.port) == (route.service, route.port)),
            key=lambda endpoint: endpoint.host_port,
        )
        ports = [endpoint.host_port for endpoint in block]
        if len(ports) == replicas.get(route.service, 1) and _is_range(ports) and not used.intersection(ports):
            kept[route] = block
            used.update(ports)
    result: list[Endpoint] = []
    for route in routed:
        block = kept.get(route) or _block(route, replicas.get(route.service, 1), base, used)
        used.update(endpoint.host_port for endpoint in block)
        result += block
    return result


def _is_range(ports: Sequence[int]) -> bool:
    return bool(ports) and ports[-1] - ports[0] == len(ports) - 1


def _block(route: Routed, size: int, base: int, used: Collection[int]) -> list[Endpoint]:
    for first in range(base, HIGHEST - size + 2):
        ports = range(first, first + size)
        if not any(port in used for port in ports):
            return [Endpoint(route.service, route.port, LOOPBACK, port) for port in ports]
    raise InvalidInput(
        f"No {size} free ports follow each other from {base} up for {route.service}.", "Choose a lower port_base."
    )
