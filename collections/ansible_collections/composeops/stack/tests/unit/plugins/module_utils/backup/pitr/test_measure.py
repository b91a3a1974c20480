# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.backup import manifest
from ansible_collections.composeops.stack.plugins.module_utils.backup.manifest import Manifest
from ansible_collections.composeops.stack.plugins.module_utils.backup.model import Settings, Source, Store
from ansible_collections.composeops.stack.plugins.module_utils.backup.pitr import archive, measure
from ansible_collections.composeops.stack.plugins.module_utils.backup.pitr.lag import Lag
from ansible_collections.composeops.stack.plugins.module_utils.backup.pitr.server import Mark, Observed
from ansible_collections.composeops.stack.plugins.module_utils.backup.pitr.spool import Spool
from ansible_collections.composeops.stack.plugins.module_utils.backup.pitr.wal import SEGMENT_SIZE, Segment
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.tests.unit.support.buckets import MemoryBucket
from ansible_collections.composeops.stack.tests.unit.support.recorded import RecordedRunner

NOON = datetime(2026, 1, 31, 12, tzinfo=timezone.utc)
NOW = NOON + timedelta(seconds=40)
BASE = "20260131T110000Z-0a1b2c3d"
CLUSTER = Source("cluster", "postgres_cluster", "shop", "db", "postgres", "app")
OTHER = Source("redis", "redis", "shop", "redis")
SETTINGS = Settings("petcare1", Store("backups", "id", "hush"), (CLUSTER, OTHER))


class Counting(MemoryBucket):
    """A bucket that notes what it was asked to list."""

    def __init__(self) -> None:
        super().__init__()
        self.listed: list[str] = []

    def objects(self, prefix: str) -> Any:
        self.listed.append(prefix)
        return iter([(key, len(content)) for key, content in sorted(self.contents.items()) if key.startswith(prefix)])


def filled(*segments: Segment, timeline: int = 1, start: str = "0/4000028") -> Counting:
    """A base backup that begins in segment 4, and segments that are complete until noon."""
    bucket = Counting()
    origin = {"system_identifier": "7001", "timeline": timeline, "wal_segment_size": SEGMENT_SIZE, "start_lsn": start}
    reached = {"stop_lsn": start, "stopped": "2026-01-31T11:01:00+00:00"}
    made = Manifest(BASE, "cluster", "petcare1", "postgres_cluster", "", "", (), origin, reached)
    bucket.contents[f"cluster/petcare1/{BASE}/manifest.json"] = manifest.serialise(made)
    for segment in segments:
        key = archive.key("cluster", "petcare1", "7001", segment.name, encoding=("zstd",), complete_until=NOON)
        bucket.contents[key] = b"log"
    return bucket


def observed(
    number: int, *, system: str = "7001", timeline: int = 1, snapshot: str = "9:9:", slot: str = "reserved"
) -> Observed:
    slots = {"composeops_wal_cluster": slot}
    return Observed(system, Segment(timeline, number), number * SEGMENT_SIZE + 100, snapshot, slots)


def lag(bucket: Any, seen: Observed, spool: Path, mark: Mark | None = None) -> Lag:
    spooled = Spool("cluster", str(spool))
    if mark is not None:
        spooled.add(mark)
    return measure.of(bucket, "petcare1", seen, spooled, NOW)


def test_what_was_written_since_the_newest_moment_is_the_lag(tmp_path: Path) -> None:
    assert lag(filled(Segment(1, 4), Segment(1, 5)), observed(6), tmp_path) == Lag(100, 40)


def test_nothing_is_behind_while_no_transaction_has_begun_or_ended_since_the_last_mark(tmp_path: Path) -> None:
    mark = Mark("7001", Segment(1, 5).name, NOON, "9:9:")
    assert lag(filled(Segment(1, 4), Segment(1, 5)), observed(6), tmp_path, mark) == Lag(100, 0)
    assert lag(filled(Segment(1, 4)), observed(6), tmp_path, mark).seconds == 40, "it has not arrived"
    assert lag(filled(Segment(1, 4), Segment(1, 5)), observed(6, snapshot="9:10:"), tmp_path, mark).seconds == 40


@pytest.mark.parametrize(
    ("seen", "problem", "mended"),
    [
        pytest.param(observed(6, timeline=2), "before a restore", True, id="a restore began another timeline"),
        pytest.param(observed(6, system="7002"), "of another cluster", False, id="an empty server was deployed"),
        pytest.param(observed(9, slot="lost"), "the server gave up a part of the log", False, id="a slot was lost"),
        pytest.param(observed(9), f"segment {Segment(1, 5).name} is missing", True, id="a gap"),
    ],
)
def test_what_a_restore_could_not_pass_is_a_problem(tmp_path: Path, seen: Observed, problem: str, mended: bool) -> None:
    found = lag(filled(Segment(1, 4), Segment(1, 7)), seen, tmp_path)
    assert problem in found.problem
    assert found.mended_by_base is mended


def test_without_a_base_there_is_nothing_to_restore(tmp_path: Path) -> None:
    assert lag(Counting(), observed(6), tmp_path).problem == "there is no base backup yet"


def test_no_older_part_of_the_log_is_listed_than_since_the_base(tmp_path: Path) -> None:
    bucket = filled(Segment(1, 700), Segment(1, 10), start="2/BC000028")
    lag(bucket, observed(800), tmp_path)
    assert [prefix.rsplit("/", 1)[1] for prefix in bucket.listed[1:]] == ["0000000100000002", "0000000100000003"]


def test_only_sources_with_a_log_are_looked_at_and_one_that_does_not_answer_fails_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def silent(*_: object) -> Lag:
        raise ComposeOpsError("The server does not answer.")

    monkeypatch.setattr(measure, "measure", silent)
    found = measure.looked_at(SETTINGS, (CLUSTER, OTHER), RecordedRunner())
    assert found == {"cluster": Lag(0, None, "The server does not answer")}
    (table,) = measure.table(found)
    assert table["rows"] == [["cluster", "The server does not answer"]]
    assert measure.table({}) == []
