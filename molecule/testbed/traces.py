"""What a Docker engine leaves on a machine outside the directories it was given, so that `down` can remove that too."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from testbed import capabilities

# Outer paths first. dockerd before version 23 makes a key that nothing uses any more.
KNOWN = (
    "/etc/docker",
    "/etc/docker/key.json",
    "/run/docker",
    "/run/docker/plugins",
    "/run/containerd",
    "/run/containerd/s",
)


def candidates(hierarchies: Sequence[str]) -> list[str]:
    """Every path an engine may make, its control groups included."""
    return [*KNOWN, *(f"{hierarchy}/docker" for hierarchy in hierarchies or (capabilities.CGROUP,))]


def absent(paths: Iterable[str]) -> list[str]:
    """Those that are not there yet: if they appear from now on, the bed's engine made them."""
    return [path for path in paths if not Path(path).exists()]


def remove(paths: Sequence[str]) -> None:
    """Remove them, inner ones first; a directory that something else has come to use stays."""
    for path in (Path(path) for path in reversed(paths)):
        if path.is_relative_to(capabilities.CGROUP):
            _remove_groups(path)
        elif path.is_dir():
            _remove_if_empty(path)
        else:
            path.unlink(missing_ok=True)


def nested_containers(docker_root: Path) -> list[str]:
    """The ids of the containers of a host's own engine, from its data."""
    try:
        return sorted(entry.name for entry in (docker_root / "containers").iterdir())
    except OSError:
        # The host never had an engine, or the volume belongs to an engine whose files this user may not read.
        return []


def remove_nested(containers: Sequence[str], hierarchies: Sequence[str]) -> None:
    """Control groups that a host's engine left when the host went down with containers running."""
    for hierarchy in hierarchies or (capabilities.CGROUP,):
        for container in containers:
            _remove_groups(Path(hierarchy) / "docker" / container)


def _remove_groups(path: Path) -> None:
    """Control groups go by rmdir, which the kernel refuses as long as a process is in one."""
    if not path.is_dir():
        return
    for child in [entry for entry in path.iterdir() if entry.is_dir()]:
        _remove_groups(child)
    _remove_if_empty(path)


def _remove_if_empty(path: Path) -> None:
    try:
        path.rmdir()
    except OSError:
        # In use, by another engine: not ours any more.
        return
