# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Decides which services a release starts beside the old ones, and which are replaced where they are; pure.

Routed services run once in each colour while a release replaces another, so two of each run for a while. What does not
tolerate that stays in the base project and is stopped before its successor starts.
"""

from __future__ import annotations

import posixpath
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.composeops.stack.plugins.module_utils.errors import InvalidInput
from ansible_collections.composeops.stack.plugins.module_utils.release.model import StackRequest


@dataclass(frozen=True)
class Placement:
    """Where the services of a stack run; those that are not named here are no business of a release."""

    coloured: tuple[str, ...] = ()
    """Services that run in a project for each colour."""
    stop_first: Mapping[str, str] = field(default_factory=dict)
    """Routed services that cannot overlap, with the reason."""

    def sentences(self) -> list[str]:
        return [
            f"{name} is stopped before it is replaced, so requests to it fail for a while: {reason}"
            for name, reason in sorted(self.stop_first.items())
        ]


IN_PLACE = Placement()
"""Nothing runs in a colour."""


def place(canonical: Mapping[str, Any], request: StackRequest) -> Placement:
    """Return where the services of a canonical compose file run."""
    definitions = canonical.get("services") or {}
    unknown = sorted(set(request.overlapping) - set(definitions))
    if unknown:
        raise InvalidInput(
            f"Stack {request.name}: overlapping names {unknown[0]!r}, and {request.source} declares no such service.",
            f"It declares {', '.join(sorted(definitions))}.",
        )
    if request.rollout.strategy == "in_place":
        _check_in_place(request)
        return IN_PLACE
    wanted = {*(route.service for route in request.routed), *request.overlapping} & set(definitions)
    own_files = {file.path for file in request.files}
    reasons: dict[str, str] = {}
    for name in sorted(wanted):
        tolerant = name in request.overlapping
        reason = next(
            _obstacles(request, name, definitions[name], definitions, own_files=own_files, tolerant=tolerant), ""
        )
        if reason:
            reasons[name] = reason
    _demote(wanted, definitions, reasons)
    return Placement(tuple(sorted(wanted - set(reasons))), reasons)


def _check_in_place(request: StackRequest) -> None:
    """Refuse what only a release beside the one before can honour."""
    for option, given in (("overlapping", request.overlapping), ("migration", request.migration)):
        if given:
            raise InvalidInput(
                f"Stack {request.name}: {option} is given, and its services are replaced in place.",
                f"Set rollout.strategy to blue_green, or leave {option} out.",
            )


def _demote(wanted: Collection[str], definitions: Mapping[str, Any], reasons: dict[str, str]) -> None:
    """Keep in the base what a service of the base waits for: there it has no name for what is in a colour."""
    pending = True
    while pending:
        pending = False
        for name in sorted(definitions):
            if name in wanted and name not in reasons:
                continue
            for needed in definitions[name].get("depends_on") or {}:
                if needed in wanted and needed not in reasons:
                    reasons[needed] = (
                        f"{name} depends on it and is not released with it; list {name} under overlapping if two of it"
                        " may run at once"
                    )
                    pending = True


def _obstacles(
    request: StackRequest,
    name: str,
    definition: Mapping[str, Any],
    definitions: Mapping[str, Any],
    *,
    own_files: Collection[str],
    tolerant: bool,
) -> Iterator[str]:
    if definition.get("network_mode"):
        yield f"its network_mode is {definition['network_mode']}"
    for published in request.published:
        if published.service == name:
            yield f"it is published on port {published.host_port} of the host"
    for network, options in (definition.get("networks") or {}).items():
        if options and (options.get("ipv4_address") or options.get("ipv6_address")):
            yield f"it has a fixed address in the network {network}"
    if definition.get("mac_address"):
        yield "it has a fixed MAC address"
    if definition.get("links"):
        yield "it has links; services find each other by their names without them"
    for other, entry in definitions.items():
        if name in _shares_with(entry) or (other == name and list(_shares_with(entry))):
            yield f"{other} shares namespaces or volumes with another service"
    if not tolerant:
        for volume in definition.get("volumes") or []:
            if _holds_data(volume, own_files):
                yield f"it writes to {volume['source']}; list {name} under overlapping if two of it may"


def _holds_data(volume: Mapping[str, Any], own_files: Collection[str]) -> bool:
    """Whether a mount is data that two containers would write to; a single file of the stack is configuration."""
    if volume.get("read_only") or not volume.get("source"):
        return False
    if volume.get("type") == "bind":
        return posixpath.normpath(volume["source"]) not in own_files
    return volume.get("type") == "volume"


def _shares_with(definition: Mapping[str, Any]) -> Iterator[str]:
    for option in ("network_mode", "ipc", "pid"):
        mode = str(definition.get(option) or "")
        if mode.startswith("service:"):
            yield mode.removeprefix("service:")
    for entry in definition.get("volumes_from") or []:
        yield entry.split(":")[0]
