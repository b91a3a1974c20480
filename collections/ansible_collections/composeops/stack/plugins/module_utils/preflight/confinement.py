# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a container could do that its service may not need: hints about a canonical compose file; pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

ROOT = ("", "0", "root")
ENGINE_SOCKETS = ("/var/run/docker.sock", "/run/docker.sock")
NO_NEW_PRIVILEGES = "no-new-privileges"


def hints(compose: Mapping[str, Any], users: Mapping[str, str], *, engine_confines: bool) -> dict[str, list[str]]:
    """Return what each service lacks, those that lack nothing left out.

    ``users`` are those that images run as, as far as the images are known; ``engine_confines`` is whether the engine
    gives every container no new privileges.
    """
    found = {
        name: list(_lacking(definition, users, engine_confines))
        for name, definition in (compose.get("services") or {}).items()
    }
    return {name: lacking for name, lacking in found.items() if lacking}


def _lacking(definition: Mapping[str, Any], users: Mapping[str, str], engine_confines: bool) -> Iterator[str]:
    if definition.get("privileged"):
        # Nothing else that is said of it would confine it.
        yield "is privileged: it is root of the host"
        return
    if any(volume.get("source") in ENGINE_SOCKETS for volume in definition.get("volumes") or ()):
        yield "has the engine's socket: it is root of the host"
    user = definition.get("user", users.get(str(definition.get("image"))))
    if user is not None and str(user).partition(":")[0] in ROOT:
        yield "runs as root (user)"
    if not definition.get("read_only"):
        yield "can write to its image (read_only, with tmpfs for what it writes)"
    if "ALL" not in [str(capability).upper() for capability in definition.get("cap_drop") or ()]:
        yield "keeps capabilities (cap_drop: [ALL], and cap_add of those it needs)"
    if not _confined(definition.get("security_opt") or (), engine_confines):
        yield "can gain privileges (security_opt: [no-new-privileges:true])"
    limits = ((definition.get("deploy") or {}).get("resources") or {}).get("limits") or {}
    if not (definition.get("mem_limit") or limits.get("memory")):
        yield "has no limit of memory (mem_limit)"
    if not _positive(definition.get("pids_limit") or limits.get("pids")):
        yield "has no limit of processes (pids_limit)"


def _confined(options: Collection[Any], engine_confines: bool) -> bool:
    """Return whether a container can gain no privileges; the last of several options counts."""
    said = [str(option).replace("=", ":") for option in options]
    own = [option for option in said if option.partition(":")[0] == NO_NEW_PRIVILEGES]
    return own[-1].partition(":")[2] in ("", "true") if own else engine_confines


def _positive(limit: Any) -> bool:
    """Return whether there is a limit: 0 and -1 are none."""
    return limit is not None and int(limit) > 0
