# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Takes a base backup of a whole PostgreSQL server: every database, roles and settings, with its own pg_basebackup.

It holds the write-ahead log that was written meanwhile, so that it can be recovered alone; together with what
`composeops-wal` sends it leads to any later moment.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Any

from ansible_collections.composeops.stack.plugins.module_utils.backup import images
from ansible_collections.composeops.stack.plugins.module_utils.backup.model import Source
from ansible_collections.composeops.stack.plugins.module_utils.backup.pitr import identities, sql, wal
from ansible_collections.composeops.stack.plugins.module_utils.backup.pitr.server import ask
from ansible_collections.composeops.stack.plugins.module_utils.backup.process import Process
from ansible_collections.composeops.stack.plugins.module_utils.backup.producer import Production, Stream
from ansible_collections.composeops.stack.plugins.module_utils.backup.sources import postgres, postgres_place
from ansible_collections.composeops.stack.plugins.module_utils.backup.sources import postgres_sql as names
from ansible_collections.composeops.stack.plugins.module_utils.backup.sources.postgres_place import Place
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.io.runner import Runner

BASE = "base.tar"
OLDEST_VERSION = 150000
"""Older ones cannot tell pg_receivewal where their slot is, and are not maintained any more."""


@contextlib.contextmanager
def produce(source: Source, runner: Runner, deadline: float) -> Iterator[Production]:
    """Hand out a base backup; what it takes on the server is given back however the block ends."""
    place = postgres_place.of(source, runner)
    application, slot = postgres.application(source), sql.base_slot(source.name)
    _quietly(runner, place, names.end_sessions_named(application), sql.drop_slot(slot))
    # Before the position is asked for: every segment from there on is encrypted to the new key.
    identities.renew(source.name, runner)
    origin = describe(json.loads(ask(runner, place, sql.DESCRIBE)[-1]))
    ask(runner, place, sql.make_slot(sql.slot(source.name)) + sql.make_slot(slot))

    def base() -> Process:
        argv = [
            *("pg_basebackup", "--pgdata=-", "--format=tar", "--wal-method=fetch", "--checkpoint=fast"),
            *("--no-password", "--username", source.user, "--dbname", f"application_name={application}"),
        ]
        purpose, secret = f"pg_basebackup of {source.service}", postgres.password(source)
        return Process(place.command(argv), purpose=purpose, secret=secret, deadline=deadline)

    def invariants() -> dict[str, Any]:
        # Asked for when all was read: the earliest moment that the base leads to.
        return dict(json.loads(ask(runner, place, sql.STOPPED)[-1]))

    estimate = int(origin["bytes"]) + int(origin["wal_bytes"])
    origin.update(images.origin(runner, place.image))
    try:
        yield Production((Stream(BASE, estimate, base),), origin, invariants)
    except BaseException:
        # The end of `docker exec` does not end what it ran; the server can.
        _quietly(runner, place, names.end_sessions_named(application))
        raise
    else:
        identities.forget_older(source.name)
    finally:
        _quietly(runner, place, sql.drop_slot(slot))


def describe(found: dict[str, Any]) -> dict[str, Any]:
    """Return the manifest's origin; refuse what could not be brought back."""
    if found["server_version_num"] < OLDEST_VERSION:
        raise ComposeOpsError(
            f"PostgreSQL {found['server_version']} is too old for point in time.",
            "Deploy 15 or newer, or back up its databases with sources of type postgres.",
        )
    if found["tablespaces"]:
        raise ComposeOpsError(
            f"The server has tablespaces of its own ({', '.join(found['tablespaces'])}), outside its data directory.",
            "Move what is in them to pg_default and drop them, or use sources of type postgres.",
        )
    segment = wal.segment(found["segment"], found["wal_segment_size"])
    assert segment is not None
    kept = {name: value for name, value in found.items() if name not in ("segment", "tablespaces")}
    return {**kept, "timeline": segment.timeline}


def _quietly(runner: Runner, place: Place, *statements: str) -> None:
    with contextlib.suppress(ComposeOpsError):
        ask(runner, place, "".join(statements))
