# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from datetime import datetime, timezone

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.backup import layout
from ansible_collections.composeops.stack.plugins.module_utils.backup.pitr import archive
from ansible_collections.composeops.stack.plugins.module_utils.backup.pitr.archive import Archived
from ansible_collections.composeops.stack.plugins.module_utils.backup.pitr.wal import Segment

NOON = datetime(2026, 1, 31, 12, 0, 0, tzinfo=timezone.utc)
LATER = datetime(2026, 1, 31, 12, 0, 30, tzinfo=timezone.utc)
BOTH = ("zstd", "age")
BEGINNING = "cluster/petcare1/wal/7001/"


def stored(number: int, complete_until: datetime | None = None, timeline: int = 1) -> Archived:
    name = Segment(timeline, number).name
    return Archived(f"{BEGINNING}{name}", name, BOTH, complete_until)


@pytest.mark.parametrize(
    ("name", "encoding", "until", "expected"),
    [
        ("000000010000000000000005", BOTH, None, "000000010000000000000005.zst.age"),
        ("000000010000000000000005", BOTH, NOON, "000000010000000000000005-20260131T120000.000000Z.zst.age"),
        ("000000010000000000000005", ("zstd",), NOON, "000000010000000000000005-20260131T120000.000000Z.zst"),
        (
            "000000010000000000000005",
            BOTH,
            NOON.replace(microsecond=250001),
            "000000010000000000000005-20260131T120000.250001Z.zst.age",
        ),
        ("00000002.history", BOTH, None, "00000002.history.zst.age"),
    ],
)
def test_a_key_is_read_back(name: str, encoding: tuple[str, ...], until: datetime | None, expected: str) -> None:
    key = archive.key("cluster", "petcare1", "7001", name, encoding=encoding, complete_until=until)
    assert key == BEGINNING + expected
    assert archive.archived(BEGINNING, [key]) == [Archived(key, name, encoding, until)]


@pytest.mark.parametrize(
    "name", ["manifest.json", "00000001000000000000000G.zst", "000000010000000000000005.gz", "a/b"]
)
def test_other_keys_are_not_ours(name: str) -> None:
    assert archive.archived(BEGINNING, [BEGINNING + name]) == []


def test_the_log_is_no_backup_in_a_listing() -> None:
    key = archive.key("cluster", "petcare1", "7001", "000000010000000000000005", encoding=BOTH)
    assert layout.entries("cluster", "petcare1", [(key, 100)]) == []


def test_a_log_ends_before_the_first_segment_that_is_missing() -> None:
    found = archive.log([stored(7), stored(4), stored(5, NOON), stored(8)], Segment(1, 4))
    assert [one.name[-1] for one in found.files] == ["4", "5"]
    assert found.end == Segment(1, 5).end
    assert found.missing == Segment(1, 6)
    assert found.complete_until == NOON


def test_a_log_that_misses_nothing_says_so() -> None:
    found = archive.log([stored(5, NOON), stored(4), stored(6)], Segment(1, 4))
    assert (found.missing, len(found.files), found.complete_until) == (None, 3, NOON)


def test_what_is_older_or_of_another_timeline_does_not_count() -> None:
    found = archive.log([stored(3, LATER), stored(4), stored(5, LATER, timeline=2)], Segment(1, 4))
    assert [one.name for one in found.files] == [Segment(1, 4).name]
    assert (found.missing, found.complete_until) == (None, None)


def test_a_log_whose_first_segment_is_missing_is_empty() -> None:
    found = archive.log([stored(6)], Segment(1, 4))
    assert (found.files, found.missing, found.end) == ((), Segment(1, 4), Segment(1, 4).number * Segment(1, 4).size)


@pytest.mark.parametrize("order", [1, -1])
def test_a_segment_that_was_sent_twice_counts_once_with_its_stamp(order: int) -> None:
    found = archive.log([stored(4), stored(4, NOON)][::order], Segment(1, 4))
    assert [one.complete_until for one in found.files] == [NOON]
