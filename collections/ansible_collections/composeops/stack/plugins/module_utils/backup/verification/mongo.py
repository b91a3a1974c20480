# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Proves a backup of MongoDB: its archive is read to its end, then restored into a server of the same image.

The restored documents are counted by dumping them again: mongodump says how many it read, as it did for the backup.
"""

from __future__ import annotations

import contextlib
import gzip
import zlib
from collections.abc import Mapping
from dataclasses import replace

from ansible_collections.composeops.stack.plugins.module_utils.backup import images
from ansible_collections.composeops.stack.plugins.module_utils.backup.damage import Damaged
from ansible_collections.composeops.stack.plugins.module_utils.backup.manifest import Manifest
from ansible_collections.composeops.stack.plugins.module_utils.backup.model import Source
from ansible_collections.composeops.stack.plugins.module_utils.backup.process import feed
from ansible_collections.composeops.stack.plugins.module_utils.backup.sources import mongo, mongo_names, mongo_restore
from ansible_collections.composeops.stack.plugins.module_utils.backup.verification import mongo_archive, scratch
from ansible_collections.composeops.stack.plugins.module_utils.backup.verification.verifier import (
    Paths,
    Task,
    Unjudged,
    Verifier,
)
from ansible_collections.composeops.stack.plugins.module_utils.io.bson import BsonError
from ansible_collections.composeops.stack.plugins.module_utils.io.docker import Docker

DISK_FACTOR = 2.0
SERVER = scratch.Place(
    memory=1024 * scratch.MEBIBYTE,
    mounts={},
    # What the image's entry point needs to own the data directory and to become another user.
    capabilities=("CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID"),
    user="",
    read_only=False,
)

_PING = """\
for shell in mongosh mongo; do
  if command -v "$shell" > /dev/null; then exec "$shell" --quiet --norc --eval 'db.runCommand("ping").ok' "$1"; fi
done
exit 1
"""
_GZIP = b"\x1f\x8b"


def read(task: Task, paths: Paths) -> list[str]:
    """Read the archive to its end, and compare the documents of every collection."""
    manifest = task.manifest
    try:
        path = paths[manifest.objects[0].name]
        with gzip.open(path) if _packed(path) else open(path, "rb") as stream:
            counted = mongo_archive.documents(stream)
    except mongo_archive.NoArchive as error:
        raise Unjudged(
            f"The archive of backup {manifest.id} cannot be judged by reading it: {error}.",
            "Restore it in a drill (level 3); nothing is known of the backup.",
        ) from error
    except (mongo_archive.Cut, BsonError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise Damaged(f"The archive of backup {manifest.id} cannot be read to its end: {error}.") from error
    check(manifest, counted)
    total = sum(counted.values())
    return [f"All {total} documents of the archive were read; each collection has as many as mongodump wrote."]


def check(manifest: Manifest, counted: Mapping[str, int]) -> None:
    """Hold the documents of the database to those that mongodump said it wrote."""
    beginning = f"{manifest.origin['database']}."
    wanted = manifest.invariants["documents"]
    found = {name[len(beginning) :]: count for name, count in counted.items() if name.startswith(beginning)}
    # Views, and what is empty, are described without being counted.
    mongo_names.check_documents(manifest, {name: count for name, count in found.items() if count or name in wanted})


def _packed(path: str) -> bool:
    """Whether mongodump compressed an archive itself, as it did for backups of schema 1."""
    with open(path, "rb") as stream:
        return stream.read(len(_GZIP)) == _GZIP


def restore(task: Task, paths: Paths) -> list[str]:
    """Restore into an empty server, and compare the documents of every collection."""
    manifest = task.manifest
    image = images.require(task.runner, manifest.origin, task.left)
    scratch.require_room(task, int(DISK_FACTOR * manifest.origin["bytes"]))
    # The server is empty and alone: it asks for no login.
    source = replace(task.source, user="", password_secret="")
    with contextlib.ExitStack() as stack:
        with task.watch.step("start"):
            served = ["mongod", "--bind_ip", "127.0.0.1", "--port", str(source.port)]
            container = stack.enter_context(scratch.container(task, image, SERVER, "", served))
            _wait_until_ready(task, source, container)
        with scratch.judged(task, container):
            with task.watch.step("restore"):
                argv = mongo.tool(source, container, "mongorestore", *restore_options(manifest))
                path = paths[manifest.objects[0].name]
                feed(
                    [*argv, *(["--gzip"] if _packed(path) else [])],
                    path,
                    purpose="mongorestore",
                    secret="",
                    deadline=task.deadline,
                )
            with task.watch.step("count"):
                counted = _counted(task, source, container)
    if manifest.origin["oplog"]:
        # Documents were written while it was dumped, and the log brings them back: there is no count to compare with.
        return [f"mongorestore restored {len(counted)} collections and replayed the log of writes to the dump's end."]
    check(manifest, counted)
    total = sum(counted.values())
    return [f"{total} documents were restored; each collection has as many as mongodump wrote."]


def restore_options(manifest: Manifest) -> list[str]:
    """Return mongorestore's options: everything under the name it had, views left out as in a restore."""
    if manifest.origin["oplog"]:
        return mongo_restore.restore_options(manifest, "")
    database = manifest.origin["database"]
    views = [f"--nsExclude={database}.{view}" for view in manifest.origin["views"]]
    return ["--stopOnError", f"--nsInclude={database}.*", *views]


def _counted(task: Task, source: Source, container: str) -> dict[str, int]:
    """Dump what was restored into nothing, and return how many documents of each collection there were."""
    database = task.manifest.origin["database"]
    argv = mongo.tool(source, container, "mongodump", f"--db={database}")
    # The password that nobody asks for is the first line of its input.
    discarding = [*argv[: argv.index("-c") + 1], f"{{ {mongo.OPEN} ; }} > /dev/null", *argv[argv.index("-c") + 2 :]]
    said = task.runner.run(discarding, stdin="\n", timeout=task.left)
    return mongo_names.dumped(said.stderr)


def _wait_until_ready(task: Task, source: Source, container: str) -> None:
    ping = ["sh", "-c", _PING, "sh", f"127.0.0.1:{source.port}"]
    scratch.wait_until(task, container, "MongoDB", lambda: Docker(task.runner).execute(container, ping, check=False).ok)


VERIFIER = Verifier(read, restore, lambda task: images.name(task.manifest.origin))
