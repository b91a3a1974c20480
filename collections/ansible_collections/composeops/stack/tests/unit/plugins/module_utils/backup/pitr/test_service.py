# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The service with a bucket in memory, a server that is told what to say, and real files, zstd included."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.backup import catalogue, layout
from ansible_collections.composeops.stack.plugins.module_utils.backup.model import PointInTime, Settings, Source, Store
from ansible_collections.composeops.stack.plugins.module_utils.backup.pitr import measure, server, service
from ansible_collections.composeops.stack.plugins.module_utils.backup.pitr.lag import Lag
from ansible_collections.composeops.stack.plugins.module_utils.backup.pitr.server import Mark, Observed
from ansible_collections.composeops.stack.plugins.module_utils.backup.pitr.wal import Segment
from ansible_collections.composeops.stack.plugins.module_utils.backup.sources.postgres_place import Place
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.tests.unit.support.buckets import MemoryBucket
from ansible_collections.composeops.stack.tests.unit.support.recorded import RecordedRunner

NOON = datetime(2026, 1, 31, 12, tzinfo=timezone.utc)
SOURCE = Source("cluster", "postgres_cluster", "shop", "db", "postgres", "app", point_in_time=PointInTime("30s", "64M"))
SETTINGS = Settings("petcare1", Store("backups", "id", "hush"), (SOURCE,))


@dataclass
class FakeReceiver:
    """A receiver that never starts a process."""

    running: bool = False
    place: Any = None
    started: list[str] = field(default_factory=list)

    def start(self, place: Place, directory: str) -> None:
        self.running, self.place = True, place
        self.started.append(directory)

    def stop(self) -> None:
        self.running = False

    def why(self) -> str:
        return "the connection was lost"


@dataclass
class World:
    """Everything around the service, and what it has said."""

    path: Path
    bucket: MemoryBucket = field(default_factory=MemoryBucket)
    runner: RecordedRunner = field(default_factory=RecordedRunner)
    receiver: FakeReceiver = field(default_factory=FakeReceiver)
    said: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    observed: Observed = field(default_factory=lambda: Observed("7001", Segment(1, 4), 4 << 24, "10:10:", {}))
    lag: Lag = field(default_factory=lambda: Lag(0, 0))
    time: float = 0.0

    def service(self) -> service.Service:
        made = service.Service(
            SETTINGS,
            SOURCE,
            self.runner,
            say=self.said.append,
            directory=str(self.path / "state"),
            spooling=str(self.path / "wal"),
            clock=lambda: self.time,
        )
        made._receiver = self.receiver
        return made

    def finish(self, number: int) -> None:
        """Have a segment been received whole."""
        directory = self.path / "wal" / "cluster" / "7001-00000001"
        directory.mkdir(parents=True, exist_ok=True)
        (directory / Segment(1, number).name).write_bytes(b"log " * 1000)

    def keys(self) -> list[str]:
        return [key.rsplit("/", 1)[1] for key in self.bucket.contents]

    def units(self) -> list[str]:
        return [call[-1] for call in self.runner.calls if call[0] == "systemctl"]


@pytest.fixture(name="world")
def world_fixture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    world = World(tmp_path)
    (tmp_path / "state").mkdir()
    place = Place(SOURCE, "sha256:1", "abc")
    monkeypatch.setattr(catalogue, "open_bucket", lambda _store: world.bucket)
    monkeypatch.setattr(service.postgres_place, "of", lambda _source, _runner: place)
    monkeypatch.setattr(server, "observe", lambda _runner, _place: world.observed)

    def ask(_runner: object, _place: object, text: str) -> list[str]:
        world.asked.append(text)
        return []

    monkeypatch.setattr(server, "ask", ask)
    monkeypatch.setattr(measure, "of", lambda *_: world.lag)

    def mark(_runner: object, _place: object, system: str) -> Mark:
        world.asked.append("mark")
        return Mark(system, world.observed.segment.name, NOON, world.observed.snapshot)

    monkeypatch.setattr(server, "mark", mark)
    return world


def test_it_makes_its_slot_and_receives_into_the_directory_of_the_timeline(world: World) -> None:
    world.service().turn()
    assert any("pg_create_physical_replication_slot('composeops_wal_cluster'" in text for text in world.asked)
    assert [Path(path).name for path in world.receiver.started] == ["7001-00000001"]


def test_a_slot_that_lost_its_log_is_made_anew_and_said(world: World) -> None:
    world.observed = replace(world.observed, slots={"composeops_wal_cluster": "lost"})
    world.service().turn()
    assert "pg_drop_replication_slot" in world.asked[0]
    assert "is lost" in world.said[0]


def test_what_the_server_gave_up_asks_for_a_base_at_once_and_is_mended_by_one_that_begins_after_it(
    world: World,
) -> None:
    world.observed = replace(world.observed, slots={"composeops_wal_cluster": "lost"})
    working = world.service()
    working.turn()
    gap = "No restore could go up to now: the server gave up a part of the log"
    assert [said for said in world.said if said.startswith(gap)]
    assert world.units() == ["composeops-backup@cluster.service"]
    # The bucket shows no gap yet, and the base that there is begins before it.
    world.bucket.contents["cluster/petcare1/20260131T110000Z-0a1b2c3d/manifest.json"] = b"{}"
    world.time = 10
    working.turn()
    assert not [said for said in world.said if said.startswith("Well again")]
    later = layout.backup_id(catalogue.now() + timedelta(seconds=1), "0a1b2c3d")
    world.bucket.contents[f"cluster/petcare1/{later}/manifest.json"] = b"{}"
    world.time = 20
    working.turn()
    assert world.said[-1].startswith(f"Well again: {gap}")
    assert world.units() == ["composeops-backup@cluster.service"]


def test_the_reason_of_a_gap_is_told_whether_the_bucket_shows_it_by_then_or_not(world: World) -> None:
    world.observed = replace(world.observed, slots={"composeops_wal_cluster": "lost"})
    working = world.service()
    for seconds, problem in ((0, "segment 000000010000000000000005 is missing in the store"), (10, "")):
        world.time, world.lag = seconds, Lag(0, None, problem)
        working.turn()
    assert [said for said in world.said if said.startswith("No restore")] == [
        "No restore could go up to now: the server gave up a part of the log that was not received"
        " (max_slot_wal_keep_size)."
    ]
    assert world.units() == ["composeops-backup@cluster.service"]


def test_what_is_finished_is_stored_and_then_leaves_the_host(world: World) -> None:
    world.finish(3)
    world.service().turn()
    (key,) = world.bucket.contents
    assert key == f"cluster/petcare1/wal/7001/{Segment(1, 3).name}.zst"
    assert subprocess.run(
        ["zstd", "-dc"], input=world.bucket.contents[key], capture_output=True, check=True
    ).stdout == (b"log " * 1000)
    assert not list((world.path / "wal/cluster/7001-00000001").iterdir())


def test_a_mark_is_made_only_when_transactions_began_or_ended_and_names_the_object(world: World) -> None:
    working = world.service()
    working.turn()
    assert world.asked.count("mark") == 1
    world.time = 31
    working.turn()
    assert world.asked.count("mark") == 1, "nothing was written since"
    world.time, world.observed = 62, replace(world.observed, snapshot="11:11:", segment=Segment(1, 5))
    working.turn()
    assert world.asked.count("mark") == 2
    world.finish(5)
    working.turn()
    assert world.keys() == [f"{Segment(1, 5).name}-20260131T120000.000000Z.zst"]


def test_no_mark_is_made_before_its_time(world: World) -> None:
    working = world.service()
    working.turn()
    world.time, world.observed = 29, replace(world.observed, snapshot="11:11:")
    working.turn()
    assert world.asked.count("mark") == 1


def test_a_store_that_is_away_loses_nothing_and_is_said_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(_key: str, _content: bytes) -> None:
        raise ComposeOpsError("the store is away")

    working = world.service()
    world.finish(3)
    with monkeypatch.context() as broken:
        broken.setattr(world.bucket, "write", away)
        for world.time in (0, 6, 12):
            working.turn()
        assert (world.path / "wal/cluster/7001-00000001" / Segment(1, 3).name).exists()
    world.time = 18
    working.turn()
    assert world.keys() == [f"{Segment(1, 3).name}.zst"]
    assert [text for text in world.said if "away" in text] == ["the store is away", "Well again: the store is away"]


def test_a_store_that_holds_less_than_was_sent_is_not_believed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(world.bucket, "size", lambda _key: 1)
    world.finish(3)
    world.service().turn()
    assert any("The store holds 1 bytes" in text for text in world.said)
    assert (world.path / "wal/cluster/7001-00000001" / Segment(1, 3).name).exists()


def test_a_full_spool_stops_receiving_and_goes_on_when_there_is_room(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    working = world.service()
    working.turn()
    monkeypatch.setattr(working._spool, "bytes", lambda: 64 << 20)
    working.turn()
    assert not world.receiver.running
    assert any("the database keeps it" in text for text in world.said)
    monkeypatch.undo()


def test_an_ended_receiver_is_started_again_after_a_while(world: World) -> None:
    working = world.service()
    working.turn()
    world.receiver.running = False
    working.turn()
    assert "the connection was lost" in world.said[-1]
    working.turn()
    assert len(world.receiver.started) == 1
    world.time = 5
    working.turn()
    assert len(world.receiver.started) == 2


@pytest.mark.parametrize(
    ("lag", "started"),
    [
        pytest.param(Lag(0, 0), [], id="well"),
        pytest.param(Lag(9, 3600), [], id="behind, which a new base does not mend"),
        pytest.param(Lag(0, None, "a segment is missing"), ["composeops-backup@cluster.service"], id="a gap"),
        pytest.param(Lag(0, None, "of another cluster", mended_by_base=False), [], id="an empty server"),
    ],
)
def test_a_new_base_is_asked_for_where_it_mends_what_is_wrong(world: World, lag: Lag, started: list[str]) -> None:
    world.lag = lag
    working = world.service()
    for world.time in (0, 60, 120):
        working.turn()
    assert world.units() == started, "and not again before it can have been taken"


def test_another_reason_for_a_base_does_not_wait_for_the_first(world: World) -> None:
    working = world.service()
    world.lag = Lag(0, None, "there is no base backup yet")
    working.turn()
    world.time, world.lag = 60, Lag(0, None, "the newest base backup is of what was there before a restore")
    working.turn()
    assert len(world.units()) == 2


def test_the_lag_is_a_metric_and_an_unknown_one_is_no_small_number(world: World) -> None:
    world.lag = Lag(5, None, "a segment is missing")
    world.service().turn()
    text = (world.path / "state/backup.prom").read_text()
    assert 'composeops_backup_wal_lag_seconds{source="cluster",backup_host="petcare1"} inf' in text
