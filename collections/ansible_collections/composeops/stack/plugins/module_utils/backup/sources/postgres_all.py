# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Backs up every database of a PostgreSQL, one dump after the other, and the roles once, as one backup.

Each database is dumped and counted in a snapshot of its own, as a source of that database alone would be; the server
has no snapshot of several. Which databases there are is asked each time, so that a new one is in the next backup.
"""

from __future__ import annotations

import contextlib
import json
import re
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from ansible_collections.composeops.stack.plugins.module_utils.backup import images
from ansible_collections.composeops.stack.plugins.module_utils.backup.manifest import Manifest
from ansible_collections.composeops.stack.plugins.module_utils.backup.model import POSTGRES, Source
from ansible_collections.composeops.stack.plugins.module_utils.backup.producer import Output, Production, Stream
from ansible_collections.composeops.stack.plugins.module_utils.backup.sources import postgres, postgres_place
from ansible_collections.composeops.stack.plugins.module_utils.backup.sources import postgres_sql as sql
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError, InvalidInput
from ansible_collections.composeops.stack.plugins.module_utils.io.runner import Runner

OURS = re.compile(r"_before_\d{8}T\d{6}Z\Z|_restoring\Z")
"""How the names of databases end that a restore made or kept aside: they are in no backup."""
_UNUSABLE = re.compile(r"=|://|[\x00-\x1f]")
"""What PostgreSQL's clients would take for more than a name."""
_PLAIN = re.compile(r"[^A-Za-z0-9_-]")


@dataclass(frozen=True)
class Found:
    """A database of the server, as its user sees it."""

    bytes: int
    open: bool
    """Whether the user may connect to it."""


def object_name(database: str) -> str:
    """Return what the dump of a database is called; a name of any characters is a name of plain ones in it."""
    plain = _PLAIN.sub(lambda match: "".join(f".{byte:02x}" for byte in match[0].encode()), database)
    return f"database.{plain}.pgdump"


def expand(found: Mapping[str, Found], exclude: Collection[str]) -> list[str]:
    """Return the databases that are backed up; raise for one that cannot be, rather than leave it out in silence."""
    chosen = [name for name in sorted(found) if name not in exclude and not OURS.search(name)]
    closed = [name for name in chosen if not found[name].open]
    if closed:
        raise ComposeOpsError(
            f"The user of the source may not connect to {', '.join(closed)}.",
            "Grant it (GRANT CONNECT ON DATABASE ...), or name them in the source's `exclude`.",
        )
    odd = [name for name in chosen if _UNUSABLE.search(name)]
    if odd:
        raise ComposeOpsError(
            f"PostgreSQL's clients cannot be given the names {', '.join(map(repr, odd))}.",
            "Rename these databases, or name them in the source's `exclude`.",
        )
    if not chosen:
        raise ComposeOpsError("The server has no database to back up.", "Look at the source's `exclude`.")
    return chosen


def changes(before: Manifest, now: Manifest) -> list[str]:
    """Return which databases came and went between two backups, one sentence each."""
    had, has = set(databases(before)), set(databases(now))
    return [
        *(f"Database {name} is new: it was not in backup {before.id}." for name in sorted(has - had)),
        *(
            f"Database {name} is not on the server any more; backup {before.id} is the last one that has it."
            for name in sorted(had - has)
        ),
    ]


def databases(manifest: Manifest) -> list[str]:
    """Return the databases that a backup holds."""
    return sorted(manifest.origin.get("databases") or ())


def only(manifest: Manifest, database: str) -> Manifest:
    """Return the manifest without the dumps of other databases; raise where it does not hold this one."""
    held = databases(manifest)
    if database not in held:
        raise InvalidInput(
            f"Backup {manifest.id} of {manifest.source} has no database {database}; it has {', '.join(held)}.",
            "Correct the name, or choose another backup.",
        )
    kept = (object_name(database), postgres.GLOBALS)
    origin = {**manifest.origin, "databases": {database: manifest.origin["databases"][database]}}
    objects = tuple(stored for stored in manifest.objects if stored.name in kept)
    return replace(manifest, origin=origin, objects=objects)


def source_of(source: Source, database: str) -> Source:
    """Return the source that backs up this database alone."""
    return replace(source, database=database, databases="", exclude=())


def manifest_of(manifest: Manifest, database: str) -> Manifest:
    """Return the manifest as it would be of a backup of this database alone."""
    shared = {name: value for name, value in manifest.origin.items() if name != "databases"}
    origin = {**shared, **manifest.origin["databases"][database]}
    return replace(manifest, type=POSTGRES, origin=origin, invariants=manifest.invariants["databases"][database])


def paths_of(paths: Mapping[str, str], database: str) -> dict[str, str]:
    """Return the objects of a backup as they would be called in one of this database alone."""
    return {postgres.DUMP: paths[object_name(database)], postgres.GLOBALS: paths[postgres.GLOBALS]}


@contextlib.contextmanager
def produce(source: Source, runner: Runner, deadline: float) -> Iterator[Production]:
    """Look at the server, and hand out the dump of each of its databases, one after the other."""
    place = postgres_place.of(source, runner)

    def look() -> dict[str, Found]:
        left = max(1.0, deadline - time.monotonic())
        answer = postgres.script(runner, place, source.database, sql.CATALOG_ONLY + sql.SIZES, timeout=left)
        return {
            item["name"]: Found(int(item["bytes"] or 0), item["open"])
            for item in map(json.loads, answer.split("\n")[:-1])
        }

    found = look()
    names = expand(found, source.exclude)
    with contextlib.ExitStack() as stack:
        dumps = _Dumps(source, runner, deadline, stack, look)
        streams = [Stream(object_name(name), found[name].bytes, partial(dumps.open, name)) for name in names]
        # The origin is complete when the manifest is written, after the last dump.
        origin = {
            "bytes": sum(found[name].bytes for name in names),
            "databases": dumps.origins,
            **images.origin(runner, place.image),
        }
        roles = Stream(postgres.GLOBALS, postgres.GLOBALS_ESTIMATE, dumps.open_globals)
        yield Production((*streams, roles), origin, lambda: {"databases": dumps.counted()})


class _Dumps:
    """Dumps one database at a time, and holds no snapshot longer than its dump takes."""

    def __init__(
        self,
        source: Source,
        runner: Runner,
        deadline: float,
        stack: contextlib.ExitStack,
        look: Callable[[], Mapping[str, Found]],
    ) -> None:
        self._source = source
        self._runner = runner
        self._deadline = deadline
        self._stack = stack
        self._look = look
        self._current: tuple[str, Production] | None = None
        self._counted: dict[str, Mapping[str, Any]] = {}
        self.origins: dict[str, Mapping[str, Any]] = {}
        """Of each database that was begun."""

    def open(self, database: str) -> Output:
        self._end()
        try:
            one = source_of(self._source, database)
            production = self._stack.enter_context(postgres.produce(one, self._runner, self._deadline))
        except ComposeOpsError as error:
            if database in self._look():
                raise
            raise ComposeOpsError(
                f"Database {database} was dropped while the server was backed up.", "Run it again, without it."
            ) from error
        self._current = (database, production)
        self.origins[database] = production.origin
        return _stream(production, postgres.DUMP).open()

    def open_globals(self) -> Output:
        assert self._current is not None
        return _stream(self._current[1], postgres.GLOBALS).open()

    def counted(self) -> dict[str, Mapping[str, Any]]:
        """Return what was counted in the snapshot of each."""
        self._end()
        return self._counted

    def _end(self) -> None:
        if self._current is not None:
            database, production = self._current
            self._current = None
            self._counted[database] = production.invariants()
            self._stack.close()


def _stream(production: Production, name: str) -> Stream:
    return next(stream for stream in production.streams if stream.name == name)
