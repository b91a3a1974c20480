# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.backup import layout
from ansible_collections.composeops.stack.plugins.module_utils.backup.manifest import Manifest, StoredObject
from ansible_collections.composeops.stack.plugins.module_utils.backup.model import POSTGRES, POSTGRES_ALL, Source
from ansible_collections.composeops.stack.plugins.module_utils.backup.producer import Production, Stream
from ansible_collections.composeops.stack.plugins.module_utils.backup.restorer import Job, Outcome
from ansible_collections.composeops.stack.plugins.module_utils.backup.sources import (
    postgres,
    postgres_all,
    postgres_all_restore,
    postgres_place,
    postgres_restore,
)
from ansible_collections.composeops.stack.plugins.module_utils.backup.sources.postgres_all import Found
from ansible_collections.composeops.stack.plugins.module_utils.backup.sources.postgres_place import Place
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.tests.unit.support.recorded import RecordedRunner

SOURCE = Source("all", POSTGRES, "shop", "postgres", "postgres", "shop", databases="all", exclude=("rdsadmin",))
ODD = "O'Brien & söhne"


def manifest(*names: str, identifier: str = "1") -> Manifest:
    objects = tuple(StoredObject(postgres_all.object_name(name), 1, "") for name in names)
    return Manifest(
        identifier,
        "all",
        "h",
        POSTGRES_ALL,
        "",
        "",
        (*objects, StoredObject(postgres.GLOBALS, 1, "")),
        {"bytes": 100 * len(names), "image": "i", "databases": {name: {"owner": name, "bytes": 100} for name in names}},
        {"databases": {name: {"rows": {f"public.{name}": 1}} for name in names}},
    )


@pytest.mark.parametrize(
    ("database", "name"),
    [
        pytest.param("shop", "database.shop.pgdump", id="plain"),
        pytest.param("Shop-2_x", "database.Shop-2_x.pgdump", id="every plain character"),
        pytest.param("a b", "database.a.20b.pgdump", id="a space"),
        pytest.param("a.20b", "database.a.2e20b.pgdump", id="what looks like a space that was written so"),
        pytest.param("ü/..", "database..c3.bc.2f.2e.2e.pgdump", id="what would leave a directory"),
    ],
)
def test_any_database_has_an_object_of_its_own(database: str, name: str) -> None:
    assert postgres_all.object_name(database) == name
    assert layout.NAME.match(name)


def test_every_database_is_backed_up_but_those_that_are_excluded_or_were_made_by_a_restore() -> None:
    names = ["shop", "postgres", "rdsadmin", "shop_before_20260131T023000Z", "shop_restoring", "shop_before", ODD]
    found = {name: Found(1, open=name != "rdsadmin") for name in names}
    assert postgres_all.expand(found, ("rdsadmin",)) == [ODD, "postgres", "shop", "shop_before"]


@pytest.mark.parametrize(
    ("found", "message"),
    [
        pytest.param({"a": Found(1, True), "b": Found(0, False)}, "may not connect to b", id="closed to its user"),
        pytest.param({"a=b": Found(1, True)}, "cannot be given the names 'a=b'", id="a name that says more"),
        pytest.param({}, "has no database to back up", id="none"),
    ],
)
def test_a_database_that_cannot_be_backed_up_is_not_left_out_in_silence(found: dict[str, Found], message: str) -> None:
    with pytest.raises(ComposeOpsError, match=message):
        postgres_all.expand(found, ())


def test_databases_that_came_and_went_are_told() -> None:
    assert postgres_all.changes(manifest("a", "b"), manifest("a", "c", identifier="2")) == [
        "Database c is new: it was not in backup 1.",
        "Database b is not on the server any more; backup 1 is the last one that has it.",
    ]
    assert postgres_all.changes(manifest("a"), manifest("a")) == []


def test_one_database_is_taken_out_of_a_backup() -> None:
    one = postgres_all.only(manifest("a", "b"), "b")
    assert [stored.name for stored in one.objects] == ["database.b.pgdump", "globals.sql"]
    assert postgres_all.databases(one) == ["b"]
    with pytest.raises(ComposeOpsError, match="has no database c; it has a, b"):
        postgres_all.only(manifest("a", "b"), "c")


class Server:
    """Databases by name, and which of them the dumps are open of."""

    def __init__(self) -> None:
        self.databases = ["a", "b", "postgres"]
        self.open: list[str] = []
        self.log: list[str] = []

    def script(self, _runner: Any, _place: Place, database: str, _text: str, *, timeout: float) -> str:
        assert database == "postgres"
        return "".join(json.dumps({"name": name, "open": True, "bytes": 100}) + "\n" for name in self.databases)

    @contextlib.contextmanager
    def produce(self, source: Source, _runner: Any, _deadline: float) -> Iterator[Production]:
        name = source.database
        assert not source.databases
        if name not in self.databases:
            raise ComposeOpsError(f"database {name} does not exist")
        self.open.append(name)
        streams = (
            Stream(postgres.DUMP, 1, lambda: self._said(f"dump {name}")),
            Stream(postgres.GLOBALS, 1, lambda: self._said("globals")),
        )
        try:
            yield Production(streams, {"owner": name}, lambda: {"rows": {f"public.{name}": 1}})
        finally:
            self.open.remove(name)

    def _said(self, what: str) -> Any:
        assert len(self.open) == 1, "one snapshot at a time"
        self.log.append(what)
        return iter(())


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    found = Server()
    monkeypatch.setattr(postgres_place, "of", lambda source, _runner: Place(source, "i", "c"))
    monkeypatch.setattr(postgres, "script", found.script)
    monkeypatch.setattr(postgres, "produce", found.produce)
    return found


def back_up(server: Server) -> Manifest:
    with postgres_all.produce(SOURCE, RecordedRunner(), time.monotonic() + 60) as production:
        for stream in production.streams:
            stream.open()
        origin, invariants = production.origin, production.invariants()
        objects = tuple(StoredObject(stream.name, 1, "") for stream in production.streams)
    return Manifest("1", "all", "h", POSTGRES_ALL, "", "", objects, origin, invariants)


def test_each_database_is_dumped_in_a_snapshot_of_its_own_and_the_roles_once(server: Server) -> None:
    made = back_up(server)
    assert server.log == ["dump a", "dump b", "dump postgres", "globals"]
    assert server.open == []
    assert [stored.name for stored in made.objects] == [
        *("database.a.pgdump", "database.b.pgdump", "database.postgres.pgdump", "globals.sql")
    ]
    assert made.origin["bytes"] == 300
    assert postgres_all.manifest_of(made, "b").origin["owner"] == "b"
    assert postgres_all.manifest_of(made, "b").invariants == {"rows": {"public.b": 1}}


def test_a_database_that_is_made_later_is_in_the_next_backup(server: Server) -> None:
    first = back_up(server)
    server.databases.append("new")
    assert postgres_all.changes(first, back_up(server)) == ["Database new is new: it was not in backup 1."]


def test_a_database_that_is_dropped_meanwhile_is_named(server: Server) -> None:
    with (
        pytest.raises(ComposeOpsError, match=r"Database b was dropped while the server was backed up\. Run it again"),
        postgres_all.produce(SOURCE, RecordedRunner(), time.monotonic() + 60) as production,
    ):
        production.streams[0].open()
        server.databases.remove("b")
        production.streams[1].open()
    assert server.open == []


def job(*names: str) -> Job:
    return Job(SOURCE, manifest(*names), RecordedRunner(), "s", "", 0)


def paths(*names: str) -> dict[str, str]:
    return {postgres.GLOBALS: "/globals", **{postgres_all.object_name(name): f"/{name}" for name in names}}


def test_databases_are_restored_one_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[tuple[str, str, int]] = []

    def apply(one: Job, its: Mapping[str, str]) -> Outcome:
        assert one.source == replace(SOURCE, database=one.source.database, databases="", exclude=())
        assert its[postgres.GLOBALS] == "/globals"
        given.append((one.source.database, its[postgres.DUMP], one.manifest.origin["bytes"]))
        kept = f"database {one.source.database}_before" if one.source.database != "b" else ""
        return Outcome(kept, "drop" if kept else "", ("1 row",))

    monkeypatch.setattr(postgres_restore, "apply", apply)
    outcome = postgres_all_restore.apply(job("a", "b", "c"), paths("a", "b", "c"))
    # Room is needed for a database and those after it, for what was replaced stays.
    assert given == [("a", "/a", 300), ("b", "/b", 200), ("c", "/c", 100)]
    assert outcome.kept == "database a_before, database c_before"
    assert outcome.removal == "drop; drop"
    assert outcome.notes == ("a: 1 row", "b: 1 row", "c: 1 row")


def test_a_failure_says_what_was_restored_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def apply(one: Job, _paths: Mapping[str, str]) -> Outcome:
        if one.source.database == "b":
            raise ComposeOpsError("b is bad")
        return Outcome("", "")

    monkeypatch.setattr(postgres_restore, "apply", apply)
    with pytest.raises(ComposeOpsError, match="b is bad") as raised:
        postgres_all_restore.apply(job("a", "b", "c"), paths("a", "b", "c"))
    assert raised.value.notes == ["Database b is as it was. Restored before it: a."]


def test_every_database_with_rows_is_data(monkeypatch: pytest.MonkeyPatch) -> None:
    said = {"a": "there are rows in a: t", "b": "", "c": "there are rows in c: t"}
    monkeypatch.setattr(postgres_restore, "replaced", lambda one: said[one.source.database])
    assert postgres_all_restore.replaced(job("a", "b", "c")) == "there are rows in a: t; there are rows in c: t"
    assert postgres_all_restore.replaced(job("b")) == ""


def test_a_name_is_quoted_for_the_server() -> None:
    one = postgres_all.source_of(SOURCE, ODD)
    assert postgres.connection(one) == r"dbname='O\'Brien & söhne' application_name=composeops-backup-all"
