# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.backup.pitr import archive
from ansible_collections.composeops.stack.plugins.module_utils.backup.pitr.archive import Archived
from ansible_collections.composeops.stack.plugins.module_utils.backup.pitr.lag import Lag, lag
from ansible_collections.composeops.stack.plugins.module_utils.backup.pitr.wal import SEGMENT_SIZE, Segment

NOW = datetime(2026, 1, 31, 12, 1, 0, tzinfo=timezone.utc)
NOON = datetime(2026, 1, 31, 12, 0, 0, tzinfo=timezone.utc)
MINUTE = timedelta(minutes=1)


def log(*numbers: int, until: datetime | None = NOON) -> archive.Log:
    """The log from segment 4 on; the last of ``numbers`` is complete until noon."""
    files = [Archived("", Segment(1, number).name, (), until if number == numbers[-1] else None) for number in numbers]
    return archive.log(files, Segment(1, 4))


@pytest.mark.parametrize(
    ("there", "position", "marked", "expected"),
    [
        pytest.param(log(4, 5), 6 * SEGMENT_SIZE, 6 * SEGMENT_SIZE, Lag(0, 0), id="nothing was written since"),
        pytest.param(log(4, 5), 6 * SEGMENT_SIZE + 90, 6 * SEGMENT_SIZE, Lag(90, 0), id="the server wrote for itself"),
        pytest.param(log(4, 5), 6 * SEGMENT_SIZE + 90, None, Lag(90, 60), id="somebody wrote"),
        pytest.param(
            log(4, 5), 7 * SEGMENT_SIZE, 7 * SEGMENT_SIZE, Lag(SEGMENT_SIZE, 60), id="a marked segment is not there yet"
        ),
        pytest.param(
            log(4, 6), 7 * SEGMENT_SIZE, None, Lag(2 * SEGMENT_SIZE, None, f"segment {Segment(1, 5).name} is missing "
            "in the store"), id="a segment was lost"
        ),
        pytest.param(log(), 5 * SEGMENT_SIZE, None, Lag(SEGMENT_SIZE, None), id="nothing is there"),
        pytest.param(log(4, until=None), 5 * SEGMENT_SIZE + 1, None, Lag(1, None), id="no moment is known"),
        pytest.param(log(4, 5), 5 * SEGMENT_SIZE, None, Lag(0, 60), id="the bucket is ahead of what was read before"),
    ],
)  # fmt: skip
def test_the_lag(there: archive.Log, position: int, marked: int | None, expected: Lag) -> None:
    assert lag(there, position=position, marked=marked, now=NOW) == expected


def test_a_clock_that_went_back_makes_no_negative_lag() -> None:
    assert lag(log(4), position=SEGMENT_SIZE * 6, marked=None, now=NOON - MINUTE).seconds == 0


@pytest.mark.parametrize(
    ("one", "expected"),
    [(Lag(9, 60), True), (Lag(9, 61), False), (Lag(9, None), False), (Lag(9, 0, "a segment is missing"), False)],
)
def test_a_limit_holds_only_where_the_lag_is_known(one: Lag, expected: bool) -> None:
    assert one.within(MINUTE) is expected


@pytest.mark.parametrize(
    ("one", "text"),
    [(Lag(2048, 42), "42 s, 2.0 KiB"), (Lag(0, None), "nothing is known"), (Lag(0, 0, "a segment"), "a segment")],
)
def test_the_lag_is_told(one: Lag, text: str) -> None:
    assert text in str(one)
