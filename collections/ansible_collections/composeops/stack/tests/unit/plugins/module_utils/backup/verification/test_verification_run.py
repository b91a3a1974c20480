# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import hashlib
import json
import os
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.backup import aftermath, catalogue, manifest, records
from ansible_collections.composeops.stack.plugins.module_utils.backup.damage import Damaged
from ansible_collections.composeops.stack.plugins.module_utils.backup.encoding import identity
from ansible_collections.composeops.stack.plugins.module_utils.backup.manifest import Manifest, StoredObject
from ansible_collections.composeops.stack.plugins.module_utils.backup.model import Level, Settings, Source, Store
from ansible_collections.composeops.stack.plugins.module_utils.backup.verification import run
from ansible_collections.composeops.stack.plugins.module_utils.backup.verification.record import Verification
from ansible_collections.composeops.stack.plugins.module_utils.backup.verification.run import Verifying, Wanted
from ansible_collections.composeops.stack.plugins.module_utils.backup.verification.verifier import (
    Paths,
    Task,
    Unjudged,
    Verifier,
)
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.io.files import LockHeld, exclusive
from ansible_collections.composeops.stack.tests.unit.support.buckets import MemoryBucket
from ansible_collections.composeops.stack.tests.unit.support.recorded import RecordedRunner

SOURCE = Source("database", "postgres", "petcare", "postgres", "pet", "petuser")
SETTINGS = Settings("petcare1", Store("backups", "id", "secret"), (SOURCE,))
ID = "20260131T023000Z-00000000"
BEGINNING = f"database/petcare1/{ID}/"
CONTENT = b"what was dumped"


class Bench:
    """One backup in a bucket, and a verifier whose steps do what they are told to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, directory: Path) -> None:
        self.bucket = MemoryBucket()
        self.directory = str(directory)
        self.runner = RecordedRunner()
        self.beats: list[tuple[bool, dict[str, Any]]] = []
        self.read: Callable[[], None] = lambda: None
        self.restore: Callable[[], None] = lambda: None
        self.seen = b""
        monkeypatch.setattr(catalogue, "open_bucket", lambda store: self.bucket)
        monkeypatch.setattr(aftermath, "heartbeat", self.heartbeat)
        monkeypatch.setitem(run.VERIFIERS, "postgres", Verifier(self._read, self._restore, lambda task: "pg@sha256:1"))
        self.put()

    def put(self, **changes: Any) -> None:
        stored = StoredObject("dump", len(CONTENT), hashlib.sha256(CONTENT).hexdigest())
        committed = Manifest(ID, "database", "petcare1", "postgres", "s", "f", (stored,), **changes)
        self.bucket.contents[f"{BEGINNING}dump"] = CONTENT
        self.bucket.contents[f"{BEGINNING}manifest.json"] = manifest.serialise(committed)

    def heartbeat(self, url: str, what: str, said: dict[str, Any], *, success: bool = True) -> list[str]:
        self.beats.append((success, said))
        return []

    def verify(self, source: Source = SOURCE, **wanted: Any) -> Verification:
        return Verifying(SETTINGS, source, self.runner, Wanted(**wanted), directory=self.directory).run()

    @property
    def records(self) -> list[dict[str, Any]]:
        found = sorted(key for key in self.bucket.contents if "/verification-" in key)
        return [json.loads(self.bucket.contents[key]) for key in found]

    def metric(self, name: str) -> str:
        lines = (Path(self.directory) / "backup.prom").read_text().splitlines()
        return next(line.split()[-1] for line in lines if line.startswith(f"composeops_backup_{name}{{"))

    def _read(self, task: Task, paths: Paths) -> list[str]:
        self.seen = Path(paths["dump"]).read_bytes()
        self.read()
        return ["All of it was read."]

    def _restore(self, task: Task, paths: Paths) -> list[str]:
        with task.watch.step("restore"):
            self.restore()
        return ["7 rows."]


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Bench:
    return Bench(monkeypatch, tmp_path)


def fail(error: BaseException) -> Callable[[], None]:
    def raises() -> None:
        raise error

    return raises


def test_a_backup_that_stands_every_level_is_recorded_as_verified(bench: Bench) -> None:
    found = bench.verify()
    assert (found.level, found.passed, bench.seen) == (Level.RESTORED, True, CONTENT)
    (written,) = bench.records
    assert (written["backup"], written["level"], written["outcome"]) == (ID, 3, "passed")
    assert written["proven"] == [
        "1 objects have the sizes and SHA-256 of the manifest.",
        "All of it was read.",
        "7 rows.",
    ]
    assert list(written["seconds"]) == ["fetch", "read", "restore"]
    assert written["image"] == "pg@sha256:1"
    assert written["rto_seconds"] is not None
    (entry,) = catalogue.entries(bench.bucket, "database", "petcare1")
    assert entry.verified
    assert bench.beats == [
        (
            True,
            {
                **{"source": "database", "host": "petcare1", "backup": ID, "level": 3, "error": ""},
                "rto_seconds": found.rto_seconds,
            },
        )
    ]
    assert bench.metric("last_drill_success") == "1"
    assert float(bench.metric("last_verified_timestamp_seconds")) > 0


@pytest.mark.parametrize(("wanted", "steps"), [(1, ["fetch"]), (2, ["fetch", "read"])], ids=["checksums", "read"])
def test_less_may_be_asked_for_and_is_not_called_verified(bench: Bench, wanted: int, steps: list[str]) -> None:
    found = bench.verify(level=Level(wanted))
    assert (found.level, list(found.seconds), found.rto_seconds) == (wanted, steps, None)
    (entry,) = catalogue.entries(bench.bucket, "database", "petcare1")
    assert not entry.verified


def _flip(bench: Bench) -> None:
    bench.bucket.contents[f"{BEGINNING}dump"] = CONTENT[:-1] + b"!"


def _cut(bench: Bench) -> None:
    bench.bucket.contents[f"{BEGINNING}dump"] = CONTENT[:-1]


def _lose(bench: Bench) -> None:
    del bench.bucket.contents[f"{BEGINNING}dump"]


def _unreadable_manifest(bench: Bench) -> None:
    bench.bucket.contents[f"{BEGINNING}manifest.json"] = b'{"schema": 2, "id": '


def _unreadable(bench: Bench) -> None:
    bench.read = fail(Damaged("end of file"))


def _other_rows(bench: Bench) -> None:
    bench.restore = fail(Damaged("6 rows instead of 7"))


def _undecodable(bench: Bench) -> None:
    bench.restore = fail(Damaged("found late", level=Level.READABLE))


@pytest.mark.parametrize("asked", [None, Level.INTACT], ids=["drill", "checksums alone"])
@pytest.mark.parametrize(
    "damage", [_flip, _cut, _lose, _unreadable_manifest], ids=["flipped", "cut", "gone", "manifest"]
)
def test_damaged_objects_fail_level_1(bench: Bench, damage: Callable[[Bench], None], asked: Level | None) -> None:
    damage(bench)
    found = bench.verify(level=asked)
    assert (found.level, found.passed) == (Level.INTACT, False)
    (written,) = bench.records
    assert written["outcome"] == "failed"
    assert written["error"]


@pytest.mark.parametrize(
    ("damage", "level"),
    [(_unreadable, 2), (_other_rows, 3), (_undecodable, 2)],
    ids=["unreadable", "other rows", "a level of its own"],
)
def test_a_bad_backup_is_recorded_with_the_level_that_failed(
    bench: Bench, damage: Callable[[Bench], None], level: int
) -> None:
    damage(bench)
    found = bench.verify()
    assert (found.level, found.passed, found.rto_seconds) == (level, False, None)
    (entry,) = catalogue.entries(bench.bucket, "database", "petcare1")
    assert entry.failed
    assert bench.beats[-1][0] is False
    assert bench.metric("last_drill_success") == "0"


@pytest.mark.parametrize(
    "error",
    [ComposeOpsError("the image is gone"), ValueError("a fault of ours")],
    ids=["could not be made", "a fault"],
)
def test_what_keeps_a_drill_from_being_made_is_recorded_nowhere(bench: Bench, error: Exception) -> None:
    bench.restore = fail(error)
    with pytest.raises(type(error)):
        bench.verify()
    assert bench.records == []
    assert bench.beats == [(False, {"source": "database", "host": "petcare1", "error": str(error)})]
    assert bench.metric("last_drill_success") == "0"


def test_what_cannot_be_judged_by_reading_is_judged_by_restoring(bench: Bench) -> None:
    bench.read = fail(Unjudged("a later layout"))
    with pytest.raises(Unjudged):
        bench.verify(level=Level.READABLE)
    assert bench.records == []
    assert bench.verify().level == Level.RESTORED
    bench.restore = fail(Damaged("6 rows instead of 7"))
    found = bench.verify()
    assert (found.passed, found.level) == (False, Level.RESTORED)


def test_a_drill_that_is_stopped_leaves_nothing(bench: Bench) -> None:
    bench.restore = lambda: os.kill(os.getpid(), signal.SIGTERM)
    with pytest.raises(ComposeOpsError, match="Stopped by SIGTERM"):
        bench.verify()
    assert bench.records == []
    assert not (Path(bench.directory) / "database.drill").exists()


def test_what_a_killed_drill_left_is_removed_first(bench: Bench) -> None:
    left = Path(bench.directory) / "database.drill"
    left.mkdir()
    (left / "dump").write_bytes(b"old")
    bench.runner.answer = lambda argv: (0, "abc" if argv[1] == "ps" else "", "")
    bench.verify()
    assert bench.runner.calls[:2] == [
        ["docker", "ps", "--all", "--quiet", "--filter", "label=composeops.drill=database"],
        ["docker", "rm", "--force", "--volumes", "abc"],
    ]
    assert not left.exists()


def test_one_drill_of_a_source_at_a_time_beside_its_backups(bench: Bench) -> None:
    with exclusive(f"{bench.directory}/database.lock", "backup of database"):
        assert bench.verify().passed
    with exclusive(f"{bench.directory}/database.drill.lock", "drill"), pytest.raises(LockHeld):
        bench.verify()


def test_an_encrypted_backup_needs_a_key_only_where_it_is_read(bench: Bench) -> None:
    bench.put(recipients=("age1operator", "age1host"))
    bench.runner.answer = lambda argv: (0, "age1other\n" if argv[0] == "age-keygen" else "", "")
    with pytest.raises(ComposeOpsError, match="keeps the key of its own newest backup alone"):
        bench.verify()
    with pytest.raises(ComposeOpsError, match="does not open"):
        bench.verify(identity="AGE-SECRET-KEY-OTHER")
    assert bench.records == []
    assert bench.verify(level=Level.INTACT).passed
    identity.remember("database", ID, identity.Identity("age1host", "AGE-SECRET-KEY-HOST"), bench.directory)
    bench.runner.answer = lambda argv: (0, "age1host\n" if argv[0] == "age-keygen" else "", "")
    assert bench.verify().level == Level.RESTORED


def test_a_run_that_has_just_committed_is_waited_for_until_it_keeps_its_key(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.put(recipients=("age1operator", "age1host"))
    bench.runner.answer = lambda argv: (0, "age1host\n" if argv[0] == "age-keygen" else "", "")
    running = records.Record("database", ID, records.RUNNING, "s", process=records.process(os.getpid()))
    records.write(running, bench.directory)
    key = identity.Identity("age1host", "AGE-SECRET-KEY-HOST")
    monkeypatch.setattr(time, "sleep", lambda _seconds: identity.remember("database", ID, key, bench.directory))
    assert bench.verify().level == Level.RESTORED


def test_a_backup_that_was_taken_meanwhile_is_verified_instead(bench: Bench) -> None:
    newer = ID.replace("T02", "T03")

    def replaced() -> None:
        bench.restore = lambda: None
        for key in [key for key in bench.bucket.contents if ID in key]:
            bench.bucket.contents[key.replace(ID, newer)] = bench.bucket.contents[key].replace(
                ID.encode(), newer.encode()
            )
        raise ComposeOpsError("The key is that of a newer backup.")

    bench.restore = replaced
    assert bench.verify().backup == newer
    assert [written["backup"] for written in bench.records] == [newer]


def test_the_backup_of_another_host_may_be_named(bench: Bench) -> None:
    for key in list(bench.bucket.contents):
        bench.bucket.contents[key.replace("petcare1", "petcare0")] = bench.bucket.contents.pop(key)
    with pytest.raises(ComposeOpsError, match="no committed backup"):
        bench.verify()
    found = bench.verify(host="petcare0", backup=ID)
    assert (found.backup_host, found.host) == ("petcare0", "petcare1")


def test_a_level_that_the_source_does_not_have_is_refused(bench: Bench) -> None:
    with pytest.raises(ComposeOpsError, match="up to level 3, not 4"):
        bench.verify(level=Level.POINT_IN_TIME)


def test_a_backup_of_another_type_is_refused(bench: Bench) -> None:
    with pytest.raises(ComposeOpsError, match="is of type postgres; database is redis"):
        bench.verify(replace(SOURCE, type="redis"))
    assert bench.records == []


def test_the_last_record_of_a_backup_is_found(bench: Bench) -> None:
    (entry,) = catalogue.entries(bench.bucket, "database", "petcare1")
    assert run.newest_record(bench.bucket, entry) is None
    found = bench.verify()
    assert run.newest_record(bench.bucket, entry) == found
