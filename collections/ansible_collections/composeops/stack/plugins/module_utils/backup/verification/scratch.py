# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Throw-away containers that backups are proven in: of the backup's own image, without any network, with little.

They are found by their label. What a killed drill leaves is removed by the next one of its source.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ansible_collections.composeops.stack.plugins.module_utils.backup import capacity
from ansible_collections.composeops.stack.plugins.module_utils.backup.damage import Damaged
from ansible_collections.composeops.stack.plugins.module_utils.backup.interruption import undisturbed
from ansible_collections.composeops.stack.plugins.module_utils.backup.verification.verifier import Task
from ansible_collections.composeops.stack.plugins.module_utils.errors import CommandError, ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.io.docker import Docker
from ansible_collections.composeops.stack.plugins.module_utils.io.runner import Runner

LABEL = "composeops.drill"
DIRECTORY = "/composeops"
"""Where a container sees the backup's objects."""
MEBIBYTE = 1024 * 1024

NO_ROOM = ("No space left on device", "out of memory", "Cannot allocate memory")
"""What programs say where the place was too small, which says nothing of the backup."""

SPACING = 1.0
"""Seconds between two looks at a server that starts, or that says it has."""
START_SECONDS = 300

_SIGNALLED = 128
"""Exit statuses above are of a program that a signal ended."""
_NOT_STARTED = range(125, 128)
"""Exit statuses of `docker run` for a container, or a program in it, that never ran."""


@dataclass(frozen=True)
class Place:
    """What a container gets beside its image."""

    memory: int
    """Bytes."""
    mounts: Mapping[str, str]
    """Files and directories of the host by the name that they have in the container; it cannot change them."""
    capabilities: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    user: str = "0:0"
    read_only: bool = True
    shared_memory: int = 64 * MEBIBYTE


def name(source: str) -> str:
    return f"composeops-drill-{source}"


def options(source: str, place: Place) -> list[str]:
    """Return the options of `docker run`, the same for every container of a drill."""
    memory = str(place.memory)
    words = [
        *("--name", name(source), "--label", f"{LABEL}={source}", "--network", "none"),
        *("--memory", memory, "--memory-swap", memory, "--pids-limit", "512", "--cpu-shares", "256"),
        *("--shm-size", str(place.shared_memory), "--security-opt", "no-new-privileges", "--cap-drop", "ALL"),
        *("--log-opt", "max-size=1m", "--tmpfs", "/tmp"),  # noqa: S108 (inside the container)
        *("--restart", "no"),
    ]
    words += [word for capability in place.capabilities for word in ("--cap-add", capability)]
    words += ["--user", place.user] if place.user else []
    words += ["--read-only"] if place.read_only else []
    for variable, value in dict(place.environment).items():
        words += ["--env", f"{variable}={value}"]
    for inside, path in place.mounts.items():
        words += ["--mount", f"type=bind,source={path},target={inside},readonly"]
    return words


def remove_leftovers(runner: Runner, source: str) -> list[str]:
    """Remove the containers of drills of ``source`` with their volumes; return their ids."""
    listing = ["docker", "ps", "--all", "--quiet", "--filter", f"label={LABEL}={source}"]
    with undisturbed():
        found = runner.run(listing).stdout.split()
        if found:
            runner.run(["docker", "rm", "--force", "--volumes", *found])
    return found


@contextlib.contextmanager
def container(task: Task, image: str, place: Place, entrypoint: str, argv: Sequence[str]) -> Iterator[str]:
    """Give the id of a running container for the block; it is gone afterwards, with all that it held."""
    source = task.source.name
    chosen = ["--entrypoint", entrypoint] if entrypoint else []
    command = ["docker", "run", "--detach", *options(source, place), *chosen, image, *argv]
    try:
        yield task.runner.run(command, timeout=task.left).stdout.strip()
    finally:
        # By the label and not by the id: an interrupted `docker run` may have made it without telling.
        remove_leftovers(task.runner, source)


def program(task: Task, image: str, place: Place, argv: Sequence[str]) -> str:
    """Run a program of the image to its end and return what it said; raise ``Damaged`` where it refuses the backup."""
    command = ["docker", "run", "--rm", *options(task.source.name, place)]
    try:
        ended = task.runner.run([*command, "--entrypoint", argv[0], image, *argv[1:]], timeout=task.left, check=False)
    finally:
        remove_leftovers(task.runner, task.source.name)
    said = (ended.stderr or ended.stdout).strip()[-1000:] or "nothing"
    if ended.ok:
        return ended.stdout + ended.stderr
    if ended.returncode in _NOT_STARTED or ended.returncode > _SIGNALLED or _no_room(said):
        raise ComposeOpsError(
            f"{argv[0]} of image {image} did not run to its end (status {ended.returncode}); it said: {said}",
            "Look at the engine and at the memory of this host; nothing is known of the backup.",
        )
    raise Damaged(f"{argv[0]} refuses backup {task.manifest.id} of {task.source.name}; it said: {said}")


@contextlib.contextmanager
def judged(task: Task, container_id: str) -> Iterator[None]:
    """Turn what goes wrong in the block into a judgement of the backup, unless the container itself failed."""
    try:
        yield
    except CommandError as error:
        if error.returncode is None or _no_room(error.message) or not _runs(task.runner, container_id):
            raise ComposeOpsError(
                f"The drill of {task.source.name} did not run to its end: {error.message}",
                "Look at the disk and the memory of this host; nothing is known of the backup.",
            ) from error
        raise Damaged(f"Backup {task.manifest.id} of {task.source.name} cannot be restored: {error.message}") from error


def died(task: Task, container_id: str) -> str:
    """Return why a container does not run any more, or nothing where it runs; ``out of memory`` where that is why."""
    state = _state(task.runner, container_id)
    if state.get("Running"):
        return ""
    why = "out of memory" if state.get("OOMKilled") else f"status {state.get('ExitCode')}"
    return f"{why}; it said: {Docker(task.runner).logs(container_id, 10)}"


def wait_until(task: Task, container_id: str, server: str, ready: Callable[[], bool]) -> None:
    """Wait until a container's ``server`` is ready, asked every so often; raise where it ended or takes too long."""
    deadline = min(task.deadline, time.monotonic() + START_SECONDS)
    while not ready():
        if why := died(task, container_id):
            raise ComposeOpsError(
                f"The throw-away {server} ended: {why}", "Look at the image; nothing is known of the backup."
            )
        if time.monotonic() > deadline:
            raise ComposeOpsError(
                f"The throw-away {server} did not get ready in time.",
                "Look at the load of this host; nothing is known of the backup.",
            )
        time.sleep(SPACING)


def require_room(task: Task, needed: int) -> None:
    """Raise where the engine's disk is too small for what a container is to hold."""
    root = task.runner.run(["docker", "info", "--format", "{{.DockerRootDir}}"]).stdout.strip()
    capacity.require(f"The engine's disk ({root})", free=shutil.disk_usage(root).free, needed=needed)


def _runs(runner: Runner, container_id: str) -> bool:
    return bool(_state(runner, container_id).get("Running"))


def _state(runner: Runner, container_id: str) -> dict[str, object]:
    inspected = runner.run(["docker", "inspect", "--format", "{{json .State}}", container_id], check=False)
    return dict(json.loads(inspected.stdout)) if inspected.ok else {}


def _no_room(said: str) -> bool:
    return any(words in said for words in NO_ROOM)
