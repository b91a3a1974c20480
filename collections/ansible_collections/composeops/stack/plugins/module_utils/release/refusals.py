# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a compose file may say to compose and cannot be run here as it says; pure.

Everything is told at once, each with its line and what to write instead.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.composeops.stack.plugins.module_utils.errors import InvalidInput
from ansible_collections.composeops.stack.plugins.module_utils.release.coloured import PRIVATE_NETWORK
from ansible_collections.composeops.stack.plugins.module_utils.release.definitions import (
    attached,
    mount_targets,
    relative_mounts,
    replicas_of,
    restart_policy,
)
from ansible_collections.composeops.stack.plugins.module_utils.release.lines import line_of, place
from ansible_collections.composeops.stack.plugins.module_utils.release.model import StackRequest


@dataclass(frozen=True)
class Refusal:
    """One reason, about the key of the compose file that ``keys`` lead to."""

    keys: tuple[str, ...]
    reason: str
    instead: str


# Compose 2.26 reads them and does nothing about them, without a word.
_IGNORED_BY_COMPOSE = {
    "gpus": "Write deploy.resources.reservations.devices: [{capabilities: [gpu], count: all}].",
    "post_start": "Do it in the entrypoint, or in a service of its own that others wait for with depends_on.",
    "pre_stop": "Do it in the image, when its stop signal arrives.",
}

_RESTART_POLICIES = ("no", "always", "on-failure", "unless-stopped")


def check(request: StackRequest, compose: Mapping[str, Any], architecture: str) -> None:
    """Raise with every reason why ``compose``, a canonical compose file, is not run."""
    found = [
        refusal
        for name, definition in compose["services"].items()
        for rule in _RULES
        for refusal in rule(request, name, definition)
    ]
    found += _without_a_way_in(request, compose)
    found += _platforms(compose, architecture)
    found += _external_sources(compose)
    found += _copies_into_read_only(compose)
    if PRIVATE_NETWORK in (compose.get("networks") or {}):
        reason = f"the network {PRIVATE_NETWORK} is called as that of a release"
        found.append(Refusal(("networks", PRIVATE_NETWORK), reason, "Give it another name."))
    if found:
        sentences = [f"{place(request.source, line_of(request.compose, *one.keys))}: {one.reason}" for one in found]
        remedies = dict.fromkeys(one.instead for one in found)
        raise InvalidInput(f"{'; '.join(sentences)}.", " ".join(remedies))


def _ignored(_request: StackRequest, name: str, definition: Mapping[str, Any]) -> Iterator[Refusal]:
    for key, instead in _IGNORED_BY_COMPOSE.items():
        if definition.get(key):
            reason = f"service {name} has {key}, which the compose of this host ignores"
            yield Refusal(("services", name, key), reason, instead)


def _unreachable(request: StackRequest, name: str, definition: Mapping[str, Any]) -> Iterator[Refusal]:
    """Yield a service that the edge, or anybody, is to reach where nothing can lead."""
    reached = [
        option
        for option, ports in (("routed", request.routed), ("published", request.published))
        if any(port.service == name for port in ports)
    ]
    mode = str(definition.get("network_mode") or "")
    mode = mode if mode in ("host", "none") or mode.startswith(("service:", "container:")) else ""
    for option in reached if mode else ():
        reason = f"service {name} is {option}, and its network_mode {mode} has no port that can be published"
        yield Refusal(("services", name, "network_mode"), reason, f"Leave out network_mode, or {name} under {option}.")
    if "routed" in reached and replicas_of(definition) == 0:
        reason = f"service {name} is routed and has no replicas"
        yield Refusal(("services", name, "deploy"), reason, f"Give it one, or leave {name} out under routed.")
    if "published" in reached and replicas_of(definition) > 1:
        reason = f"service {name} has {replicas_of(definition)} replicas, and only one can be published on a port"
        yield Refusal(("services", name, "deploy"), reason, f"List {name} under routed, where each has a port.")


def _without_a_way_in(request: StackRequest, compose: Mapping[str, Any]) -> Iterator[Refusal]:
    networks = compose.get("networks") or {}
    reached = {port.service for port in request.routed} | {port.service for port in request.published}
    for name in sorted(reached & set(compose["services"])):
        joined = compose["services"][name].get("networks") or {}
        if joined and all((networks.get(network) or {}).get("internal") for network in joined):
            reason = f"service {name} is to be reached, and is in internal networks only, where no port is published"
            yield Refusal(("services", name, "networks"), reason, f"Add a network to {name} that is not internal.")


def _mounts_above(_request: StackRequest, name: str, definition: Mapping[str, Any]) -> Iterator[Refusal]:
    for source in relative_mounts(definition):
        if source.startswith(".."):
            reason = f"service {name} mounts {source}, which lies above the compose file and is not brought to the host"
            instead = "Put it beside the compose file, or write the absolute path that it has on the host."
            yield Refusal(("services", name, "volumes"), reason, instead)


def _mounts_nowhere(_request: StackRequest, name: str, definition: Mapping[str, Any]) -> Iterator[Refusal]:
    """Yield mounts that compose lets pass, and the engine refuses when it creates the container."""
    for key, target in mount_targets(definition):
        if not target.startswith("/"):
            reason = f"service {name} mounts something at {target}, which is no absolute path"
            yield Refusal(("services", name, key), reason, "Write the whole path that it is to have in the container.")


def _restarts(_request: StackRequest, name: str, definition: Mapping[str, Any]) -> Iterator[Refusal]:
    """Yield what compose lets pass, and the engine refuses when it creates the container."""
    policy, attempts = restart_policy(definition)
    deploy = definition.get("deploy") or {}
    keys = ("services", name, "restart")
    if deploy.get("restart_policy") is not None:
        keys = ("services", name, "deploy")
    if policy not in _RESTART_POLICIES:
        reason = f"service {name} has the restart policy {policy}, which the engine does not know"
        yield Refusal(keys, reason, f"It knows {', '.join(_RESTART_POLICIES)}.")
    elif attempts and policy != "on-failure":
        reason = f"service {name} is restarted {attempts} times at most, which the engine only does on failure"
        yield Refusal(keys, reason, "Make on-failure its condition, or leave out the number.")


_RULES: tuple[Callable[[StackRequest, str, Mapping[str, Any]], Iterator[Refusal]], ...] = (
    _ignored,
    _unreachable,
    _mounts_above,
    _mounts_nowhere,
    _restarts,
)


def _platforms(compose: Mapping[str, Any], architecture: str) -> Iterator[Refusal]:
    for name, definition in compose["services"].items():
        platform = str(definition.get("platform") or "")
        wanted = platform.split("/")[1] if "/" in platform else platform
        if wanted not in ("", architecture):
            reason = f"service {name} is for {platform}, and this host is linux/{architecture}"
            instead = "Leave out platform where the image is there for both, or choose another host."
            yield Refusal(("services", name, "platform"), reason, instead)


def _external_sources(compose: Mapping[str, Any]) -> Iterator[Refusal]:
    used = {
        (kind, entry["source"])
        for definition in compose["services"].values()
        for kind in ("secrets", "configs")
        for entry in definition.get(kind) or []
    }
    for kind, name in sorted(used):
        definition = (compose.get(kind) or {}).get(name) or {}
        if definition.get("external"):
            reason = f"{kind}.{name} is external, which only Swarm knows"
            yield Refusal((kind, name), reason, "Write `environment: NAME` and list NAME under the stack's secrets.")
        elif posixpath.normpath(definition.get("file") or "").startswith(".."):
            reason = f"{kind}.{name} is the file {definition['file']}, which lies above the compose file"
            yield Refusal((kind, name), reason, "Put it below files_directory.")


def _copies_into_read_only(compose: Mapping[str, Any]) -> Iterator[Refusal]:
    """Yield what compose 2.26 copies into a container that lets nothing be written; it finds out when it starts it."""
    for name, definition in compose["services"].items():
        if definition.get("read_only") and any(
            source.get("environment") or source.get("content") for source in attached(compose, name)
        ):
            reason = f"service {name} is read_only, and compose cannot put a secret or config there that is no file"
            instead = f"Leave out read_only of {name}, or give it secrets and configs that are files."
            yield Refusal(("services", name, "read_only"), reason, instead)
