# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.backup import layout, plan
from ansible_collections.composeops.stack.plugins.module_utils.backup.model import Entry
from ansible_collections.composeops.stack.plugins.module_utils.backup.plan import MEBIBYTE, PendingUpload
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError, InvalidInput
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime(2026, 1, 31, 12, 0, tzinfo=timezone.utc)


def entry(age: timedelta, *, committed: bool = True) -> Entry:
    created = NOW - age
    return Entry("database", "h", layout.backup_id(created, "00000000"), created, committed, 100)


DAY_OLD = entry(timedelta(days=1))
HOUR_OLD = entry(timedelta(hours=1))
UNCOMMITTED = entry(timedelta(minutes=1), committed=False)
FUTURE = entry(timedelta(days=-2))


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("30m", 1800), ("24h", 86400), ("7d", 604800)], ids=str)
def test_durations(text: str, seconds: int) -> None:
    assert plan.duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "24", "h", "1.5h", "-1h", "24 h", "1w", "1h\n"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="is not a duration"):
        plan.duration(text)


def test_the_newest_is_committed_and_not_of_the_future() -> None:
    assert plan.newest([DAY_OLD, HOUR_OLD, UNCOMMITTED, FUTURE], NOW) == HOUR_OLD
    assert plan.newest([UNCOMMITTED, FUTURE], NOW) is None


def test_a_clock_a_little_ahead_is_believed() -> None:
    assert plan.newest([entry(timedelta(minutes=-4))], NOW) is not None


@pytest.mark.parametrize(
    ("entries", "initial", "older_than", "due", "sentence"),
    [
        pytest.param([], False, None, True, "there is no committed backup yet", id="none"),
        pytest.param([UNCOMMITTED], True, None, True, "there is no committed backup yet", id="only an uncommitted one"),
        pytest.param([FUTURE], True, None, True, "there is no committed backup yet", id="only one of the future"),
        pytest.param([DAY_OLD], True, None, False, "is 1 d old", id="initial and there is one"),
        pytest.param([DAY_OLD], False, None, True, "asked for", id="no condition"),
        pytest.param([HOUR_OLD], False, timedelta(hours=2), False, "1 h old, less than 2 h", id="young"),
        pytest.param([HOUR_OLD], False, timedelta(hours=1), True, "1 h old, not less than 1 h", id="exactly as old"),
        pytest.param([DAY_OLD], False, timedelta(hours=2), True, "1 d old, not less than 2 h", id="old"),
    ],
)
def test_what_is_due(
    entries: list[Entry], initial: bool, older_than: timedelta | None, due: bool, sentence: str
) -> None:
    decision = plan.decide("database", entries, NOW, initial=initial, older_than=older_than)
    assert decision.due is due
    assert sentence in decision.sentence


def test_a_restore_takes_the_newest_or_the_one_named() -> None:
    entries = [DAY_OLD, HOUR_OLD, UNCOMMITTED, FUTURE]
    assert plan.choose("database", entries, NOW, None) == HOUR_OLD
    assert plan.choose("database", entries, NOW, DAY_OLD.id) == DAY_OLD
    assert plan.choose("database", entries, NOW, FUTURE.id) == FUTURE


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        pytest.param(None, "no committed backup of database", id="newest of none"),
        pytest.param(UNCOMMITTED.id, "was never completed", id="uncommitted"),
        pytest.param("20200101T000000Z-00000000", "has no backup 20200101T000000Z", id="unknown"),
    ],
)
def test_a_restore_of_nothing_is_refused(wanted: str | None, message: str) -> None:
    with pytest.raises(ComposeOpsError, match=message):
        plan.choose("database", [UNCOMMITTED], NOW, wanted)


@given(st.integers(min_value=0, max_value=2 * 1024**4))
def test_twice_the_estimate_fits_into_parts_of_a_whole_number_of_mebibytes(estimate: int) -> None:
    size = plan.part_size(estimate)
    assert size * plan.MOST_PARTS >= 2 * estimate
    assert size >= plan.SMALLEST_PART
    assert size % MEBIBYTE == 0


def test_a_stream_too_large_for_its_parts_is_refused_before_it_begins() -> None:
    with pytest.raises(ComposeOpsError, match=r"9\.0 TiB do not fit"):
        plan.part_size(9 * 1024**4)


def test_only_old_uploads_of_this_source_and_host_are_aborted() -> None:
    def upload(key: str, age: timedelta) -> PendingUpload:
        return PendingUpload(key, key, NOW - age)

    ours = upload("app/h/x/dump", timedelta(hours=24))
    young = upload("app/h/y/dump", timedelta(hours=23, minutes=59))
    similar = upload("app2/h/x/dump", timedelta(days=9))
    other_host = upload("app/h2/x/dump", timedelta(days=9))
    assert plan.stale([ours, young, similar, other_host], "app/h/", NOW) == [ours]
