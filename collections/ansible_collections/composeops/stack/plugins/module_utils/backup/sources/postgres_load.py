# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Loads a dump into an empty database, several tables and indexes at once where that can be done.

Each job of pg_restore looks for its part in the dump, which it needs as a file for that. A server's own container has
no file of the host, so the clients run in another of the same image, in its network, where the file is mounted. Whether
the server lets them in there, and is the same one, is asked first; the dump is handed to one job in the server's
container otherwise, as it always can be.
"""

from __future__ import annotations

import os

from ansible_collections.composeops.stack.plugins.module_utils.backup.process import feed
from ansible_collections.composeops.stack.plugins.module_utils.backup.sources import postgres
from ansible_collections.composeops.stack.plugins.module_utils.backup.sources import postgres_sql as sql
from ansible_collections.composeops.stack.plugins.module_utils.backup.sources.postgres_place import (
    MOUNTED,
    Beside,
    Place,
)
from ansible_collections.composeops.stack.plugins.module_utils.io.runner import Runner

MOST_JOBS = 4
"""More gain little, and each takes the server's memory for maintenance once."""
PROBE_SECONDS = 60


def load(runner: Runner, place: Place, database: str, dump: str, *, deadline: float) -> int:
    """Load the file ``dump`` into ``database``, which is empty, and return by how many jobs; raise at an error."""
    argv = ["pg_restore", "--exit-on-error", "--no-tablespaces", "--no-password"]
    argv += ["--username", place.source.user, "--dbname", database]
    purpose, secret = f"pg_restore into {database}", postgres.password(place.source)
    beside = _beside(runner, place, database, dump)
    if beside is None:
        feed(place.command(argv), dump, purpose=purpose, secret=secret, deadline=deadline)
        return 1
    argv += [f"--jobs={jobs()}", os.path.join(MOUNTED, os.path.basename(dump))]
    feed(beside.command(argv), None, purpose=purpose, secret=secret, deadline=deadline)
    return jobs()


def jobs() -> int:
    """Return how many jobs a restore may have on this host."""
    return min(os.cpu_count() or 1, MOST_JOBS)


def _beside(runner: Runner, place: Place, database: str, dump: str) -> Beside | None:
    """Return where clients see the file and reach the very same database, or nothing where they do not."""
    if jobs() == 1:
        return None
    there = postgres.script(runner, place, database, sql.IDENTITY, timeout=PROBE_SECONDS)
    beside = Beside(place, os.path.dirname(dump), port=there.split()[0])
    # Root of the container may be nobody on the host, which an engine with user namespaces makes of it.
    readable = ["sh", "-c", 'test -r "$1" && shift && exec "$@"', "sh", os.path.join(MOUNTED, os.path.basename(dump))]
    seen = runner.run(
        beside.command([*readable, *postgres.psql(place.source, database)]),
        stdin=f"{postgres.password(place.source)}\n{sql.IDENTITY}",
        timeout=PROBE_SECONDS,
        check=False,
    )
    return beside if seen.ok and seen.stdout == there else None
