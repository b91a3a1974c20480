# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Proves a backup of a PostgreSQL database: restored by the way of every restore, into a server of the same image.

The server has a superuser of its own, so that every role of the backup is made there, with the password it had.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.composeops.stack.plugins.module_utils.backup import images
from ansible_collections.composeops.stack.plugins.module_utils.backup.damage import Damaged
from ansible_collections.composeops.stack.plugins.module_utils.backup.restorer import Job
from ansible_collections.composeops.stack.plugins.module_utils.backup.sources import postgres, postgres_restore
from ansible_collections.composeops.stack.plugins.module_utils.backup.sources import postgres_sql as sql
from ansible_collections.composeops.stack.plugins.module_utils.backup.sources.postgres_place import Place
from ansible_collections.composeops.stack.plugins.module_utils.backup.verification import postgres_roles, scratch
from ansible_collections.composeops.stack.plugins.module_utils.backup.verification.postgres_roles import Role
from ansible_collections.composeops.stack.plugins.module_utils.backup.verification.verifier import Paths, Task, Verifier
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.io.docker import Docker
from ansible_collections.composeops.stack.plugins.module_utils.io.runner import Runner

SUPERUSER = "composeops_drill"
DISK_FACTOR = 1.5
"""Room for the indices that are built and for the log of writes, times the database's size."""
READER = scratch.Place(memory=512 * scratch.MEBIBYTE, mounts={})
SERVER = scratch.Place(
    memory=1024 * scratch.MEBIBYTE,
    mounts={},
    # What the image's entry point needs to own the data directory and to become the user postgres.
    capabilities=("CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID"),
    environment={
        "POSTGRES_USER": SUPERUSER,
        "POSTGRES_HOST_AUTH_METHOD": "trust",
        # Its own socket lets anyone in; who comes over the loopback has to know a password.
        "POSTGRES_INITDB_ARGS": "--auth-local=trust --auth-host=md5",
    },
    user="",
    read_only=False,
    shared_memory=256 * scratch.MEBIBYTE,
)

_SINCE = "SELECT pg_postmaster_start_time();\n"
_ROLES = """\
SELECT coalesce(json_agg(json_build_object('name', rolname, 'verifier', rolpassword,
  'enters', rolcanlogin AND rolconnlimit <> 0 AND coalesce(rolvaliduntil > now(), true)
            AND has_database_privilege(oid, current_database(), 'CONNECT')) ORDER BY rolname), '[]')
FROM pg_authid WHERE rolname !~ '^pg_';
"""
_SEEN = """\
SELECT json_build_object('user', current_user, 'database', current_database(), 'tables', (
  SELECT count(*) FROM pg_class c WHERE c.relkind = 'r' AND relnamespace::regnamespace::text !~ '^(pg_|information_)'
  AND has_schema_privilege(c.relnamespace, 'USAGE') AND has_table_privilege(c.oid, 'SELECT')));
"""


def read(task: Task, paths: Paths) -> list[str]:
    """Have pg_restore read the dump to its end; its list of contents alone would hide a dump that was cut off."""
    image = _image(task)
    inside = f"{scratch.DIRECTORY}/{postgres.DUMP}"
    place = replace(READER, mounts={inside: paths[postgres.DUMP]})
    scratch.program(task, image, place, ["pg_restore", "--exit-on-error", "--file=/dev/null", inside])
    roles = _backed_up_roles(paths)
    if not roles:
        raise Damaged(f"{postgres.GLOBALS} of backup {task.manifest.id} makes no role.")
    return [f"pg_restore read all of {postgres.DUMP}; {postgres.GLOBALS} makes {len(roles)} roles."]


@dataclass(frozen=True)
class Server:
    """A throw-away server that is ready."""

    image: str
    container: str


def restore(task: Task, paths: Paths) -> list[str]:
    """Restore, compare the rows of every table, and log in as every role that may."""
    with server(task) as there:
        return prove(task, paths, there)


@contextlib.contextmanager
def server(task: Task) -> Iterator[Server]:
    """Give an empty server of the backup's own image for the block."""
    image = _image(task)
    scratch.require_room(task, int(DISK_FACTOR * task.manifest.origin["bytes"]))
    with contextlib.ExitStack() as stack:
        with task.watch.step("start"):
            running = scratch.container(task, image, SERVER, "", command(task.manifest.origin))
            there = Server(image, stack.enter_context(running))
            _wait_until_ready(task, _place(task, there))
        yield there


def prove(task: Task, paths: Paths, there: Server) -> list[str]:
    """Restore a backup of one database into the server, compare, and log in."""
    manifest, place = task.manifest, _place(task, there)
    job = Job(place.source, manifest, task.runner, manifest.id.partition("-")[0], task.directory, task.deadline)
    with scratch.judged(task, there.container):
        with task.watch.step("restore"):
            postgres_restore.restore_at(job, paths, place)
        with task.watch.step("log in"):
            entered = _log_in(task, place, paths)
    rows = manifest.invariants["rows"]
    return [f"{sum(rows.values())} rows in {len(rows)} tables, each table as counted in the dump's snapshot.", *entered]


def _place(task: Task, there: Server) -> Place:
    """The server asks its own superuser for no password."""
    service = task.source.service or "drill"
    source = replace(task.source, user=SUPERUSER, password_secret="", host="", service=service)
    return Place(source, there.image, there.container)


def command(origin: Mapping[str, Any]) -> list[str]:
    """Return what the image runs: with the libraries that some extensions cannot be made without."""
    preloaded = str(origin.get("preloaded") or "")
    return ["postgres", *(["-c", f"shared_preload_libraries={preloaded}"] if preloaded else [])]


def _wait_until_ready(task: Task, place: Place) -> None:
    """Wait for two answers of one and the same start of the server, also over the loopback.

    While the official image initialises, a server that is stopped again answers, on its socket alone.
    """
    ready = ["pg_isready", "--quiet", "--host=127.0.0.1"]
    starts = [""]

    def answered_twice() -> bool:
        listening = Docker(task.runner).execute(place.container, ready, check=False).ok
        starts.append(_quietly(task.runner, place, _SINCE) if listening else "")
        return starts[-1] != "" and starts[-1] == starts[-2]

    scratch.wait_until(task, place.container, "PostgreSQL", answered_twice)


def _log_in(task: Task, place: Place, paths: Paths) -> list[str]:
    """Hold the roles to those of the backup, and begin a session of each that may log in."""
    found = {item["name"]: item for item in json.loads(_ask(task, place, _ROLES))}
    postgres_roles.check(
        _backed_up_roles(paths), {name: found[name]["verifier"] for name in found if name != SUPERUSER}
    )
    entered = [name for name in found if found[name]["enters"] and name != SUPERUSER]
    tables = {}
    for name in entered:
        argv = postgres.psql(replace(place.source, user=name), task.source.database)
        seen = json.loads(task.runner.run(place.command(argv), stdin=f"\n{_SEEN}", timeout=task.left).stdout)
        if (seen["user"], seen["database"]) != (name, task.source.database):
            raise Damaged(f"A session of {name} is one of {seen['user']} in {seen['database']}.")
        tables[name] = seen["tables"]
    if not entered:
        return ["No role of the backup may log in, so that none did."]
    shown = ", ".join(f"{name} (may read {tables[name]} tables)" for name in entered)
    proven = [f"Roles are as backed up, their passwords' verifiers too; logged in over the local socket as: {shown}."]
    return [*proven, *_with_password(task, place, found.get(task.source.user, {}).get("verifier"))]


def _with_password(task: Task, place: Place, verifier: str | None) -> list[str]:
    """Log in with the stack's own password where it is still the one of the backup."""
    user = task.source.user
    if not task.source.password_secret or not verifier:
        return []
    password = postgres.password(task.source)
    if postgres_roles.fits(verifier, password) is not True:
        return [f"The password of {user} was not tried: today's is not known to be the one of the backup."]
    argv = [*postgres.psql(replace(place.source, user=user), task.source.database), "--host", "127.0.0.1"]
    task.runner.run(place.command(argv), stdin=f"{password}\nSELECT 1;\n", timeout=task.left)
    return [f"{user} logged in with the stack's password over the loopback."]


def _backed_up_roles(paths: Paths) -> dict[str, Role]:
    with open(paths[postgres.GLOBALS], encoding="utf-8") as stream:
        return postgres_roles.parse(stream.read())


def _ask(task: Task, place: Place, text: str) -> str:
    script = sql.CATALOG_ONLY + text
    return postgres.script(task.runner, place, task.source.database, script, timeout=task.left)


def _quietly(runner: Runner, place: Place, text: str) -> str:
    try:
        return postgres.script(runner, place, "template1", text, timeout=10)
    except ComposeOpsError:
        return ""


def _image(task: Task) -> str:
    return images.require(task.runner, task.manifest.origin, task.left)


VERIFIER = Verifier(read, restore, lambda task: images.name(task.manifest.origin))
