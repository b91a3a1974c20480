# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Restores a MongoDB database: into collections of new names, held to the manifest's counts, then renamed into place.

A dump of a replica set is the exception: its log of writes can be replayed only under the names it was written with, so
the collections are replaced where they are.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping

from ansible_collections.composeops.stack.plugins.module_utils.backup import capacity, report
from ansible_collections.composeops.stack.plugins.module_utils.backup.manifest import Manifest
from ansible_collections.composeops.stack.plugins.module_utils.backup.process import feed
from ansible_collections.composeops.stack.plugins.module_utils.backup.restorer import Job, Outcome, Restorer
from ansible_collections.composeops.stack.plugins.module_utils.backup.sources import mongo, mongo_names
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.io.docker import Docker
from ansible_collections.composeops.stack.plugins.module_utils.io.mongo import MongoClient

DATA = "/data/db"
OWN_DATABASES = ("admin", "config", "local")
"""What a server keeps for itself."""


def check_server(manifest: Manifest, version: str, replica_set: bool) -> None:
    """Refuse a server that cannot take the backup: of an older major version, or alone where the dump has a log."""
    had, has = (int(text.split(".")[0]) for text in (manifest.origin["server_version"], version))
    if has < had:
        raise ComposeOpsError(
            f"Backup {manifest.id} is of MongoDB {had}; the server is {has}.", f"Deploy MongoDB {had} or newer."
        )
    if manifest.origin["oplog"] and not replica_set:
        raise ComposeOpsError(
            f"Backup {manifest.id} is of a replica set; this server is none.", "Begin the replica set first."
        )


def restore_options(manifest: Manifest, stamp: str) -> list[str]:
    """Return mongorestore's options: what it takes out of the archive, and what it calls it."""
    if manifest.origin["oplog"]:
        return ["--drop", "--stopOnError", "--oplogReplay", "--nsExclude=admin.*", "--nsExclude=config.*"]
    database = manifest.origin["database"]
    views = [f"--nsExclude={database}.{view}" for view in manifest.origin["views"]]
    renamed = [f"--nsFrom={database}.*", f"--nsTo={database}.{mongo_names.new_prefix(stamp)}*"]
    return ["--drop", "--stopOnError", f"--nsInclude={database}.*", *views, *renamed]


def examine(job: Job) -> list[str]:
    """Refuse what cannot succeed, and say what would be done."""
    container, client_of = _target(job)
    with client_of as client:
        _check(job, client)
    _require_room(job, container)
    database = job.source.database
    if job.manifest.origin["oplog"]:
        return [
            f"Replace the collections of {database}, and of every other database of the backup, where they are: "
            "clients see a part of them until it ends."
        ]
    new, aside = mongo_names.new_prefix(job.stamp), mongo_names.aside_prefix(job.stamp)
    return [
        f"Restore into new collections {new}* of {database}, and compare their documents with the manifest.",
        f"Rename each collection of {database} to {aside}*, and the restored one to its name.",
    ]


def apply(job: Job, paths: Mapping[str, str]) -> Outcome:
    """Restore; where anything fails before the end, the collections that were there serve."""
    container, client_of = _target(job)
    with client_of as client:
        notes = mongo.recover(client, job.source.database)
        _check(job, client)
        _require_room(job, container)
        if job.manifest.origin["oplog"]:
            _feed(job, container, paths)
            return Outcome(kept="", removal="", notes=(*notes, "The log of writes was replayed to the dump's end."))
        return _restore(job, client, container, paths, notes)


def replaced(job: Job) -> str:
    """Say which collections have documents."""
    _container, client_of = _target(job)
    with client_of as client:
        filled = [
            f"{database}.{entry['name']}"
            for database in _replaced_databases(job, client)
            for entry in mongo.collections(client, database)
            if mongo_names.is_data(entry) and client.command(database, {"count": entry["name"]})["n"]
        ]
    return f"{report.some(filled)} {'has' if len(filled) == 1 else 'have'} documents" if filled else ""


def _replaced_databases(job: Job, client: MongoClient) -> list[str]:
    """A dump with its log is of every database of its replica set."""
    if not job.manifest.origin["oplog"]:
        return [job.source.database]
    listed = client.command("admin", {"listDatabases": 1, "nameOnly": True})["databases"]
    return [str(one["name"]) for one in listed if one["name"] not in OWN_DATABASES]


def _restore(job: Job, client: MongoClient, container: str, paths: Mapping[str, str], notes: list[str]) -> Outcome:
    database, prefix = job.source.database, mongo_names.new_prefix(job.stamp)
    done: list[mongo_names.Rename] = []
    try:
        _feed(job, container, paths)
        counted = _counted(client, database, prefix)
        mongo_names.check_documents(job.manifest, counted)
        there = [str(entry["name"]) for entry in mongo.collections(client, database) if mongo_names.is_data(entry)]
        for one in mongo_names.swap(there, counted, job.stamp):
            mongo.rename(client, database, [one])
            done.append(one)
    except BaseException:
        _take_back(client, database, prefix, done)
        raise
    aside = mongo_names.aside_prefix(job.stamp)
    notes = [*notes, f"{sum(counted.values())} documents in {len(counted)} collections, as in the backup."]
    notes.append(f"The backup was {job.manifest.origin['consistency']}.")
    if job.manifest.origin["views"]:
        notes.append(f"Views are left as they are: {', '.join(job.manifest.origin['views'])}.")
    if not there:
        return Outcome(kept="", removal="", notes=tuple(notes))
    inside = f'db.getCollectionNames().filter(n => n.startsWith("{aside}")).forEach(n => db.getCollection(n).drop())'
    return Outcome(kept=f"collections {aside}* of {database}", removal=inside, notes=tuple(notes))


def _take_back(client: MongoClient, database: str, prefix: str, done: list[mongo_names.Rename]) -> None:
    """Put the collections that were there back in place; what cannot be taken back is finished by the next run."""
    with contextlib.suppress(ComposeOpsError):
        mongo.rename(client, database, [(new, old) for old, new in reversed(done)])
        for entry in mongo.collections(client, database):
            if str(entry["name"]).startswith(prefix):
                client.command(database, {"drop": entry["name"]})


def _counted(client: MongoClient, database: str, prefix: str) -> dict[str, int]:
    names = [str(entry["name"]) for entry in mongo.collections(client, database)]
    restored = [name for name in names if name.startswith(prefix)]
    return {name[len(prefix) :]: int(client.command(database, {"count": name})["n"]) for name in restored}


def _feed(job: Job, container: str, paths: Mapping[str, str]) -> None:
    ((name, path),) = paths.items()
    options = [*restore_options(job.manifest, job.stamp), *["--gzip"] * name.endswith(mongo.COMPRESSED)]
    argv = mongo.tool(job.source, container, "mongorestore", *options)
    purpose = f"mongorestore of {job.source.database}"
    feed(argv, path, purpose=purpose, secret=mongo.secret(job.source), deadline=job.deadline)


def _target(job: Job) -> tuple[str, contextlib.AbstractContextManager[MongoClient]]:
    source = job.source
    found = Docker(job.runner).running_container(source.stack, source.service)
    return str(found["Id"]), mongo.session(source, found, job.deadline)


def _check(job: Job, client: MongoClient) -> None:
    manifest, source = job.manifest, job.source
    if manifest.origin["database"] != source.database:
        raise ComposeOpsError(
            f"Backup {manifest.id} is of database {manifest.origin['database']}; {source.name} is {source.database}.",
            "Name the source that backs it up.",
        )
    hello = client.command("admin", {"hello": 1})
    check_server(manifest, str(client.command("admin", {"buildInfo": 1})["version"]), bool(hello.get("setName")))


def _require_room(job: Job, container: str) -> None:
    left = max(1.0, job.deadline - time.monotonic())
    df = Docker(job.runner).execute(container, ["df", "-Pk", DATA], timeout=left)
    capacity.require("The database's disk", free=capacity.free_bytes(df.stdout), needed=job.manifest.origin["bytes"])


RESTORER = Restorer(examine, apply, replaced)
