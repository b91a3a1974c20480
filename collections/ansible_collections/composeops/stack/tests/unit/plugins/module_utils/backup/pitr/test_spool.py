# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.backup.pitr.server import Mark
from ansible_collections.composeops.stack.plugins.module_utils.backup.pitr.spool import MARKS, Spool
from ansible_collections.composeops.stack.plugins.module_utils.backup.pitr.wal import Segment
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError

NOON = datetime(2026, 1, 31, 12, tzinfo=timezone.utc)


def mark(number: int, system: str = "7001") -> Mark:
    return Mark(system, Segment(1, number).name, NOON, f"{number}:{number}:")


@pytest.fixture(name="spool")
def spool_fixture(tmp_path: Path) -> Spool:
    return Spool("cluster", str(tmp_path))


def receive(spool: Spool, *names: str, system: str = "7001", timeline: int = 1) -> None:
    directory = Path(spool.receiving(system, timeline))
    for name in names:
        (directory / name).write_bytes(b"x" * 10)


def test_finished_files_wait_oldest_first_with_their_marks(spool: Spool) -> None:
    receive(spool, Segment(1, 5).name, Segment(1, 4).name, f"{Segment(1, 6).name}.partial", "00000002.history")
    spool.add(mark(4))
    waiting = spool.waiting()
    assert [one.name for one in waiting] == [Segment(1, 4).name, Segment(1, 5).name, "00000002.history"]
    assert [one.complete_until for one in waiting] == [NOON, None, None]
    assert {one.system for one in waiting} == {"7001"}
    assert spool.bytes() == 30


def test_a_mark_of_another_cluster_is_none_of_a_segment_of_the_same_name(spool: Spool) -> None:
    receive(spool, Segment(1, 4).name)
    spool.add(mark(4, system="7002"))
    assert [one.complete_until for one in spool.waiting()] == [None]


def test_what_another_timeline_and_another_cluster_left_is_sent_as_well(spool: Spool) -> None:
    receive(spool, Segment(1, 4).name)
    receive(spool, Segment(2, 4).name, timeline=2)
    receive(spool, Segment(1, 1).name, system="7002")
    assert [(one.system, one.name) for one in spool.waiting()] == [
        ("7001", Segment(1, 4).name),
        ("7001", Segment(2, 4).name),
        ("7002", Segment(1, 1).name),
    ]


def test_what_was_received_in_part_is_received_anew(spool: Spool) -> None:
    receive(spool, Segment(1, 4).name, f"{Segment(1, 5).name}.partial")
    directory = Path(spool.receiving("7001", 1))
    assert [path.name for path in directory.iterdir()] == [Segment(1, 4).name]


def test_what_was_sent_is_gone_and_the_newest_mark_is_kept(spool: Spool) -> None:
    receive(spool, Segment(1, 4).name, Segment(1, 5).name)
    for number in (4, 5):
        spool.add(mark(number))
    spool.sent(spool.waiting()[0])
    assert [one.name for one in spool.waiting()] == [Segment(1, 5).name]
    assert spool.marks() == [mark(5)]
    spool.sent(spool.waiting()[0])
    assert spool.waiting() == []
    assert spool.marks() == [mark(5)], "it says what was written since"


def test_a_service_that_was_killed_finds_its_marks_again(spool: Spool, tmp_path: Path) -> None:
    spool.add(mark(4))
    assert Spool("cluster", str(tmp_path)).marks() == [mark(4)]


def test_marks_that_cannot_be_read_are_named(spool: Spool) -> None:
    (Path(spool.directory) / MARKS).write_text('[{"system": 1}]')
    with pytest.raises(ComposeOpsError, match=r"marks\.json cannot be read"):
        spool.marks()
