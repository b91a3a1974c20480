# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Backs up a MongoDB in a container with its own mongodump.

Only a replica set has the log of writes that makes a dump one moment of all collections (``--oplog``). Without it a
dump is called what it is, not a consistent snapshot: each collection is as it was when mongodump came to it.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.composeops.stack.plugins.module_utils.backup import images, layout, status
from ansible_collections.composeops.stack.plugins.module_utils.backup.model import Source
from ansible_collections.composeops.stack.plugins.module_utils.backup.process import Process
from ansible_collections.composeops.stack.plugins.module_utils.backup.producer import Production, Stream
from ansible_collections.composeops.stack.plugins.module_utils.backup.sources import mongo_names
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.io import mongo
from ansible_collections.composeops.stack.plugins.module_utils.io.docker import Docker, address
from ansible_collections.composeops.stack.plugins.module_utils.io.runner import Runner
from ansible_collections.composeops.stack.plugins.module_utils.secrets import store

CONSISTENT = "mongodump.archive"
INCONSISTENT = f"{layout.INCONSISTENT}{CONSISTENT}"
COMPRESSED = ".gz"
"""What the names of archives end with in backups of schema 1, which mongodump compressed itself."""

LOGIN_DATABASE = "admin"

# The tools take a password from a file. It is in memory, and has no name any more when they start.
_LOGGING_IN = """\
set -eu
umask 077
IFS= read -r password
file=$(mktemp /dev/shm/composeops.XXXXXXXX)
printf 'password: %s\\n' "$password" > "$file"
exec 3< "$file"
rm -f -- "$file"
exec "$@" --config=/dev/fd/3
"""
OPEN = 'IFS= read -r password; exec "$@"'


def secret(source: Source) -> str:
    """Return what the first line of a tool's input is: the password as YAML, or nothing."""
    return json.dumps(password(source)) if source.user else ""


def password(source: Source) -> str:
    return store.get(source.stack, source.password_secret)


def tool(source: Source, container: str, name: str, *options: str) -> list[str]:
    """Return the command line of a tool in the container, which reads ``secret`` before its own input."""
    login = [f"--username={source.user}", f"--authenticationDatabase={LOGIN_DATABASE}"] if source.user else []
    script = _LOGGING_IN if source.user else OPEN
    argv = [name, "--host=127.0.0.1", f"--port={source.port}", *login, "--archive", *options]
    return ["docker", "exec", "--interactive", container, "sh", "-c", script, "sh", *argv]


def dump_options(source: Source, replica_set: bool) -> list[str]:
    """Return what is dumped: the database, or all of a replica set, of which alone there is one moment."""
    if replica_set:
        return ["--oplog"]
    return [f"--db={source.database}", f"--excludeCollectionsWithPrefix={mongo_names.OURS}"]


@contextlib.contextmanager
def session(source: Source, container: Mapping[str, Any], deadline: float) -> Iterator[mongo.MongoClient]:
    """Give a connection to the server, logged in, for the block."""
    with mongo.connected(address(container), source.port, deadline=deadline) as client:
        if source.user:
            client.log_in(source.user, password(source), LOGIN_DATABASE)
        yield client


def collections(client: mongo.MongoClient, database: str) -> list[dict[str, Any]]:
    """Return the entries of listCollections."""
    return list(client.documents(database, {"listCollections": 1}))


@contextlib.contextmanager
def produce(source: Source, runner: Runner, deadline: float) -> Iterator[Production]:
    """Look at the database and hand out its dump."""
    found = Docker(runner).running_container(source.stack, source.service)
    with session(source, found, deadline) as client:
        recover(client, source.database)
        replica_set = bool(client.command("admin", {"hello": 1}).get("setName"))
        listed = collections(client, source.database)
        size = int(client.command(source.database, {"dbStats": 1}).get("dataSize") or 0)
        version = str(client.command("admin", {"buildInfo": 1})["version"])
    series = sorted(str(entry["name"]) for entry in listed if entry.get("type") == "timeseries")
    if series:
        raise ComposeOpsError(
            f"{source.database} has time series ({', '.join(series)}), which a restore could not put in place.",
            "Back them up by another way, and keep them in a database of their own.",
        )
    dump = _Dump(tool(source, str(found["Id"]), "mongodump", *dump_options(source, replica_set)), source, deadline)
    yield Production(
        streams=(Stream(CONSISTENT if replica_set else INCONSISTENT, size, dump.open),),
        origin={
            "server_version": version,
            "database": source.database,
            "bytes": size,
            "oplog": replica_set,
            "consistency": "one moment" if replica_set else status.INCONSISTENT,
            "views": sorted(str(entry["name"]) for entry in listed if entry.get("type") == "view"),
            **images.origin(runner, str(found["Image"])),
        },
        invariants=dump.invariants,
    )


def recover(client: mongo.MongoClient, database: str) -> list[str]:
    """Finish or undo what a killed restore left; return what was done."""
    names = {str(entry["name"]) for entry in collections(client, database)}
    renames, dropped = mongo_names.interrupted(names)
    rename(client, database, renames)
    for name in dropped:
        client.command(database, {"drop": name})
    finished = ["Finished an interrupted restore: the last collections were put in place."] if renames else []
    undone = ["Removed what an interrupted restore had not put in place yet."] if dropped else []
    return finished + undone


def rename(client: mongo.MongoClient, database: str, renames: list[mongo_names.Rename]) -> None:
    for old, new in renames:
        client.command("admin", {"renameCollection": f"{database}.{old}", "to": f"{database}.{new}"})


class _Dump:
    """Starts mongodump and keeps what it said."""

    def __init__(self, argv: list[str], source: Source, deadline: float) -> None:
        self._argv = argv
        self._source = source
        self._deadline = deadline
        self._process: Process | None = None

    def open(self) -> Process:
        purpose = f"mongodump of {self._source.database}"
        self._process = Process(self._argv, purpose=purpose, secret=secret(self._source), deadline=self._deadline)
        return self._process

    def invariants(self) -> Mapping[str, Any]:
        assert self._process is not None
        beginning = f"{self._source.database}."
        counted = mongo_names.dumped(self._process.said())
        return {"documents": {name[len(beginning) :]: n for name, n in counted.items() if name.startswith(beginning)}}
