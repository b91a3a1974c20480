# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A throw-away Redis of the stack's own image that loads a backup, without network, beside the serving one.

It proves the backup (Redis checks the checksum and every value) and then writes the append-only files itself: a
server with `appendonly yes` reads those and not the dump, and would start empty without them.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.composeops.stack.plugins.module_utils.backup import capacity, file_swap
from ansible_collections.composeops.stack.plugins.module_utils.backup.restorer import Job
from ansible_collections.composeops.stack.plugins.module_utils.backup.sources.redis_place import Place
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.io.docker import Docker
from ansible_collections.composeops.stack.plugins.module_utils.io.runner import Runner

POLL_SECONDS = 0.2
SOCKET = "/tmp/composeops.sock"  # noqa: S108 (inside the throw-away container)
DUMP = "/composeops-restore.rdb"

DISK_FACTOR = 3
"""The dump, the append-only files made from it, and room to serve: times the dump's size."""

_ROOM = f"""\
set -eu
cd "$1"
rm -rf "{file_swap.NEW}"
df -Pk . | tail -n 1
stat -c %u:%g .
"""

_FILL = f"""\
set -eu
cd "$1"; dump=$2; owner=$3
mkdir -m 700 "{file_swap.NEW}"
cp "{DUMP}" "{file_swap.NEW}/$dump"
chmod 600 "{file_swap.NEW}/$dump"
chown -R "$owner" "{file_swap.NEW}"
"""


@dataclass(frozen=True)
class Loaded:
    """What a server has loaded: its keys, how many of them may expire at any moment, how many had expired already."""

    keys: int
    expiring: int
    expired: int = 0


def counts(keyspace: Mapping[str, str], persistence: Mapping[str, str]) -> Loaded:
    """Return what a server's INFO says it has loaded."""
    keys = expiring = 0
    for line in keyspace.values():
        fields = dict(field.split("=", 1) for field in line.split(","))
        keys += int(fields["keys"])
        expiring += int(fields["expires"])
    return Loaded(keys, expiring, int(persistence.get("rdb_last_load_keys_expired", "0")))


def arguments(place: Place) -> list[str]:
    """Return the options of a server that reads the new dump and listens on nothing but its own socket."""
    options = [
        *("--dir", f"{place.directory}/{file_swap.NEW}", "--dbfilename", place.dump),
        *("--appendonly", "no", "--appendfilename", place.append_file, "--save", ""),
        *("--port", "0", "--unixsocket", SOCKET, "--daemonize", "no"),
    ]
    return [*options, "--appenddirname", place.append_directory] if place.append_directory else options


def make(job: Job, container: Mapping[str, Any], place: Place, path: str) -> Loaded:
    """Make the files of ``place`` from the dump at ``path``, ready to be swapped in; return what they hold."""
    file_swap.remove_helpers(job.runner, job.source)
    try:
        owner = _fill(job, container, place, path)
        return _load(job, container, place, owner)
    finally:
        file_swap.remove_helpers(job.runner, job.source)


def _fill(job: Job, container: Mapping[str, Any], place: Place, path: str) -> str:
    """Put the dump where the throw-away server reads it; return the owner that the server's files have."""
    answer = file_swap.in_volumes(job.runner, job.source, container, _ROOM, [place.directory])
    room, owner = answer.splitlines()
    needed = DISK_FACTOR * os.path.getsize(path)
    capacity.require(f"The disk of {place.directory}", free=capacity.free_bytes(room), needed=needed)
    file_swap.in_volumes(
        job.runner,
        job.source,
        container,
        _FILL,
        [place.directory, place.dump, owner],
        mounts=[f"type=bind,source={path},target={DUMP},readonly"],
    )
    return owner


def _load(job: Job, container: Mapping[str, Any], place: Place, owner: str) -> Loaded:
    name = file_swap.helper_name(job.source)
    job.runner.run(
        [
            *("docker", "run", "--detach", "--name", name, "--network", "none", "--user", owner),
            *("--volumes-from", str(container["Id"]), "--entrypoint", "sh", str(container["Image"])),
            *("-c", 'umask 077; exec redis-server "$@"', "sh", *arguments(place)),
        ]
    )
    server = Server(job.runner, name)
    server.wait("load the backup", job.deadline, lambda: server.info("persistence").get("loading") == "0")
    loaded = counts(server.info("keyspace"), server.info("persistence"))
    if place.append_only:
        server.command("CONFIG", "SET", "appendonly", "yes")
        server.wait("write its append-only files", job.deadline, lambda: _appending(server.info("persistence")))
    job.runner.run(["docker", "stop", "--time", "60", name], timeout=120)
    return loaded


def _appending(persistence: Mapping[str, str]) -> bool:
    if persistence.get("aof_last_bgrewrite_status") != "ok":
        raise ComposeOpsError("Redis could not write its append-only files.", "Look at the disk of its volume.")
    return persistence.get("aof_enabled") == "1" and not any(
        persistence.get(name) == "1" for name in ("aof_rewrite_in_progress", "aof_rewrite_scheduled")
    )


class Server:
    """A Redis in a container, asked through its own socket there."""

    def __init__(self, runner: Runner, name: str) -> None:
        self._runner = runner
        self._name = name

    def command(self, *words: str) -> str:
        answer = Docker(self._runner).execute(self._name, ["redis-cli", "-e", "-s", SOCKET, *words], check=False)
        return answer.stdout if answer.ok else ""

    def info(self, section: str) -> dict[str, str]:
        pairs = (line.strip().partition(":") for line in self.command("INFO", section).splitlines() if ":" in line)
        return {name: value for name, _, value in pairs}

    def wait(self, purpose: str, deadline: float, condition: Callable[[], bool]) -> None:
        while not condition():
            running = self._runner.run(["docker", "inspect", "--format", "{{.State.Running}}", self._name]).stdout
            if running.strip() != "true":
                raise ComposeOpsError(
                    f"Redis could not {purpose}; it said: {Docker(self._runner).logs(self._name, 10)}",
                    "Choose another backup; the data that was there still serves.",
                )
            if time.monotonic() > deadline:
                raise ComposeOpsError(f"Redis took too long to {purpose}.", "Raise the source's timeout.")
            time.sleep(POLL_SECONDS)
