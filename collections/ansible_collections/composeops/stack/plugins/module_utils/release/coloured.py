# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Divides a rendered stack into the base project and the project of a colour; pure.

What the services of a colour see is what they would have seen in one project. Data services answer to their names in
the networks of the base. The services of the colour itself answer to theirs in a network of its own, so that a new
frontend talks to the new backend, and never to the old one.
"""

from __future__ import annotations

import copy
import json
import posixpath
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.composeops.stack.plugins.module_utils.io.docker import DECLARED_SERVICE_LABEL, STACK_LABEL
from ansible_collections.composeops.stack.plugins.module_utils.release import colours
from ansible_collections.composeops.stack.plugins.module_utils.release.definitions import is_relative, replicas_of
from ansible_collections.composeops.stack.plugins.module_utils.release.names import container_names
from ansible_collections.composeops.stack.plugins.module_utils.release.state import Endpoint

PRIVATE_NETWORK = "composeops-release"


@dataclass(frozen=True)
class Volume:
    """A volume that only services in colours use, so that no compose project would make it."""

    name: str
    driver: str
    options: tuple[tuple[str, str], ...]
    labels: tuple[tuple[str, str], ...]


def base(compose: Mapping[str, Any], coloured: Collection[str]) -> dict[str, Any]:
    """Return the part of a rendered compose file that a release does not move."""
    services = {name: entry for name, entry in compose["services"].items() if name not in coloured}
    return {**compose, "services": services}


def colour(
    compose: Mapping[str, Any],
    stack: str,
    name: str,
    *,
    coloured: Collection[str],
    endpoints: Sequence[Endpoint],
    directory: str,
    own_files: Collection[str],
) -> dict[str, Any]:
    """Return the compose file of one colour.

    ``directory`` is the stack's, where data beside the compose file lies; ``own_files`` are the files of the release.
    """
    shared = _shared_networks(compose, coloured)
    services = {}
    for service in sorted(coloured):
        entry = _service(
            compose["services"][service],
            service,
            name,
            coloured=coloured,
            shared=shared,
            names=_called(compose, stack, service, coloured),
        )
        entry["labels"] = {**(entry.get("labels") or {}), DECLARED_SERVICE_LABEL: service, STACK_LABEL: stack}
        own = [endpoint for endpoint in endpoints if (endpoint.service, endpoint.colour) == (service, name)]
        if own:
            entry["ports"] = port_binding(own)
        for volume in entry.get("volumes") or []:
            if _is_data_beside(volume, own_files):
                volume["source"] = posixpath.normpath(posixpath.join(directory, volume["source"]))
        services[colours.key(service, name)] = entry
    return {
        "name": colours.project(stack, name),
        "services": services,
        "networks": {
            **_networks(compose, name, services, shared),
            # Internal: it is there for names, and must not lead out where the stack's own networks do not.
            PRIVATE_NETWORK: {"name": f"{colours.project(stack, name)}_{PRIVATE_NETWORK}", "internal": True},
        },
        "volumes": {
            volume: {"external": True, "name": entry["name"]}
            for volume, entry in _used_volumes(compose, coloured).items()
        },
        **{kind: _used(compose, kind, coloured) for kind in ("secrets", "configs")},
    }


def own_volumes(
    compose: Mapping[str, Any], stack: str, coloured: Collection[str], directory: str
) -> tuple[Volume, ...]:
    """Return the volumes that compose would have made for one project and no project of ours makes."""
    of_base = _used_volumes(compose, set(compose["services"]) - set(coloured))
    return tuple(
        Volume(
            entry["name"],
            entry.get("driver") or "local",
            tuple(sorted(_driver_options(entry, directory).items())),
            (
                ("com.docker.compose.project", stack),
                ("com.docker.compose.volume", volume),
                *sorted((key, str(value)) for key, value in (entry.get("labels") or {}).items()),
            ),
        )
        for volume, entry in sorted(_used_volumes(compose, coloured).items())
        if volume not in of_base and not entry.get("external")
    )


def _driver_options(volume: Mapping[str, Any], directory: str) -> dict[str, str]:
    """Return the options of a volume's driver; what it binds from beside the compose file is on the host by now."""
    options = {key: str(value) for key, value in (volume.get("driver_opts") or {}).items()}
    if is_relative(options.get("device") or "/") and "bind" in options.get("o", "").split(","):
        options["device"] = posixpath.normpath(posixpath.join(directory, options["device"]))
    return options


def notes(compose: Mapping[str, Any], coloured: Collection[str]) -> list[str]:
    """Return where a colour differs from what the compose file says."""
    declared = compose.get("networks") or {}
    shared = _shared_networks(compose, coloured)
    said = []
    for name in sorted(coloured):
        definition = compose["services"][name]
        if definition.get("container_name"):
            said.append(
                f"{name}: its container_name {definition['container_name']} is left out, because two of it run"
                " while a release replaces another"
            )
        for network in definition.get("networks") or {}:
            entry = declared.get(network) or {}
            if entry.get("external"):
                said.append(
                    f"{name}: other stacks in the network {entry['name']} do not find it by its name; they reach it"
                    " through the edge"
                )
            elif network not in shared and entry.get("name") != f"{compose['name']}_{network}":
                said.append(
                    f"{name}: its network {entry['name']} is {entry['name']}-blue or {entry['name']}-green, one for"
                    " each release"
                )
        said += [
            f"{name}: its volume {volume['target']} has no name, so it is empty in each release"
            for volume in definition.get("volumes") or []
            if volume.get("type") == "volume" and not volume.get("source")
        ]
        said += [
            f"{name}: it is not restarted when {other} is replaced, although its depends_on says so"
            for other, dependency in (definition.get("depends_on") or {}).items()
            if dependency.get("restart") and other not in coloured
        ]
    return said


def port_binding(endpoints: Sequence[Endpoint]) -> list[dict[str, Any]]:
    """Return the `ports` of a service that is reached at ``endpoints``: replicas take a range."""
    result = []
    for target in sorted({endpoint.port for endpoint in endpoints}):
        block = sorted(endpoint.host_port for endpoint in endpoints if endpoint.port == target)
        published = str(block[0]) if len(block) == 1 else f"{block[0]}-{block[-1]}"
        result.append(port(endpoints[0].address, target, published, "tcp"))
    return result


def port(address: str, target: int, published: str, protocol: str) -> dict[str, Any]:
    """Return one entry of `ports`."""
    return {"mode": "ingress", "host_ip": address, "target": target, "published": published, "protocol": protocol}


def _service(
    definition: Mapping[str, Any],
    service: str,
    name: str,
    *,
    coloured: Collection[str],
    shared: Collection[str],
    names: Sequence[str],
) -> dict[str, Any]:
    entry = copy.deepcopy(dict(definition))
    entry.pop("container_name", None)
    # The base is up before a colour starts, so only the order within the colour is left to say.
    needed = {
        colours.key(other, name): condition
        for other, condition in (entry.pop("depends_on", None) or {}).items()
        if other in coloured
    }
    if needed:
        entry["depends_on"] = needed
    aliases = [service, *names]
    joined: dict[str, Any] = {}
    for network, options in (entry.get("networks") or {}).items():
        aliases += (options or {}).get("aliases") or []
        joined[network] = {
            **{option: value for option, value in (options or {}).items() if option != "aliases"},
            **({} if network in shared else {"aliases": [service, *((options or {}).get("aliases") or [])]}),
        }
    entry["networks"] = {**joined, PRIVATE_NETWORK: {"aliases": list(dict.fromkeys(aliases))}}
    return entry


def _called(compose: Mapping[str, Any], stack: str, service: str, coloured: Collection[str]) -> list[str]:
    """Return by which names of its container, which is called otherwise here, the colour may call a service."""
    definition = compose["services"][service]
    text = json.dumps([compose["services"][name] for name in coloured])
    own = container_names(stack, service, replicas_of(definition))
    given = definition.get("container_name")
    return [*([given] if given else []), *(name for name in own if name in text)]


def _is_data_beside(volume: Mapping[str, Any], own_files: Collection[str]) -> bool:
    """Whether a mount is written to and lies beside the compose file: both colours have to see the same."""
    if volume.get("type") != "bind" or volume.get("read_only") or volume["source"].startswith(("/", "~")):
        return False
    return posixpath.normpath(volume["source"]) not in own_files


def _shared_networks(compose: Mapping[str, Any], coloured: Collection[str]) -> set[str]:
    """Return the networks that are there without a colour: external ones, and those that the base has services in."""
    of_base = {
        network
        for service, entry in compose["services"].items()
        if service not in coloured
        for network in entry.get("networks") or {}
    }
    external = {key for key, entry in (compose.get("networks") or {}).items() if (entry or {}).get("external")}
    return of_base | external


def _networks(
    compose: Mapping[str, Any], name: str, services: Mapping[str, Any], shared: Collection[str]
) -> dict[str, Any]:
    used = {network for entry in services.values() for network in entry["networks"]} - {PRIVATE_NETWORK}
    declared = compose.get("networks") or {}
    result: dict[str, Any] = {}
    for network in sorted(used):
        entry = dict(declared.get(network) or {})
        if network in shared:
            result[network] = {"external": True, "name": entry["name"]}
        else:
            result[network] = {**entry, "name": f"{entry['name']}-{name}"}
    return result


def _used_volumes(compose: Mapping[str, Any], services: Collection[str]) -> dict[str, dict[str, Any]]:
    declared = compose.get("volumes") or {}
    used = {
        volume["source"]
        for service in services
        for volume in compose["services"][service].get("volumes") or []
        if volume.get("type") == "volume" and volume.get("source")
    }
    return {volume: dict(declared.get(volume) or {}) for volume in sorted(used)}


def _used(compose: Mapping[str, Any], kind: str, services: Collection[str]) -> dict[str, Any]:
    used = {entry["source"] for service in services for entry in compose["services"][service].get(kind) or []}
    return {name: entry for name, entry in (compose.get(kind) or {}).items() if name in used}
