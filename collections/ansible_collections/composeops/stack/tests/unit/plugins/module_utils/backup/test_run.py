# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import contextlib
import errno
import json
import os
import signal
from collections.abc import Callable, Generator, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.backup import catalogue, records, run
from ansible_collections.composeops.stack.plugins.module_utils.backup.encoding import identity, programs
from ansible_collections.composeops.stack.plugins.module_utils.backup.encoding.identity import Identity
from ansible_collections.composeops.stack.plugins.module_utils.backup.model import Settings, Source, Store
from ansible_collections.composeops.stack.plugins.module_utils.backup.producer import Production, Stream
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.io.files import exclusive
from ansible_collections.composeops.stack.plugins.module_utils.io.runner import Runner
from ansible_collections.composeops.stack.tests.unit.support.buckets import MemoryBucket
from ansible_collections.composeops.stack.tests.unit.support.recorded import RecordedRunner

SOURCE = Source("database", "postgres", "petcare", "postgres", "pet", "petuser")
SETTINGS = Settings("h", Store("backups", "id", "secret"), (SOURCE,))

Open = Callable[[], Generator[bytes]]


def good(content: bytes) -> Open:
    def chunks() -> Generator[bytes]:
        yield content

    return chunks


def killed() -> Generator[bytes]:
    yield b"looks like a dump"
    raise ComposeOpsError("pg_dumpall failed with status 137.")


def terminated() -> Generator[bytes]:
    yield b"looks like a dump"
    os.kill(os.getpid(), signal.SIGTERM)
    yield b"never sent"


class Bench:
    """One bucket, one state directory, and a producer of the given streams."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, directory: Path) -> None:
        self.bucket = MemoryBucket()
        self.directory = str(directory)
        self.streams: list[Open] = [good(b"dump"), good(b"roles")]
        monkeypatch.setattr(catalogue, "open_bucket", lambda store: self.bucket)
        monkeypatch.setattr(programs, "encoder", lambda step, recipients: ["cat"])
        monkeypatch.setitem(run.PRODUCERS, "postgres", self.produce)

    @contextlib.contextmanager
    def produce(self, source: Source, runner: Runner, deadline: float) -> Iterator[Production]:
        streams = zip(("dump", "roles"), self.streams, strict=True)
        yield Production(tuple(Stream(name, 10, opened) for name, opened in streams), {"o": 1}, lambda: {"i": 2})

    def take(self, settings: Settings = SETTINGS) -> run.Taken:
        return run.take(settings, SOURCE, RecordedRunner(), directory=self.directory)

    @property
    def outcome(self) -> str:
        record = records.read("database", self.directory)
        assert record is not None
        return record.outcome


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Bench:
    return Bench(monkeypatch, tmp_path / "state")


def test_a_backup_is_its_objects_and_a_manifest_written_last(bench: Bench) -> None:
    taken = bench.take()
    beginning = f"database/h/{taken.manifest.id}"
    assert bench.bucket.calls == [
        f"begin {beginning}/dump.zst",
        f"begin {beginning}/roles.zst",
        f"complete {beginning}/dump.zst",
        f"complete {beginning}/roles.zst",
        f"write {beginning}/manifest.json",
    ]
    manifest = json.loads(bench.bucket.contents[f"{beginning}/manifest.json"])
    assert [(item["name"], item["encoding"], item["plain_bytes"]) for item in manifest["objects"]] == [
        ("dump", ["zstd"], 4),
        ("roles", ["zstd"], 5),
    ]
    assert (manifest["origin"], manifest["invariants"]) == ({"o": 1}, {"i": 2})
    assert bench.outcome == records.COMMITTED
    assert catalogue.newest(bench.bucket, "database", "h").id == taken.manifest.id


@pytest.mark.parametrize(
    ("streams", "message"),
    [
        pytest.param([killed, good(b"roles")], "status 137", id="the first producer fails"),
        pytest.param([good(b"dump"), killed], "status 137", id="the last producer fails"),
        pytest.param([good(b"dump"), good(b"")], "Nothing came out", id="one is empty"),
        pytest.param([good(b"dump"), terminated], "Stopped by SIGTERM", id="the run is stopped"),
    ],
)
def test_a_backup_that_fails_leaves_nothing_and_says_so(bench: Bench, streams: list[Open], message: str) -> None:
    bench.streams = streams
    with pytest.raises(ComposeOpsError, match=message):
        bench.take()
    assert (bench.bucket.contents, bench.bucket.pending) == ({}, {})
    assert bench.outcome == records.FAILED


@pytest.mark.parametrize("call", ["begin", "complete"])
def test_a_store_that_fails_at_any_call_commits_nothing(bench: Bench, call: str) -> None:
    bench.bucket.fail_on = call
    with pytest.raises(ComposeOpsError, match="the store is gone"):
        bench.take()
    assert (bench.bucket.contents, bench.bucket.pending) == ({}, {})
    assert bench.outcome == records.FAILED


def test_what_a_manifest_may_name_is_not_taken_away_when_the_store_did_not_say_that_it_has_it(bench: Bench) -> None:
    bench.bucket.fail_on = "write"
    with pytest.raises(ComposeOpsError, match="the store is gone"):
        bench.take()
    assert sorted(key.rpartition("/")[2] for key in bench.bucket.contents) == ["dump.zst", "roles.zst"]
    assert catalogue.newest(bench.bucket, "database", "h") is None
    assert bench.outcome == records.FAILED


def test_a_host_that_may_not_delete_fails_for_the_reason_that_it_had(bench: Bench) -> None:
    bench.bucket.lose = 1
    bench.bucket.fail_on = "delete"
    with pytest.raises(ComposeOpsError, match="holds 3 bytes"):
        bench.take()
    assert not any(key.endswith("manifest.json") for key in bench.bucket.contents)


def test_a_store_that_loses_bytes_commits_nothing(bench: Bench) -> None:
    bench.bucket.lose = 1
    with pytest.raises(ComposeOpsError, match="holds 3 bytes"):
        bench.take()
    assert bench.bucket.contents == {}


def test_cleaning_up_does_not_hide_why(bench: Bench) -> None:
    bench.streams = [good(b"dump"), killed]
    bench.bucket.fail_on = "abort"
    with pytest.raises(ComposeOpsError, match="status 137"):
        bench.take()


def test_a_failure_of_another_kind_is_recorded_too(bench: Bench) -> None:
    def broken() -> Generator[bytes]:
        yield b"x"
        raise RuntimeError("unforeseen")

    bench.streams = [broken, good(b"roles")]
    with pytest.raises(RuntimeError):
        bench.take()
    assert bench.bucket.pending == {}
    assert bench.outcome == records.FAILED


def test_an_upload_that_a_killed_run_left_is_aborted_after_a_day(bench: Bench) -> None:
    now = catalogue.now()
    for key, hours in (("database/h/old/dump", 25), ("database/h/young/dump", 1), ("database2/h/old/dump", 25)):
        bench.bucket.pending[key] = {}
        bench.bucket.initiated[key] = now - timedelta(hours=hours)
    taken = bench.take()
    assert taken.notes == ("Aborted the upload of database/h/old/dump, which a killed run had left.",)
    assert sorted(bench.bucket.pending) == ["database/h/young/dump", "database2/h/old/dump"]


def test_one_run_of_a_source_at_a_time(bench: Bench) -> None:
    lock = records.lock_path("database", bench.directory)
    with (
        exclusive(lock, "restore of database"),
        pytest.raises(ComposeOpsError, match="held by restore of database"),
    ):
        bench.take()
    assert bench.bucket.calls == []


OWN = Identity("age1own", "AGE-SECRET-KEY-1HUSH")


def test_a_backup_is_encrypted_to_everybody_and_to_a_key_of_its_own(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(identity, "generate", lambda runner: OWN)
    taken = bench.take(replace(SETTINGS, recipients=("age1a", "age1b")))
    beginning = f"database/h/{taken.manifest.id}"
    assert sorted(bench.bucket.contents) == [
        f"{beginning}/{name}" for name in ("dump.zst.age", "manifest.json", "roles.zst.age")
    ]
    assert taken.manifest.recipients == ("age1a", "age1b", "age1own")
    assert identity.remembered("database", taken.manifest.id, bench.directory) == OWN.text
    assert b"HUSH" not in b"".join(bench.bucket.contents.values())


def test_the_key_of_the_last_backup_stays_when_the_next_one_fails(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = iter([OWN, Identity("age1next", "the next")])
    monkeypatch.setattr(identity, "generate", lambda runner: next(keys))
    encrypting = replace(SETTINGS, recipients=("age1a", "age1b"))
    first = bench.take(encrypting)
    bench.streams = [good(b"dump"), killed]
    with pytest.raises(ComposeOpsError):
        bench.take(encrypting)
    assert identity.remembered("database", first.manifest.id, bench.directory) == OWN.text


def test_a_key_that_could_not_be_kept_does_not_make_a_committed_backup_a_failed_one(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(identity, "generate", lambda runner: OWN)
    monkeypatch.setattr(identity, "remember", full)
    taken = bench.take(replace(SETTINGS, recipients=("age1a", "age1b")))
    assert taken.notes == (
        "The key of this backup was not kept (No space left on device): its restore needs the operator's identity.",
    )
    assert bench.outcome == records.COMMITTED


def test_a_limit_of_the_bandwidth_reaches_the_bucket(bench: Bench) -> None:
    bench.take(replace(SETTINGS, bandwidth=1 << 20))
    assert bench.bucket.paced
    bench.bucket.paced = False
    bench.take()
    assert not bench.bucket.paced


def test_each_object_is_watched_while_it_is_sent(bench: Bench) -> None:
    seen = []

    @contextlib.contextmanager
    def watch(name: str, read: Callable[[], int | None], sent: Callable[[], int]) -> Iterator[None]:
        yield
        seen.append((name, read(), sent()))

    run.take(SETTINGS, SOURCE, RecordedRunner(), directory=bench.directory, watch=watch)
    assert seen == [("dump", 4, 4), ("roles", 5, 5)]
