# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reads what a service of a canonical compose file consists of; pure."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.composeops.stack.plugins.module_utils.release.model import StackFile


def replicas_of(definition: Mapping[str, Any]) -> int:
    """Return how many containers a service has."""
    declared = (definition.get("deploy") or {}).get("replicas", definition.get("scale"))
    return 1 if declared is None else int(declared)


def restart_policy(definition: Mapping[str, Any]) -> tuple[str, int]:
    """Return when the engine restarts a container of a service, in its words, and how often at most (0: always)."""
    policy = (definition.get("deploy") or {}).get("restart_policy")
    if policy is not None:
        condition = str(policy.get("condition") or "no")
        return {"none": "no", "any": "always"}.get(condition, condition), int(policy.get("max_attempts") or 0)
    name, _, attempts = str(definition.get("restart") or "no").partition(":")
    return name, int(attempts) if attempts.isdigit() else 0


def attached(compose: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    """Return the definitions of the secrets and configs that a service uses."""
    service = compose["services"][name]
    return [
        dict((compose.get(kind) or {}).get(entry["source"], {}))
        for kind in ("secrets", "configs")
        for entry in service.get(kind) or []
    ]


def is_relative(path: str) -> bool:
    """Whether a path is beside the compose file; one that begins with a tilde is not."""
    return not path.startswith(("/", "~"))


def relative_mounts(definition: Mapping[str, Any]) -> list[str]:
    """Return what a service mounts from beside the compose file."""
    return [
        posixpath.normpath(volume["source"])
        for volume in definition.get("volumes") or []
        if volume.get("type") == "bind" and is_relative(volume["source"])
    ]


def mount_targets(definition: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the paths in its containers where a service mounts something, with the key that says so."""
    tmpfs = definition.get("tmpfs") or []
    # An entry of tmpfs may have options behind its path.
    targets = [("tmpfs", str(entry).split(":")[0]) for entry in ([tmpfs] if isinstance(tmpfs, str) else tmpfs)]
    return targets + [("volumes", str(volume.get("target") or "")) for volume in definition.get("volumes") or []]


def mounts(compose: Mapping[str, Any], name: str) -> list[str]:
    """Return what a service mounts from beside the compose file, its secrets and configs included."""
    sources = [source.get("file") or "/" for source in attached(compose, name)]
    beside = [posixpath.normpath(source) for source in sources if is_relative(source)]
    return [*relative_mounts(compose["services"][name]), *beside]


def files_below(files: Sequence[StackFile], path: str) -> Iterator[StackFile]:
    """Yield the file at ``path``, or those in the directory of that name."""
    for file in files:
        if path in (".", file.path) or file.path.startswith(f"{path}/"):
            yield file


def files_of(files: Sequence[StackFile], compose: Mapping[str, Any], name: str) -> list[StackFile]:
    """Return the files of the stack that a service mounts."""
    return [file for path in mounts(compose, name) for file in files_below(files, path)]
