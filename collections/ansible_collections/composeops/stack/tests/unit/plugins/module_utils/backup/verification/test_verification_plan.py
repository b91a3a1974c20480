# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.backup import layout
from ansible_collections.composeops.stack.plugins.module_utils.backup.model import Entry, Level, Verification
from ansible_collections.composeops.stack.plugins.module_utils.backup.verification import plan
from ansible_collections.composeops.stack.plugins.module_utils.errors import InvalidInput

NOW = datetime(2026, 1, 31, 12, 0, tzinfo=timezone.utc)


def proof(level: int, hours: float, *, passed: bool = True) -> Verification:
    return Verification(NOW - timedelta(hours=hours), Level(level), passed)


def entry(hours: float, *verifications: Verification, committed: bool = True) -> Entry:
    created = NOW - timedelta(hours=hours)
    identifier = layout.backup_id(created, "00000000")
    return Entry("database", "h", identifier, created, committed, 1, verifications=verifications)


@pytest.mark.parametrize(
    ("entries", "hours"),
    [
        ([], None),
        ([entry(9)], None),
        ([entry(9, proof(2, 5))], None),
        ([entry(9, proof(3, 5))], 5),
        ([entry(9, proof(4, 5))], 5),
        ([entry(9, proof(3, 5), proof(2, 1))], 5),
        ([entry(9, proof(3, 5)), entry(30, proof(3, 2))], 2),
        ([entry(9, proof(3, 5), proof(1, 1, passed=False))], None),
        ([entry(9, proof(3, 5, passed=False))], None),
        ([entry(9, proof(1, 5, passed=False), proof(3, 2))], 2),
        ([entry(9, proof(3, 5), committed=False)], None),
        ([entry(9, proof(3, -5))], None),
    ],
    ids=[
        *("nothing", "never", "read only", "restored", "point in time", "read again later", "an older backup later"),
        *("damaged since", "failed", "well again", "not committed", "in the future"),
    ],
)
def test_verified_is_what_was_restored_and_not_found_damaged_since(entries: list[Entry], hours: float | None) -> None:
    expected = None if hours is None else NOW - timedelta(hours=hours)
    assert plan.last_verified(entries, NOW) == expected


def test_a_lower_level_is_proven_by_a_higher_one() -> None:
    assert plan.last_verified([entry(9, proof(3, 5))], NOW, Level.INTACT) == NOW - timedelta(hours=5)


def test_the_newest_verified_backup_is_not_one_of_the_future_and_not_a_damaged_one() -> None:
    good, better = entry(9, proof(3, 5)), entry(5, proof(3, 4))
    damaged, future = entry(2, proof(1, 1, passed=False)), entry(-50, proof(3, 1))
    assert plan.newest_verified([better, good, damaged, future, entry(1)], NOW) == better
    assert plan.newest_verified([damaged, future], NOW) is None


@pytest.mark.parametrize(
    ("entries", "older_than", "due", "said"),
    [
        ([entry(1)], None, True, r"to level 3: backup \S+\.$"),
        ([entry(1)], 24, True, "none was before"),
        ([entry(1), entry(30, proof(3, 23))], 24, False, "verified 23 h ago, less than 1 d"),
        ([entry(1), entry(30, proof(3, 24))], 24, True, "the last time was 1 d ago"),
        ([entry(1, proof(2, 1))], 24, True, "none was before"),
    ],
    ids=["asked for", "never", "of late", "as long ago as that", "not so far"],
)
def test_what_is_due(entries: list[Entry], older_than: int | None, due: bool, said: str) -> None:
    limit = None if older_than is None else timedelta(hours=older_than)
    decision = plan.decide(entries[0], entries, NOW, Level.RESTORED, limit)
    assert decision.due is due
    assert re.search(said, decision.sentence), decision.sentence


def test_reading_is_no_part_of_what_a_restore_takes() -> None:
    assert plan.rto({"fetch": 1.0, "read": 5.0, "start": 2.0, "restore": 3.0}) == 6.0


@pytest.mark.parametrize("number", [-1, 0, 5])
def test_there_are_four_levels(number: int) -> None:
    assert [plan.level(known) for known in (1, 2, 3, 4)] == list(plan.LEVELS)
    with pytest.raises(InvalidInput, match="There is no level"):
        plan.level(number)


@pytest.mark.parametrize(
    ("newest", "others", "shown"),
    [
        (None, [], "no"),
        (entry(1), [], "no"),
        (entry(1), [entry(30, proof(3, 2))], "2 h ago"),
        (entry(1, proof(1, 0.5, passed=False)), [entry(30, proof(3, 2))], "no, the newest is damaged"),
    ],
    ids=["nothing", "never", "an older one", "the newest is damaged"],
)
def test_the_column_verified(newest: Entry | None, others: list[Entry], shown: str) -> None:
    assert plan.shown(newest, [*others, *([newest] if newest else [])], NOW) == shown
