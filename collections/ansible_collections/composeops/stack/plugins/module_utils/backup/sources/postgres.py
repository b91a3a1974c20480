# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Backs up one database of a PostgreSQL, in a container of this host or elsewhere: a dump, and the roles it needs.

The rows are counted in the very snapshot that is dumped, so a restore can be held to those numbers exactly.
"""

from __future__ import annotations

import contextlib
import json
import secrets
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from ansible_collections.composeops.stack.plugins.module_utils.backup import container as containers
from ansible_collections.composeops.stack.plugins.module_utils.backup import images, report
from ansible_collections.composeops.stack.plugins.module_utils.backup.model import Source
from ansible_collections.composeops.stack.plugins.module_utils.backup.process import Process
from ansible_collections.composeops.stack.plugins.module_utils.backup.producer import Production, Stream
from ansible_collections.composeops.stack.plugins.module_utils.backup.sources import postgres_place
from ansible_collections.composeops.stack.plugins.module_utils.backup.sources import postgres_sql as sql
from ansible_collections.composeops.stack.plugins.module_utils.backup.sources.postgres_place import Place
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.io.runner import Runner
from ansible_collections.composeops.stack.plugins.module_utils.secrets import store

DUMP = "database.pgdump"
GLOBALS = "globals.sql"

LOCK_WAIT = 300_000
"""Milliseconds that a dump waits for a table someone else has locked; it fails then, and says which."""

COMPRESSION = "0"
"""pg_dump's own zlib is slower and packs less than what comes after it."""

WITHOUT_PASSWORDS = ["--no-role-passwords"]
"""Who runs a server for others lets nobody read them."""

GLOBALS_ESTIMATE = 1024 * 1024


def application(source: Source) -> str:
    """Return the name that the sessions of a source's backup have on the server, where an operator sees them."""
    return f"composeops-backup-{source.name}"


def connection(source: Source) -> str:
    """Return the connection string of a backup's sessions. A database that was not declared can have any name."""
    database = source.database.replace("\\", "\\\\").replace("'", "\\'")
    return f"dbname='{database}' application_name={application(source)}"


def psql(source: Source, database: str) -> list[str]:
    """Return psql's command line for a script on its input: bare values, and an end at the first error."""
    return [
        *("psql", "--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--no-password"),
        *("--set", "ON_ERROR_STOP=1", "--username", source.user, "--dbname", database),
    ]


def password(source: Source) -> str:
    """Return the password of the source's user; empty where the server trusts its own container."""
    if not source.password_secret:
        return ""
    return containers.first_line(store.get(source.stack, source.password_secret))


@contextlib.contextmanager
def produce(source: Source, runner: Runner, deadline: float) -> Iterator[Production]:
    """Hold a snapshot of the database for the block and hand out its dump."""
    place = postgres_place.of(source, runner)
    secret = password(source)

    def dump(program: list[str], purpose: str) -> Process:
        argv = [*program, "--no-password", "--username", source.user, "--dbname", connection(source)]
        told = containers.told(secret, argv)
        return Process(place.stream(), purpose=purpose, secret=told, deadline=deadline)

    snapshot = Process(
        place.command(psql(source, connection(source))),
        purpose=f"Looking at database {source.database}",
        secret=secret,
        deadline=deadline,
    )
    try:
        leftovers = sql.end_sessions_named(application(source))
        answers = _ask(snapshot, sql.CATALOG_ONLY + leftovers + sql.SNAPSHOT + sql.DESCRIBE)()
        name, origin = answers[1], json.loads(answers[2])
        # Counted while it is dumped, which is of the same snapshot.
        counted = _ask(snapshot, sql.COUNT_ROWS)
        options = ["--format=custom", f"--compress={COMPRESSION}", f"--lock-wait-timeout={LOCK_WAIT}"]
        pg_dump = ["pg_dump", *options, f"--snapshot={name}"]
        roles = ["pg_dumpall", "--globals-only", *([] if place.container else WITHOUT_PASSWORDS)]
        streams = (
            Stream(DUMP, int(origin["bytes"]), lambda: dump(pg_dump, f"pg_dump of {source.database}")),
            Stream(GLOBALS, GLOBALS_ESTIMATE, lambda: dump(roles, "pg_dumpall of the roles")),
        )

        def invariants() -> dict[str, Any]:
            return {"rows": {item["table"]: item["rows"] for item in map(json.loads, counted())}}

        yield Production(streams, {**origin, **images.origin(runner, place.image)}, invariants)
    except BaseException:
        # The end of `docker exec` or `docker run` does not end what it ran; the server can.
        with contextlib.suppress(ComposeOpsError):
            script(runner, place, source.database, sql.end_sessions_named(application(source)), timeout=30)
        raise
    finally:
        snapshot.close()


def _ask(session: Process, script: str) -> Callable[[], list[str]]:
    """Have ``script`` run in a session that stays open; return what waits for its end and gives its lines."""
    end = f"end-{secrets.token_hex(8)}"
    session.write(f"{script}\\echo {end}\n")

    def answer() -> list[str]:
        said = b""
        for chunk in session.chunks():
            said += chunk
            if said.endswith(f"{end}\n".encode()):
                return [line for line in said.decode().splitlines()[:-1] if line]
        session.finish()
        raise ComposeOpsError("psql ended before it answered.", "Look at the service's logs.")

    return answer


def rows(runner: Runner, place: Place, database: str, *, timeout: float) -> dict[str, Any]:
    """Return the number of rows of every table of ``database``."""
    answer = script(runner, place, database, sql.CATALOG_ONLY + sql.COUNT_ROWS, timeout=timeout)
    return {item["table"]: item["rows"] for item in map(json.loads, answer.splitlines())}


def filled(runner: Runner, place: Place, databases: Sequence[str], *, timeout: float) -> str:
    """Say which tables of ``databases`` have rows, or nothing."""
    found = [
        f"{database}: {table}"
        for database in databases
        for table in script(runner, place, database, sql.CATALOG_ONLY + sql.FILLED_TABLES, timeout=timeout).splitlines()
        if table
    ]
    return f"there are rows in {report.some(found)}" if found else ""


def script(runner: Runner, place: Place, database: str, text: str, *, timeout: float) -> str:
    """Run SQL to its end and return what it answered."""
    argv = place.command(psql(place.source, database))
    return runner.run(argv, stdin=f"{password(place.source)}\n{text}", timeout=timeout).stdout
