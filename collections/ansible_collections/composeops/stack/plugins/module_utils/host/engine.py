# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What must hold of the Docker engine's settings: its socket is the host's alone, its pools are networks; pure."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence
from ipaddress import ip_address, ip_network
from typing import Any

from ansible_collections.composeops.stack.plugins.module_utils.errors import InvalidInput

LAST_PORT = 65535
_LARGEST = {4: 32, 6: 128}


def check(settings: Mapping[str, Any]) -> None:
    """Raise where `dockerd --validate` would not, and the host would be open or without networks."""
    if opened := tcp_sockets((), settings):
        raise InvalidInput(
            f"docker_engine_settings: the engine would listen at {', '.join(opened)}: whoever reaches it is root.",
            "Leave it out: reach the engine by ssh (DOCKER_HOST=ssh://HOST), or set tlsverify with certificates.",
        )
    metrics = settings.get("metrics-addr")
    if metrics and not _is_loopback(str(metrics)):
        raise InvalidInput(
            f"docker_engine_metrics_address: {metrics} is no address and port of the host's loopback.",
            "Give one such as 127.0.0.1:9323; the engine asks nobody who reads its metrics for a password.",
        )
    for pool in settings.get("default-address-pools") or ():
        _check_pool(pool)


def tcp_sockets(argv: Sequence[str], settings: Mapping[str, Any]) -> list[str]:
    """Return where an engine takes commands by TCP from whoever comes, by its command line and its daemon.json."""
    words = list(argv)
    if _is_set(words, "--tlsverify") or settings.get("tlsverify"):
        return []
    given = [word.partition("=")[2] for word in words if word.startswith(("--host=", "-H="))]
    given += [value for word, value in itertools.pairwise(words) if word in ("-H", "--host")]
    attached = [word.removeprefix("-H") for word in words if word.startswith("-H")]
    given += [host for host in attached if host and not host.startswith("=")]
    given += [str(host) for host in settings.get("hosts") or ()]
    return [host for host in given if host.startswith("tcp:")]


def parse(text: str | None) -> Mapping[str, Any]:
    """Return daemon.json's settings; none where it is absent or not one, which the engine itself complains about."""
    try:
        found = json.loads(text or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, Mapping) else {}


def _is_set(words: Sequence[str], flag: str) -> bool:
    return any(word in (flag, f"{flag}=true") for word in words)


def _is_loopback(place: str) -> bool:
    host, _, port = place.rpartition(":")
    try:
        return ip_address(host.strip("[]")).is_loopback and 0 < int(port) <= LAST_PORT
    except ValueError:
        return False


def _check_pool(pool: Any) -> None:
    try:
        base = ip_network(pool["base"])
        fits = base.prefixlen <= int(pool["size"]) <= _LARGEST[base.version]
    except (ValueError, KeyError, TypeError) as error:
        raise InvalidInput(
            f"docker_engine_address_pools: {pool!r} is no pool: {error}.",
            "Give a network as base and the length of a prefix as size, such as 172.18.0.0/15 and 24.",
        ) from error
    if not fits:
        raise InvalidInput(
            f"docker_engine_address_pools: {base} cannot be divided into networks of /{pool['size']}.",
            f"Give a size from {base.prefixlen} on.",
        )
