# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which ports a system takes, and who has them already; pure.

The loopback ports of routed services are not among them: a deployment allots those around whatever listens.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.composeops.stack.plugins.module_utils.io.sockets import Listener
from ansible_collections.composeops.stack.plugins.module_utils.preflight.model import Problem

EDGE = "nginx"
EDGES = (EDGE, "traefik")
"""What can be the edge, each under the name of its process."""


@dataclass(frozen=True)
class Wanted:
    """A port that the edge or a stack takes on the host."""

    port: int
    owner: str
    """``nginx`` or ``traefik``, or the name of the stack."""
    purpose: str


@dataclass(frozen=True)
class Seen:
    """Who has ports on the host now."""

    listeners: Sequence[Listener]
    published: Mapping[int, str]
    """Host port to the compose project of the container that publishes it; empty for a container of no project."""
    foreign_sites: Collection[str] = ()
    """Configuration of nginx that this collection did not write, and would put out of use."""
    engine_sockets: Collection[str] = ()
    """Where the Docker engine takes commands by TCP from whoever comes."""


def port_problems(wanted: Sequence[Wanted], seen: Seen) -> list[Problem]:
    """Return the ports that somebody else has."""
    holders = {listener.port: listener for listener in reversed(seen.listeners)}
    found = []
    for port in wanted:
        project = seen.published.get(port.port)
        listener = holders.get(port.port)
        if project is not None:
            if project == port.owner:
                continue
            holder = f"a container of {project}" if project else "a container outside of compose"
        elif listener is not None:
            if port.owner in EDGES and listener.process == port.owner:
                continue
            holder = listener.process or "an unknown process"
        else:
            continue
        found.append(
            Problem(
                "ports",
                f"port {port.port}, which {port.owner} needs for {port.purpose}, is taken by {holder}.",
                _remedy(port),
            )
        )
    if seen.foreign_sites and any(port.owner == EDGE for port in wanted):
        found.append(
            Problem(
                "ports",
                f"nginx on this host serves sites of somebody else: {', '.join(sorted(seen.foreign_sites))}.",
                "Move them to edge_sites, then remove them; they would be out of use.",
            )
        )
    found += [
        Problem(
            "ports",
            f"the Docker engine takes commands at {place}, where whoever reaches it is root of the host.",
            "Take it out of its command line (`systemctl cat docker`) or daemon.json, or have it verify certificates.",
        )
        for place in seen.engine_sockets
    ]
    return found


def _remedy(port: Wanted) -> str:
    if port.owner in EDGES:
        return f"Stop and disable it: `ss -ltnp sport = :{port.port}` on the host shows it."
    return f"Stop it, or choose another host_port under published of the stack {port.owner}."
