# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Decides which services a release starts beside the old ones, and which are replaced where they are; pure.

Routed services run once in each colour while a release replaces another, so two of each run for a while. What does not
tolerate that stays in the base project and is stopped before its successor starts.
"""

from __future__ import annotations

import posixpath
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.composeops.stack.plugins.module_utils.errors import InvalidInput
from ansible_collections.composeops.stack.plugins.module_utils.release.definitions import (
    attached,
    files_of,
    replicas_of,
)
from ansible_collections.composeops.stack.plugins.module_utils.release.model import StackRequest
from ansible_collections.composeops.stack.plugins.module_utils.release.names import meet, mentions, names_of


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
    _check_consumers(request)
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
    needs = _needs(request, canonical, wanted)
    pending = True
    while pending:
        before = len(reasons)
        _demote(wanted, needs, reasons)
        reasons.update(_without_a_second_network(canonical, wanted - set(reasons)))
        pending = len(reasons) > before
    return Placement(tuple(sorted(wanted - set(reasons))), reasons)


def _check_consumers(request: StackRequest) -> None:
    """Refuse a consumer that nobody could stop before the switch."""
    for name in request.consumers:
        if name not in request.overlapping:
            raise InvalidInput(
                f"Stack {request.name}: consumers names {name!r}, which is not under overlapping.",
                "A consumer of the release runs beside the one before for a moment: list it there too, if it may.",
            )
        if name in {route.service for route in request.routed}:
            raise InvalidInput(
                f"Stack {request.name}: consumers names {name!r}, which is routed too.",
                "It would be stopped while requests go there; leave it out, or run what consumes as another service.",
            )


def _check_in_place(request: StackRequest) -> None:
    """Refuse what only a release beside the one before can honour."""
    for option, given in (("overlapping", request.overlapping), ("migration", request.migration)):
        if given:
            raise InvalidInput(
                f"Stack {request.name}: {option} is given, and its services are replaced in place.",
                f"Set rollout.strategy to blue_green, or leave {option} out.",
            )


def _needs(request: StackRequest, canonical: Mapping[str, Any], wanted: Collection[str]) -> list[tuple[str, str, str]]:
    """Return which service needs which of ``wanted`` to answer to its name, and how it says so."""
    definitions = canonical["services"]
    names = {name: names_of(request.name, name, definitions[name], replicas_of(definitions[name])) for name in wanted}
    found = []
    for name, definition in sorted(definitions.items()):
        found += [(name, needed, "depends on it") for needed in definition.get("depends_on") or {} if needed in wanted]
        read = _texts(request, canonical, name)
        for needed in sorted(set(wanted) - {name}):
            if meet(definition, definitions[needed]):
                where = next(mentions(definition, read, names[needed]), "")
                found += [(name, needed, f"calls it by its name {where}")] if where else []
    return found


def _texts(request: StackRequest, canonical: Mapping[str, Any], name: str) -> dict[str, str]:
    """Return what a service reads beside its definition: files of the stack that it mounts, and inline configs."""
    read = {file.path: file.content.decode("utf-8", "replace") for file in files_of(request.files, canonical, name)}
    inline = {source.get("name", ""): source.get("content") for source in attached(canonical, name)}
    return {**read, **{f"the config {key}": text for key, text in inline.items() if text}}


def _demote(wanted: Collection[str], needs: Iterable[tuple[str, str, str]], reasons: dict[str, str]) -> None:
    """Keep in the base what a service of the base needs: there it has no name for what is in a colour."""
    pending = True
    while pending:
        pending = False
        for name, needed, how in needs:
            in_colour = name in wanted and name not in reasons
            if not in_colour and needed not in reasons:
                reasons[needed] = (
                    f"{name} {how} and is not released with it; list {name} under overlapping if two of it"
                    " may run at once"
                )
                pending = True


def _without_a_second_network(canonical: Mapping[str, Any], coloured: Collection[str]) -> dict[str, str]:
    """Return the services of colours in a network of which there cannot be one for each colour, with the reason."""
    definitions = canonical["services"]
    shared = {
        network
        for name, entry in definitions.items()
        if name not in coloured
        for network in entry.get("networks") or {}
    }
    reasons = {}
    for network, entry in (canonical.get("networks") or {}).items():
        options = entry or {}
        why = "" if network in shared or options.get("external") else _why_only_one(options)
        for name in sorted(coloured) if why else ():
            if network in (definitions[name].get("networks") or {}):
                reasons[name] = f"its network {network} {why}, and each colour has a network of its own"
    return reasons


def _why_only_one(network: Mapping[str, Any]) -> str:
    """Return why an engine cannot have two of a network, or nothing."""
    if any((block or {}).get("subnet") for block in (network.get("ipam") or {}).get("config") or []):
        return "has a fixed subnet"
    if network.get("driver") in ("macvlan", "ipvlan"):
        return f"is a {network['driver']} of the host's interface"
    if "com.docker.network.bridge.name" in (network.get("driver_opts") or {}):
        return "has a fixed bridge"
    return ""


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
    yield from _fixed_addresses(definition)
    if definition.get("hostname") and not tolerant:
        yield (
            f"its hostname {definition['hostname']} would be both the old and the new one; leave it out, or list"
            f" {name} under overlapping if nothing calls it so"
        )
    if definition.get("links"):
        yield "it has links; services find each other by their names without them"
    for other, entry in definitions.items():
        if name in _shares_with(entry) or (other == name and list(_shares_with(entry))):
            yield f"{other} shares namespaces or volumes with another service"
    if not tolerant:
        for volume in definition.get("volumes") or []:
            if _holds_data(volume, own_files):
                yield f"it writes to {volume['source']}; list {name} under overlapping if two of it may"


def _fixed_addresses(definition: Mapping[str, Any]) -> Iterator[str]:
    for network, options in (definition.get("networks") or {}).items():
        if options and any(options.get(key) for key in ("ipv4_address", "ipv6_address", "link_local_ips")):
            yield f"it has a fixed address in the network {network}"
        if options and options.get("mac_address"):
            yield f"it has a fixed MAC address in the network {network}"
    if definition.get("mac_address"):
        yield "it has a fixed MAC address"


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
