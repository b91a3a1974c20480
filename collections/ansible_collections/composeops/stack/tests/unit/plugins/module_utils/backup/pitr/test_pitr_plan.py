# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.backup.manifest import Manifest
from ansible_collections.composeops.stack.plugins.module_utils.backup.pitr import archive, plan
from ansible_collections.composeops.stack.plugins.module_utils.backup.pitr.archive import Archived, Log
from ansible_collections.composeops.stack.plugins.module_utils.backup.pitr.plan import Base
from ansible_collections.composeops.stack.plugins.module_utils.backup.pitr.wal import SEGMENT_SIZE, Segment
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError, InvalidInput

NOON = datetime(2026, 1, 31, 12, 0, 0, tzinfo=timezone.utc)
BASE = Base("b", "7001", 1, SEGMENT_SIZE, 4 * SEGMENT_SIZE + 40, 4 * SEGMENT_SIZE + 900, NOON)


def at(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


def log(stamped: dict[int, float | None], first: Segment = BASE.first) -> Log:
    """Segments by number, with the minute after noon until which they are complete."""
    files = [
        Archived("", Segment(1, number).name, (), None if minutes is None else at(minutes))
        for number, minutes in stamped.items()
    ]
    return archive.log(files, first)


def numbers(chosen: tuple[Archived, ...]) -> list[int]:
    return [int(one.name, 16) & 0xFF for one in chosen]


@pytest.mark.parametrize(
    ("stamped", "target", "expected"),
    [
        pytest.param({4: 1, 5: 2, 6: 3}, 1.5, [4, 5], id="between two marks"),
        pytest.param({4: 1, 5: 2, 6: 3}, 0, [4], id="the base's own end"),
        pytest.param({4: 1, 5: 2, 6: 3}, 1, [4, 5], id="on a mark, for only a later one is sure to be beyond it"),
        pytest.param({4: None, 5: None, 6: 3}, 0.5, [4, 5, 6], id="segments that filled up have no mark"),
        pytest.param({4: 1, 5: 2, 7: 3}, 1.5, [4, 5], id="a gap after it does not matter"),
    ],
)
def test_a_moment_needs_the_segments_up_to_the_first_mark_after_it(
    stamped: dict[int, float | None], target: float, expected: list[int]
) -> None:
    assert numbers(plan.segments(BASE, log(stamped), at(target))) == expected


@pytest.mark.parametrize(
    ("stamped", "target", "said"),
    [
        pytest.param({4: 1, 5: 2}, 2, "does not have the log up to 2026-01-31 12:02:00 UTC", id="the last mark"),
        pytest.param({4: 1, 5: 2}, 60, "complete until 2026-01-31T12:02:00Z", id="after everything"),
        pytest.param({4: 1, 6: 3}, 2, f"{Segment(1, 5).name} of the log is not in the store", id="a gap before it"),
        pytest.param({5: 1, 6: 3}, 2, f"{Segment(1, 4).name} of the log is not in the store", id="no beginning"),
        pytest.param({}, 2, "does not have the log", id="an empty log"),
        pytest.param({4: None}, 2, "No time after the base is known", id="no mark"),
        pytest.param({4: 1}, -1, "is before the end of base backup b", id="before the base"),
    ],
)
def test_a_moment_that_cannot_be_reached_is_refused(stamped: dict[int, float | None], target: float, said: str) -> None:
    with pytest.raises(ComposeOpsError, match="UTC") as refused:
        plan.segments(BASE, log(stamped), at(target))
    assert said in str(refused.value)


def test_without_a_moment_everything_is_taken() -> None:
    assert numbers(plan.segments(BASE, log({4: 1, 5: None, 6: None}), None)) == [4, 5, 6]


def test_without_a_moment_a_gap_is_refused_with_what_can_be_reached() -> None:
    with pytest.raises(ComposeOpsError, match="although later ones are") as refused:
        plan.segments(BASE, log({4: 1, 5: 2, 7: 3}), None)
    assert "2026-01-31T12:02:00Z" in str(refused.value)


def test_a_log_that_does_not_reach_the_end_of_its_base_is_refused() -> None:
    base = replace(BASE, stop=6 * SEGMENT_SIZE + 5)
    with pytest.raises(ComposeOpsError, match=r"up to 0/5000000 only; the base ends at 0/6000005"):
        plan.segments(base, log({4: 1}), None)


ORIGIN = {
    "system_identifier": "7001",
    "timeline": 1,
    "wal_segment_size": SEGMENT_SIZE,
    "start_lsn": "0/4000028",
}
REACHED = {"stop_lsn": "0/4000384", "stopped": "2026-01-31T12:00:00+00:00"}


def manifest(**changed: object) -> Manifest:
    origin = {name: changed.get(name, value) for name, value in ORIGIN.items()}
    reached = {name: changed.get(name, value) for name, value in REACHED.items()}
    return Manifest("b", "cluster", "petcare1", "postgres_cluster", "", "", (), origin, reached)


def test_a_base_is_read_from_its_manifest() -> None:
    assert plan.base(manifest()) == BASE
    assert BASE.first == Segment(1, 4)


@pytest.mark.parametrize("changed", [{"start_lsn": "x"}, {"stopped": "yesterday"}, {"timeline": "one"}])
def test_a_manifest_of_something_else_is_refused(changed: dict[str, object]) -> None:
    with pytest.raises(ComposeOpsError, match="no base backup"):
        plan.base(manifest(**changed))


@pytest.mark.parametrize(
    "text",
    ["2026-01-31T12:00:00Z", "2026-01-31T12:00:00+00:00", "2026-01-31 14:00:00+02:00", "2026-01-31T07:00:00-05:00"],
)
def test_a_moment_is_read_with_its_zone(text: str) -> None:
    assert plan.moment(text) == NOON


@pytest.mark.parametrize(
    ("text", "said"), [("2026-01-31T12:00:00", "no time zone"), ("yesterday", "no time"), ("", "no time")]
)
def test_a_moment_that_would_be_guessed_is_refused(text: str, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        plan.moment(text)
