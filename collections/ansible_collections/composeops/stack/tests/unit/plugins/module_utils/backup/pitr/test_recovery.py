# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import math
import os
import subprocess
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.backup.damage import Damaged
from ansible_collections.composeops.stack.plugins.module_utils.backup.manifest import Manifest
from ansible_collections.composeops.stack.plugins.module_utils.backup.model import Entry, Level, Verification
from ansible_collections.composeops.stack.plugins.module_utils.backup.pitr import archive
from ansible_collections.composeops.stack.plugins.module_utils.backup.pitr.fetch_log import fetched_log
from ansible_collections.composeops.stack.plugins.module_utils.backup.pitr.recovery import choose, recovery
from ansible_collections.composeops.stack.plugins.module_utils.backup.pitr.wal import SEGMENT_SIZE, Segment
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.tests.unit.support.buckets import MemoryBucket

NOON = datetime(2026, 1, 31, 12, tzinfo=timezone.utc)
NOW = NOON + timedelta(hours=10)
TAKES = timedelta(minutes=10)


def entry(hour: int, *, committed: bool = True, failed: bool = False) -> Entry:
    verifications = (Verification(NOW, Level.RESTORED, False),) if failed else ()
    created = NOON + timedelta(hours=hour)
    return Entry("cluster", "petcare1", f"b{hour}", created, committed, 1, verifications=verifications)


def read(one: Entry) -> Manifest:
    """A base backup takes ten minutes."""
    return Manifest(
        one.id, one.source, one.host, "postgres_cluster", "", "", (),
        {"system_identifier": "7001", "timeline": 1, "wal_segment_size": SEGMENT_SIZE, "start_lsn": "0/4000028"},
        {"stop_lsn": "0/4000384", "stopped": (one.created + TAKES).isoformat()},
    )  # fmt: skip


def chosen(entries: list[Entry], target: datetime | None, wanted: str | None = None) -> str:
    found, manifest = choose("cluster", entries, NOW, wanted=wanted, target=target, read=read)
    assert found.id == manifest.id
    return found.id


THREE = [entry(0), entry(1), entry(2)]


@pytest.mark.parametrize(
    ("entries", "target", "expected"),
    [
        pytest.param(THREE, None, "b2", id="the end of the log, from the newest"),
        pytest.param(THREE, NOON + timedelta(hours=1, minutes=30), "b1", id="the last one before it"),
        pytest.param(THREE, NOON + timedelta(hours=1) + TAKES, "b1", id="the moment it ended"),
        pytest.param(THREE, NOON + timedelta(hours=1, minutes=5), "b0", id="one that was being taken then is too late"),
        pytest.param([entry(0), entry(1, committed=False)], NOW, "b0", id="one that was never committed"),
        pytest.param([entry(0), entry(1, failed=True)], NOW, "b0", id="one that is known to be bad"),
    ],
)
def test_the_base_before_a_moment_is_taken(entries: list[Entry], target: datetime | None, expected: str) -> None:
    assert chosen(entries, target) == expected


def test_a_base_that_is_named_is_taken() -> None:
    assert chosen(THREE, NOW, wanted="b0") == "b0"


def test_no_more_manifests_are_read_than_needed() -> None:
    asked: list[str] = []

    def noted(one: Entry) -> Manifest:
        asked.append(one.id)
        return read(one)

    choose("cluster", THREE, NOW, wanted=None, target=NOON + timedelta(hours=1, minutes=30), read=noted)
    assert asked == ["b1"]


@pytest.mark.parametrize("entries", [[], THREE])
def test_a_moment_before_every_base_is_refused(entries: list[Entry]) -> None:
    with pytest.raises(ComposeOpsError, match="no base backup of cluster that ended before 2026-01-31 11:00:00 UTC"):
        chosen(entries, NOON - timedelta(hours=1))


def keys(names: dict[str, datetime | None]) -> list[str]:
    return [
        archive.key("cluster", "petcare1", "7001", name, encoding=("zstd",), complete_until=stamp)
        for name, stamp in names.items()
    ]


def test_a_recovery_takes_the_segments_up_to_its_moment() -> None:
    there = keys({
        Segment(1, 4).name: NOON + timedelta(minutes=20),
        Segment(1, 5).name: NOON + timedelta(minutes=30),
        Segment(1, 6).name: None,
    })  # fmt: skip
    found = recovery(read(entry(0)), there, NOON + timedelta(minutes=15))
    assert [one.name for one in found.files] == [Segment(1, 4).name]
    assert found.bytes == SEGMENT_SIZE
    assert "2026-01-31 12:15:00" in str(found)
    everything = recovery(read(entry(0)), there, None)
    assert [one.name for one in everything.files] == [Segment(1, number).name for number in (4, 5, 6)]
    assert str(everything) == f"the end of the log, {Segment(1, 6).name}"


@pytest.mark.parametrize(
    ("more", "taken"),
    [
        pytest.param([], (), id="none"),
        pytest.param(["00000002.history"], (2,), id="a restore before this one"),
        pytest.param([Segment(3, 4).name], (2, 3), id="one whose history never came, and all before it"),
    ],
)
def test_a_recovery_does_not_reuse_a_timeline(more: list[str], taken: tuple[int, ...]) -> None:
    there = keys({Segment(1, 4).name: NOON + timedelta(minutes=20), **dict.fromkeys(more)})
    assert recovery(read(entry(0)), there, NOON + timedelta(minutes=15)).taken == taken


def test_segments_are_fetched_whole_and_taken_timelines_are_reserved(tmp_path: Path) -> None:
    name, content = Segment(1, 4).name, b"log " * (SEGMENT_SIZE // 4)
    there = keys({name: NOON + timedelta(minutes=20), "00000002.history": None})
    packed = subprocess.run(["zstd", "-c"], input=content, capture_output=True, check=True).stdout
    found = recovery(read(entry(0)), there, NOON + timedelta(minutes=15))
    directory = tmp_path / "wal"
    bucket: Any = MemoryBucket({there[0]: packed})
    with fetched_log(bucket, found, str(directory), None, deadline=math.inf) as log:
        assert (Path(log) / name).read_bytes() == content
        assert sorted(os.listdir(log)) == [name, "00000002.history"]
        assert os.stat(f"{log}/{name}").st_mode & 0o777 == 0o644, "the server that reads it is not root"
    assert not directory.exists()


@pytest.mark.parametrize("packed", [b"short", b""])
def test_a_damaged_segment_reaches_no_server(tmp_path: Path, packed: bytes) -> None:
    there = keys({Segment(1, 4).name: NOON + timedelta(minutes=20)})
    found = recovery(read(entry(0)), there, NOON + timedelta(minutes=15))
    whole = subprocess.run(["zstd", "-c"], input=packed, capture_output=True, check=True).stdout
    for stored in (packed, whole, whole[:-3]):
        bucket: Any = MemoryBucket({there[0]: stored})
        fetching = fetched_log(bucket, found, str(tmp_path / "w"), None, deadline=math.inf)
        with pytest.raises(Damaged), fetching:
            pytest.fail("it was given to a server")
    assert not (tmp_path / "w").exists()
