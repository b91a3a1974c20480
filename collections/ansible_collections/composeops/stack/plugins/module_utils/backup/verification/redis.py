# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Proves a backup of a Redis: a server of the same image reads it to its end, loads it, and has the keys it had.

The server is started as a replica of nobody: a replica lets no key expire, neither while it loads nor later, so that
the keys can be compared exactly.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass

from ansible_collections.composeops.stack.plugins.module_utils.backup import capacity, images
from ansible_collections.composeops.stack.plugins.module_utils.backup.damage import Damaged
from ansible_collections.composeops.stack.plugins.module_utils.backup.manifest import Manifest
from ansible_collections.composeops.stack.plugins.module_utils.backup.sources import redis, redis_scratch
from ansible_collections.composeops.stack.plugins.module_utils.backup.verification import scratch
from ansible_collections.composeops.stack.plugins.module_utils.backup.verification.verifier import Paths, Task, Verifier
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.io import files

INSIDE = f"{scratch.DIRECTORY}/{redis.DUMP}"
SPARE = 128 * scratch.MEBIBYTE
ARGUMENTS = [
    *("--dir", scratch.DIRECTORY, "--dbfilename", redis.DUMP, "--appendonly", "no", "--save", ""),
    *("--port", "0", "--unixsocket", redis_scratch.SOCKET, "--daemonize", "no", "--replicaof", "127.0.0.1", "1"),
]

_READ = re.compile(r"^\[info\] (?P<keys>\d+) keys read$", re.MULTILINE)


@dataclass(frozen=True)
class Keys:
    """The keys of one database, and how many of them expire."""

    keys: int
    expiring: int


def parse(keyspace: Mapping[str, str]) -> dict[int, Keys]:
    """Return what a server's INFO says of its databases."""
    found = {}
    for name, line in keyspace.items():
        fields = dict(field.split("=", 1) for field in line.split(","))
        found[int(name.removeprefix("db"))] = Keys(int(fields["keys"]), int(fields["expires"]))
    return found


def check(manifest: Manifest, loaded: Mapping[int, Keys]) -> str:
    """Hold what a server loaded to what was seen in the dump, and say what was compared.

    The manifest counts the first database alone; of the others it knows which there were.
    """
    total = sum(one.keys for one in loaded.values())
    first = manifest.invariants.get("first_database")
    if first is None:
        return f"{total} keys were loaded; the backup does not say how many there were."
    found = loaded.get(first["index"], Keys(0, 0))
    if (found.keys, found.expiring) != (first["keys"], first["expiring"]):
        raise Damaged(
            f"Backup {manifest.id} of {manifest.source} loads {found.keys} keys, {found.expiring} of which expire, into"
            f" database {first['index']}; {first['keys']} were in it, {first['expiring']} of which expired."
        )
    others = sorted(set(loaded) - {first["index"]})
    if others:
        return f"{found.keys} keys in database {first['index']}, as in the backup; {total - found.keys} keys in others."
    return f"{found.keys} keys, {found.expiring} of which expire, as in the backup."


def read(task: Task, paths: Paths) -> list[str]:
    """Have Redis' own checker read every value of the dump, and its checksum."""
    place = scratch.Place(memory=_memory(task, paths), mounts={INSIDE: paths[redis.DUMP]})
    said = scratch.program(task, _image(task), place, ["redis-check-rdb", INSIDE])
    counted = _READ.search(said)
    if counted is None:
        raise ComposeOpsError(
            f"redis-check-rdb said nothing that is known: {said.strip()[-500:]}",
            "Look at the image; nothing is known of the backup.",
        )
    return [f"redis-check-rdb read all {counted['keys']} keys and the checksum."]


def restore(task: Task, paths: Paths) -> list[str]:
    """Load the dump and compare its keys."""
    place = scratch.Place(memory=_memory(task, paths), mounts={INSIDE: paths[redis.DUMP]})
    available = capacity.available_memory(files.read_text("/proc/meminfo") or "")
    capacity.require("Memory", free=available, needed=place.memory)
    with (
        task.watch.step("restore"),
        scratch.container(task, _image(task), place, "redis-server", ARGUMENTS) as container,
    ):
        server = redis_scratch.Server(task.runner, container)
        try:
            server.wait("load the backup", task.deadline, lambda: server.info("persistence").get("loading") == "0")
        except ComposeOpsError as error:
            why = scratch.died(task, container)
            if not why or why.startswith("out of memory"):
                raise
            raise Damaged(f"Redis does not load backup {task.manifest.id} of {task.source.name}: {why}") from error
        compared = check(task.manifest, parse(server.info("keyspace")))
        if server.command("PING").strip() != "PONG":
            raise ComposeOpsError("The throw-away Redis does not answer.", "Look at the load of this host.")
    return [f"A Redis of the same image loaded it: {compared}"]


def _memory(task: Task, paths: Paths) -> int:
    size = os.path.getsize(paths[redis.DUMP])
    return 2 * max(int(task.manifest.origin.get("used_memory", size)), size) + SPARE


def _image(task: Task) -> str:
    return images.require(task.runner, task.manifest.origin, task.left)


VERIFIER = Verifier(read, restore, lambda task: images.name(task.manifest.origin))
