# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A restore of MongoDB against a server that is a dictionary: what serves when it ends, whatever happens in between."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.backup.manifest import Manifest
from ansible_collections.composeops.stack.plugins.module_utils.backup.model import Source
from ansible_collections.composeops.stack.plugins.module_utils.backup.restorer import Job, Outcome
from ansible_collections.composeops.stack.plugins.module_utils.backup.sources import mongo, mongo_names, mongo_restore
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.tests.unit.support.recorded import RecordedRunner

SOURCE = Source("documents", "mongo", "shop", "mongodb", "shop")
STAMP = "20260131T023000Z"
CONTAINER = {
    "Id": "c1",
    "State": {"Running": True},
    "Config": {"Labels": {"com.docker.compose.service": "mongodb"}},
}


class Server:
    """The collections of one database, by name, as numbers of documents."""

    def __init__(self, **collections: int) -> None:
        self.collections = dict(collections)
        self.restored = {"orders": 3, "people": 0}
        """What mongorestore puts there."""
        self.renames_left = 1000
        self.set_name = ""

    def command(self, database: str, command: Mapping[str, Any]) -> dict[str, Any]:
        match next(iter(command.items())):
            case "hello", _:
                return {"setName": self.set_name}
            case "buildInfo", _:
                return {"version": "7.0.12"}
            case "count", name:
                return {"n": self.collections[name]}
            case "listDatabases", _:
                return {"databases": [{"name": name} for name in ("admin", "config", "local", "shop")]}
            case "drop", name:
                del self.collections[name]
            case "renameCollection", old:
                if not self.renames_left:
                    raise ComposeOpsError("no more")
                self.renames_left -= 1
                new = command["to"].removeprefix("shop.")
                assert new not in self.collections
                self.collections[new] = self.collections.pop(old.removeprefix("shop."))
            case unknown:
                raise AssertionError(unknown)
        return {}

    def documents(self, database: str, command: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        assert (database, command) == ("shop", {"listCollections": 1})
        yield from [{"name": name, "type": "collection"} for name in self.collections]

    def feed(self, argv: Sequence[str], path: str, **_: Any) -> None:
        assert path == "/fetched"
        for name, count in self.restored.items():
            self.collections[f"{mongo_names.new_prefix(STAMP)}{name}"] = count


def engine(argv: Sequence[str]) -> tuple[int, str, str]:
    if argv[1] == "ps":
        return 0, "c1 shop ", ""
    if argv[1] == "inspect":
        return 0, json.dumps([CONTAINER]), ""
    assert argv[-3:] == ["df", "-Pk", "/data/db"]
    return 0, "Filesystem 1024-blocks Used Available\n/dev/x 100 1 99 1% /data/db\n", ""


def job(**origin: Any) -> Job:
    facts = {"server_version": "7.0.5", "database": "shop", "oplog": False, "views": [], "bytes": 1000, **origin}
    facts.setdefault("consistency", "not a consistent snapshot")
    manifest = Manifest("id", "documents", "h", "mongo", "", "", (), facts, {"documents": {"orders": 3, "people": 0}})
    return Job(SOURCE, manifest, RecordedRunner(engine), STAMP, "", time.monotonic() + 60)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    found = Server(orders=7, sessions=1)

    @contextlib.contextmanager
    def session(*_: Any) -> Iterator[Server]:
        yield found

    monkeypatch.setattr(mongo, "session", session)
    monkeypatch.setattr(mongo_restore, "feed", found.feed)
    return found


def restore(**origin: Any) -> Outcome:
    path = mongo.CONSISTENT if origin.get("oplog") else mongo.INCONSISTENT
    return mongo_restore.apply(job(**origin), {path: "/fetched"})


def test_what_was_restored_serves_and_what_served_is_kept(server: Server) -> None:
    outcome = restore()
    aside = mongo_names.aside_prefix(STAMP)
    assert server.collections == {"orders": 3, "people": 0, f"{aside}orders": 7, f"{aside}sessions": 1}
    assert outcome.kept == f"collections {aside}* of shop"
    assert outcome.notes == (
        "3 documents in 2 collections, as in the backup.",
        "The backup was not a consistent snapshot.",
    )


def test_an_empty_database_keeps_nothing_aside(server: Server) -> None:
    server.collections.clear()
    assert restore().kept == ""
    assert server.collections == {"orders": 3, "people": 0}


def test_documents_that_are_missing_leave_what_served(server: Server) -> None:
    server.restored = {"orders": 2, "people": 0}
    with pytest.raises(ComposeOpsError, match="orders has 2 instead of 3"):
        restore()
    assert server.collections == {"orders": 7, "sessions": 1}


@pytest.mark.parametrize("renames", range(4))
def test_a_swap_that_fails_and_cannot_be_taken_back_is_finished_by_the_next_run(server: Server, renames: int) -> None:
    server.renames_left = renames
    with pytest.raises(ComposeOpsError, match="no more"):
        restore()
    server.renames_left = 1000
    mongo.recover(server, "shop")  # type: ignore[arg-type]
    aside = mongo_names.aside_prefix(STAMP)
    served = {name: count for name, count in server.collections.items() if not name.startswith(mongo_names.OURS)}
    if renames:
        # A collection that the backup does not have may still stand beside those that it has.
        assert {**served, "sessions": 1} == {"orders": 3, "people": 0, "sessions": 1}
        assert server.collections[f"{aside}orders"] == 7
    else:
        assert served == {"orders": 7, "sessions": 1}


def test_a_dump_of_another_database_is_refused(server: Server) -> None:
    with pytest.raises(ComposeOpsError, match="is of database store; documents is shop"):
        restore(database="store")
    assert server.collections == {"orders": 7, "sessions": 1}


def test_the_steps_are_said_and_nothing_is_changed(server: Server) -> None:
    steps = mongo_restore.examine(job())
    assert steps[0].startswith("Restore into new collections composeops.new_20260131T023000Z.* of shop")
    assert server.collections == {"orders": 7, "sessions": 1}


def test_a_dump_with_its_log_is_said_to_replace_what_is_there(server: Server) -> None:
    server.set_name = "rs0"
    (step,) = mongo_restore.examine(job(oplog=True))
    assert "clients see a part of them until it ends" in step


@pytest.mark.parametrize("oplog", [False, True], ids=["alone", "with its log"])
@pytest.mark.parametrize(
    ("collections", "said"),
    [
        ({}, ""),
        ({"orders": 0, "composeops.before_x.orders": 7}, ""),
        ({"orders": 7, "people": 0}, "shop.orders has documents"),
        (dict.fromkeys("abcde", 1), "shop.a, shop.b, shop.c and 2 more have documents"),
    ],
    ids=["no collection", "empty ones and what was kept aside", "one", "many"],
)
def test_collections_with_documents_are_data(
    server: Server, collections: dict[str, int], said: str, *, oplog: bool
) -> None:
    server.collections = collections
    assert mongo_restore.replaced(job(oplog=oplog)) == said


def test_a_disk_that_is_too_small_is_told_before_anything(server: Server) -> None:
    with pytest.raises(ComposeOpsError, match=r"The database's disk has 99\.0 KiB free"):
        restore(bytes=10**9)
    assert server.collections == {"orders": 7, "sessions": 1}
