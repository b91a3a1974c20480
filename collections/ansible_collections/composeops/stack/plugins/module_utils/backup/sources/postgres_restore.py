# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Restores a PostgreSQL database: into a new one, held to the manifest's counts, then swapped in by renaming."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Mapping
from typing import Any

from ansible_collections.composeops.stack.plugins.module_utils.backup import capacity
from ansible_collections.composeops.stack.plugins.module_utils.backup.damage import Damaged
from ansible_collections.composeops.stack.plugins.module_utils.backup.manifest import Manifest
from ansible_collections.composeops.stack.plugins.module_utils.backup.restorer import Job, Outcome, Restorer
from ansible_collections.composeops.stack.plugins.module_utils.backup.sources import (
    postgres,
    postgres_load,
    postgres_place,
)
from ansible_collections.composeops.stack.plugins.module_utils.backup.sources import postgres_sql as sql
from ansible_collections.composeops.stack.plugins.module_utils.backup.sources.postgres_place import Place
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.io.docker import Docker

MAJOR = 10000
SWAP_SECONDS = 90


class _Server:
    """The server a job restores to, asked through psql in its container."""

    def __init__(self, job: Job, place: Place | None = None) -> None:
        self._job = job
        self.place = place or postgres_place.of(job.source, job.runner)
        # The database that is restored may not exist any more, and is never connected to while it is swapped.
        self.maintenance = "template1" if job.source.database == "postgres" else "postgres"

    def run(self, text: str, database: str = "") -> str:
        timeout = max(1.0, self._job.deadline - time.monotonic())
        return postgres.script(self._job.runner, self.place, database or self.maintenance, text, timeout=timeout)

    def facts(self) -> dict[str, Any]:
        return dict(json.loads(self.run(sql.SERVER)))

    def require_space(self, needed: int) -> None:
        """Raise where the disk of the database is too small; of a server elsewhere, whoever runs it knows."""
        if self.place.container:
            capacity.require("The database's disk", free=self._free_bytes(), needed=needed)

    def _free_bytes(self) -> int:
        directory = self.run("SHOW data_directory;\n").strip()
        df = Docker(self._job.runner).execute(self.place.container, ["df", "-Pk", directory])
        return capacity.free_bytes(df.stdout)


def check_server(manifest: Manifest, facts: Mapping[str, Any]) -> None:
    """Refuse a server that cannot hold the backup: an older major version, or one without an extension."""
    had, has = manifest.origin["server_version_num"] // MAJOR, facts["server_version_num"] // MAJOR
    if has < had:
        raise ComposeOpsError(
            f"Backup {manifest.id} is of PostgreSQL {had}; the server is {has}.", f"Deploy PostgreSQL {had} or newer."
        )
    missing = sorted(set(manifest.origin.get("extensions") or ()) - set(facts["extensions"] or ()))
    if missing:
        raise ComposeOpsError(
            f"Backup {manifest.id} uses extensions that the server does not have: {', '.join(missing)}.",
            "Deploy an image that has them.",
        )


def check_rows(manifest: Manifest, counted: Mapping[str, int]) -> None:
    """Hold a restored database to the rows that were counted in the snapshot it was dumped from."""
    wanted = manifest.invariants["rows"]
    wrong = [
        f"{table} has {counted.get(table, 'no table')} instead of {wanted.get(table, 'no table')}"
        for table in sorted({*wanted, *counted})
        if counted.get(table) != wanted.get(table)
    ]
    if wrong:
        raise Damaged(
            f"The restored database is not what was backed up: {'; '.join(wrong)}.",
            "Choose another backup; the database that was there still serves.",
        )


def examine(job: Job) -> list[str]:
    """Refuse what cannot succeed, and say what would be done."""
    server = _Server(job)
    facts = server.facts()
    check_server(job.manifest, facts)
    server.require_space(job.manifest.origin["bytes"])
    database = job.source.database
    new = sql.new_name(database)
    sentences = [
        f"Restore into the new database {new}, analyse it, and compare the rows of every table with the manifest."
    ]
    if database in facts["databases"]:
        sentences.append(
            f"In one transaction, end the sessions of {database}, keep it as {sql.aside_name(database, job.stamp)}, "
            f"and rename {new} to {database}."
        )
    else:
        sentences.append(f"Rename {new} to {database}, which does not exist.")
    return sentences


def replaced(job: Job) -> str:
    """Say which tables of the database have rows."""
    server = _Server(job)
    if job.source.database not in server.facts()["databases"]:
        return ""
    left = max(1.0, job.deadline - time.monotonic())
    return postgres.filled(job.runner, server.place, [job.source.database], timeout=left)


def apply(job: Job, paths: Mapping[str, str]) -> Outcome:
    """Restore; where anything fails, the database that was there still serves."""
    return restore_at(job, paths, postgres_place.of(job.source, job.runner))


def restore_at(job: Job, paths: Mapping[str, str], place: Place) -> Outcome:
    """Restore into the server at ``place``, which may be another than the source's own."""
    server = _Server(job, place)
    facts = server.facts()
    check_server(job.manifest, facts)
    server.require_space(job.manifest.origin["bytes"])
    database, new = job.source.database, sql.new_name(job.source.database)
    with open(paths[postgres.GLOBALS], encoding="utf-8") as stream:
        roles = sql.missing_roles(stream.read(), facts["roles"])
    if roles:
        server.run(roles)
    server.run(sql.drop_database(new))
    server.run(sql.create_database(new, job.manifest.origin))
    try:
        rows, jobs = _fill(job, server, new, paths[postgres.DUMP])
        aside = sql.aside_name(database, job.stamp) if database in facts["databases"] else None
        _swap(server, sql.swap(database, new, aside, job.manifest.origin), sql.end_sessions(database, new))
    except BaseException:
        with contextlib.suppress(ComposeOpsError):
            server.run(sql.drop_database(new))
        raise
    notes = [f"{sum(rows.values())} rows in {len(rows)} tables, as in the backup."]
    if jobs > 1:
        notes.append(f"Loaded by {jobs} jobs at once.")
    if roles:
        notes.append("Roles that were missing were made, with the passwords they had.")
    if aside is None:
        return Outcome(kept="", removal="", notes=tuple(notes))
    return Outcome(
        kept=f"database {aside}",
        removal=f"{sql.drop_database(aside).strip()} in database {server.maintenance} of {server.place}",
        notes=tuple(notes),
    )


def _fill(job: Job, server: _Server, new: str, dump: str) -> tuple[dict[str, int], int]:
    jobs = postgres_load.load(job.runner, server.place, new, dump, deadline=job.deadline)
    server.run("ANALYZE;\n", new)
    timeout = max(1.0, job.deadline - time.monotonic())
    rows = postgres.rows(job.runner, server.place, new, timeout=timeout)
    check_rows(job.manifest, rows)
    return rows, jobs


def _swap(server: _Server, transaction: str, end_sessions: str) -> None:
    """Run the swap; while it waits for the old database's sessions to go, a second session ends them."""
    helper = threading.Thread(target=_quietly, args=(server, end_sessions), daemon=True)
    helper.start()
    try:
        server.run(transaction)
    finally:
        helper.join(SWAP_SECONDS)


def _quietly(server: _Server, text: str) -> None:
    """Whether the sessions ended is told by the swap itself, which fails where they did not."""
    with contextlib.suppress(ComposeOpsError):
        server.run(text)


RESTORER = Restorer(examine, apply, replaced)
