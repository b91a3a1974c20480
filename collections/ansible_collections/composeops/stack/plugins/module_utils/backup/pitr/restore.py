# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Restores a whole PostgreSQL to a moment: recovered beside the data that serves, then swapped."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from ansible_collections.composeops.stack.plugins.module_utils.backup import file_swap
from ansible_collections.composeops.stack.plugins.module_utils.backup.file_swap import NEW, Journal
from ansible_collections.composeops.stack.plugins.module_utils.backup.pitr import base, scratch, server
from ansible_collections.composeops.stack.plugins.module_utils.backup.pitr.recovery import Recovery
from ansible_collections.composeops.stack.plugins.module_utils.backup.pitr.scratch import Recovered, Scratch
from ansible_collections.composeops.stack.plugins.module_utils.backup.restorer import Job, Outcome, Restorer
from ansible_collections.composeops.stack.plugins.module_utils.backup.sources import (
    postgres,
    postgres_place,
    redis_place,
)
from ansible_collections.composeops.stack.plugins.module_utils.backup.sources import postgres_sql as names
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.io.docker import Docker

DEFAULT_DIRECTORY = "/var/lib/postgresql/data"
ASIDE = "pgsql_tmp.composeops-before-"
"""What the old data's directory is called, inside the data directory, so that moves are renames. pg_basebackup leaves
out every name that begins like this, wherever it is."""
PROGRAM = "postgres"
START_SECONDS = 600
POLL_SECONDS = 0.5

# Every name in the data directory and in the new one, but for what restores have put there.
_NAMES = f"""\
set -eu
cd "$1"
ls -A . "{NEW}" | sed -e '/^$/d' -e '/:$/d' -e '/^pgsql_tmp/d' -e '/^{NEW.replace(".", "[.]")}$/d' | sort -u
"""


def directory(container: Mapping[str, Any]) -> str:
    """Return the data directory of a server; one that does not start, which a restore may be for, cannot be asked."""
    variables = dict(item.partition("=")[::2] for item in container["Config"].get("Env") or ())
    return variables.get("PGDATA") or DEFAULT_DIRECTORY


def server_options(container: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the settings that the stack gives the server on its command line."""
    command = container["Config"].get("Cmd") or []
    return tuple(command[1:]) if command[:1] == [PROGRAM] else ()


def examine(job: Job) -> list[str]:
    """Refuse what cannot succeed, and say what would be done."""
    container = _container(job)
    check_version(job, container)
    recovery = _recovery(job)
    service = f"{job.source.service} of stack {job.source.stack}"
    return [
        f"Fetch {len(recovery.files)} segments of the write-ahead log.",
        f"Recover to {recovery} in a throw-away server beside {service}, and read every table.",
        f"Stop {service}, move its files to {directory(container)}/{_aside(job)} and the recovered ones in, start it.",
    ]


def check_version(job: Job, container: Mapping[str, Any]) -> None:
    """Refuse an image of another major version where its name tells: files are of one version alone."""
    variables = dict(item.partition("=")[::2] for item in container["Config"].get("Env") or ())
    had, has = str(job.manifest.origin["server_version_num"] // 10000), variables.get("PG_MAJOR", "")
    if has and has != had:
        raise ComposeOpsError(
            f"Backup {job.manifest.id} is of PostgreSQL {had}; {job.source.service} runs {has}.",
            f"Deploy PostgreSQL {had} first; a newer one reads dumps, sources of type postgres, only.",
        )


def replaced(job: Job) -> str:
    """Say which tables of any database have rows."""
    try:
        place = postgres_place.of(job.source, job.runner)
        listed = postgres.script(job.runner, place, job.source.database, names.DATABASES, timeout=_left(job))
        return postgres.filled(job.runner, place, listed.split("\n")[:-1], timeout=_left(job))
    except ComposeOpsError as error:
        return f"what service {job.source.service} holds is not known ({error.message})"


def apply(job: Job, paths: Mapping[str, str]) -> Outcome:
    """Restore; where anything fails, the server runs on its old files."""
    container, recovery = _container(job), _recovery(job)
    check_version(job, container)
    place = Scratch(
        source=job.source,
        runner=job.runner,
        image=str(container["Image"]),
        access=("--volumes-from", str(container["Id"])),
        parent=directory(container),
        new=NEW,
        name=file_swap.helper_name(job.source),
        options=server_options(container),
    )
    owner = place.unpack(paths[base.BASE], 2 * int(job.manifest.origin["bytes"]) + recovery.bytes, _left(job))
    with place.recovered(owner, job.log, scratch.up_to(recovery.target), job.deadline) as recovered:
        notes = _judge(job, recovery, recovered)
        _set_password(job, recovered)
    listed = file_swap.in_volumes(job.runner, job.source, container, _NAMES, [place.parent])
    journal = Journal(place.parent, tuple(listed.splitlines()), _aside(job))
    file_swap.swap(job.runner, job.source, container, journal, job.state)
    try:
        _wait_until_serving(job, recovery)
    except BaseException:
        file_swap.undo(job.runner, job.source, container, journal, job.state)
        raise
    file_swap.done(job.source, job.state)
    inside = f"docker exec {str(container['Name']).lstrip('/')}"
    return Outcome(
        kept=f"{place.parent}/{journal.aside} in the volume of {job.source.service}",
        removal=f"{inside} rm -r {place.parent}/{journal.aside}",
        notes=(*notes, "What is written from now on is a new timeline: composeops-wal asks for a new base backup."),
    )


def _judge(job: Job, recovery: Recovery, recovered: Recovered) -> list[str]:
    """Hold what was recovered to what was wanted, and read all of it."""
    reached = recovered.reached()
    if reached["system_identifier"] != recovery.base.system:
        raise ComposeOpsError(
            f"The base backup is of cluster {reached['system_identifier']}, its manifest of {recovery.base.system}.",
            "Choose another backup.",
        )
    last = reached["last_transaction"]
    if last is not None and recovery.target is not None and datetime.fromisoformat(last) > recovery.target:
        raise ComposeOpsError(f"The server recovered beyond {recovery}, to {last}.", "Report this.")
    counted = recovered.rows(reached["databases"], _left(job))
    rows = sum(sum(tables.values()) for tables in counted.values())
    tables = sum(len(found) for found in counted.values())
    return [
        f"Recovered to {recovery}; the last transaction is of {last or 'before the base backup ended'}.",
        f"{rows} rows in {tables} tables of {len(counted)} databases could be read.",
    ]


def _set_password(job: Job, recovered: Recovered) -> None:
    """Give the stack's user the password that the stack has now: a stack deployed anew has new ones."""
    secret = postgres.password(job.source)
    if secret:
        statement = f"ALTER ROLE {names.identifier(job.source.user)} PASSWORD {names.literal(secret)};"
        recovered.ask(f"SET log_statement = 'none';\n{statement}", timeout=60)


def _wait_until_serving(job: Job, recovery: Recovery) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        with contextlib.suppress(ComposeOpsError):
            place = postgres_place.of(job.source, job.runner)
            if server.observe(job.runner, place).system == recovery.base.system:
                return
        if time.monotonic() > deadline:
            raise ComposeOpsError(
                f"Service {job.source.service} does not serve on the recovered files.",
                "Look at its logs; it is started on its old files again.",
            )
        time.sleep(POLL_SECONDS)


def _container(job: Job) -> Mapping[str, Any]:
    found = Docker(job.runner).containers(job.source.stack, job.source.service)
    if not found:
        raise ComposeOpsError(
            f"Service {job.source.service} of stack {job.source.stack} has no container.",
            "Deploy the stack first (playbooks/deploy.yml); it may be empty.",
        )
    where = directory(found[0])
    if not redis_place.on_volume(where, found[0]["Mounts"]):
        raise ComposeOpsError(
            f"Service {job.source.service} of stack {job.source.stack} keeps its data in {where}, not on a volume.",
            "Give it a volume there and deploy, then restore.",
        )
    return found[0]


def _recovery(job: Job) -> Recovery:
    assert job.recovery is not None
    return job.recovery


def _aside(job: Job) -> str:
    return f"{ASIDE}{job.stamp}"


def _left(job: Job) -> float:
    return max(1.0, job.deadline - time.monotonic())


RESTORER = Restorer(examine, apply, replaced)
