# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.backup.pitr import wal
from ansible_collections.composeops.stack.plugins.module_utils.backup.pitr.wal import MEBIBYTE, Segment
from hypothesis import given
from hypothesis import strategies as st

SIZES = st.sampled_from([MEBIBYTE, 16 * MEBIBYTE, 1024 * MEBIBYTE])


@pytest.mark.parametrize(
    ("text", "expected"),
    [("0/0", 0), ("0/2000028", 0x2000028), ("16/B374D848", 0x16B374D848), ("FFFFFFFF/FFFFFFFF", 2**64 - 1)],
)
def test_a_position_is_read(text: str, expected: int) -> None:
    assert wal.position(text) == expected


@pytest.mark.parametrize("text", ["", "0", "16/b374d848", "0/2000028\n", "1/2/3", "123456789/0"])
def test_what_is_no_position_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no position"):
        wal.position(text)


@pytest.mark.parametrize(
    ("timeline", "lsn", "size", "name"),
    [
        (1, "0/2000028", 16, "000000010000000000000002"),
        (1, "0/FFFFFFFF", 16, "0000000100000000000000FF"),
        (1, "1/0", 16, "000000010000000100000000"),
        (27, "A/12345678", 16, "0000001B0000000A00000012"),
        (1, "1/3FFFFFFF", 1024, "000000010000000100000000"),
        (1, "0/100000", 1, "000000010000000000000001"),
    ],
)
def test_a_segment_has_the_name_postgresql_gives_it(timeline: int, lsn: str, size: int, name: str) -> None:
    assert wal.segment_at(timeline, wal.position(lsn), size * MEBIBYTE).name == name


@given(timeline=st.integers(1, 2**32 - 1), number=st.integers(0, 2**30), size=SIZES)
def test_a_name_leads_back_to_its_segment(timeline: int, number: int, size: int) -> None:
    found = Segment(timeline, number, size)
    assert wal.segment(found.name, size) == found


@given(number=st.integers(0, 2**30), size=SIZES)
def test_segments_follow_without_a_gap(number: int, size: int) -> None:
    one = Segment(1, number, size)
    assert wal.segment_at(1, one.end, size) == one.next
    assert wal.segment_at(1, one.end - 1, size) == one


@pytest.mark.parametrize(
    "name", ["000000010000000000000002.partial", "00000002.history", "00000001000000000000000g", "", "base.tar"]
)
def test_other_files_are_no_segments(name: str) -> None:
    assert wal.segment(name) is None


@pytest.mark.parametrize(
    ("name", "expected"), [("00000002.history", 2), ("0000001B.history", 27), ("2.history", None), ("x", None)]
)
def test_a_history_file_names_its_timeline(name: str, expected: int | None) -> None:
    assert wal.history(name) == expected
    assert expected is None or wal.history_name(expected) == name
