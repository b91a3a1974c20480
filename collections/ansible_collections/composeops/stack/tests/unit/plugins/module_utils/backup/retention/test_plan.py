# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.backup import layout
from ansible_collections.composeops.stack.plugins.module_utils.backup.model import Entry, Level, Verification
from ansible_collections.composeops.stack.plugins.module_utils.backup.retention.plan import (
    Plan,
    Segment,
    plan,
    require_moderate,
)
from ansible_collections.composeops.stack.plugins.module_utils.backup.retention.policy import Policies, Policy
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=timezone.utc)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
ONE = Policy(daily=1)
REACH = "the last 7 d of the log of writes begin from it"


def entry(
    age: timedelta, *, source: str = "app", host: str = "h", committed: bool = True, pinned: bool = False
) -> Entry:
    created = NOW - age
    return Entry(source, host, layout.backup_id(created, "00000000"), created, committed, 100, pinned=pinned)


def proven(of: Entry, level: Level = Level.RESTORED, *, passed: bool = True) -> Entry:
    return replace(of, verifications=(Verification(of.created + HOUR, level, passed),))


def segment(age: timedelta) -> Segment:
    moment = NOW - age
    return Segment("app", "h", f"app/h/wal/00000001/{layout.stamp(moment)}", moment, 100)


def decided(
    *entries: Entry, policy: Policy = ONE, uploading: tuple[str, ...] = (), log: tuple[Segment, ...] = ()
) -> Plan:
    return plan(entries, NOW, Policies(policy), uploading=uploading, segments=log)


def why(found: Plan, of: Entry) -> tuple[str, ...]:
    (verdict,) = [verdict for verdict in found.verdicts if verdict.entry == of]
    return verdict.reasons


def removed(found: Plan) -> list[Entry]:
    return [verdict.entry for verdict in found.removed]


def days(*ages: int) -> list[Entry]:
    """Return a backup of each of so many days ago, oldest first."""
    return [entry(DAY * age) for age in sorted(ages, reverse=True)]


def test_the_newest_of_each_day_fills_its_slot_and_the_rest_goes_with_a_reason() -> None:
    morning, evening, older = entry(3 * DAY + 8 * HOUR), entry(3 * DAY + HOUR), entry(5 * DAY)
    newest = entry(2 * DAY)
    found = decided(older, morning, evening, newest, policy=Policy(daily=2))
    assert removed(found) == [older, morning]
    assert why(found, evening) == ("daily 2 of 2",)
    assert why(found, older) == why(found, morning) == ("in no slot",)
    assert [verdict.entry for verdict in found.verdicts] == [older, morning, evening, newest], "oldest first"


def test_slots_of_every_kind_are_counted_apart() -> None:
    entries = days(*range(2, 800))
    found = decided(*entries, policy=Policy(hourly=2, daily=7, weekly=4, monthly=6, yearly=3))
    kinds = [reason.split()[0] for verdict in found.kept for reason in verdict.reasons if " of " in reason]
    assert {kind: kinds.count(kind) for kind in kinds} == {
        "hourly": 2, "daily": 7, "weekly": 4, "monthly": 6, "yearly": 3
    }  # fmt: skip
    last_of_2024 = [one for one in entries if one.created.year == 2024][-1]
    assert why(found, last_of_2024) == ("yearly 3 of 3",)


def test_periods_without_a_backup_take_no_slot() -> None:
    entries = days(400, 300, 200, 100)
    assert removed(decided(*entries, policy=Policy(daily=4))) == []
    assert removed(decided(*entries, policy=Policy(daily=3))) == entries[:1]


def test_ninety_days_without_backups_age_nothing_out() -> None:
    entries = days(*range(2, 32))
    then = plan(entries, NOW, Policies(Policy(daily=30)))
    later = plan(entries, NOW + 90 * DAY, Policies(Policy(daily=30)))
    assert removed(then) == removed(later) == []


def test_of_a_period_the_one_that_was_restored_is_kept_rather_than_the_newest() -> None:
    restored, newer, newest = proven(entry(3 * DAY + 8 * HOUR)), entry(3 * DAY + HOUR), entry(2 * DAY)
    found = decided(restored, newer, newest, policy=Policy(daily=2))
    assert removed(found) == [newer]
    assert "daily 2 of 2" in why(found, restored)


def test_the_newest_is_kept_even_when_it_was_found_damaged_and_the_verified_one_before_it_too() -> None:
    entries = days(9, 8, 7, 6)
    verified, damaged = proven(entries[0]), proven(entries[3], passed=False)
    found = decided(verified, *entries[1:3], damaged)
    assert why(found, damaged) == ("newest", "found damaged, and no younger one was restored yet")
    assert "newest that was restored (L3)" in why(found, verified)
    assert "newest that was not found damaged" in why(found, entries[2])
    assert removed(found) == [entries[1]]


def test_the_newest_of_levels_2_and_3_are_kept() -> None:
    entries = days(*range(2, 10))
    restored, parsed = proven(entries[1]), proven(entries[3], Level.READABLE)
    whole = proven(entries[5], Level.INTACT)
    found = decided(entries[0], restored, entries[2], parsed, entries[4], whole, *entries[6:])
    assert why(found, restored) == ("newest that was restored (L3)",)
    assert why(found, parsed) == ("newest that was read to its end (L2)",)
    assert whole in removed(found)


def test_one_that_reached_a_point_in_time_was_restored_as_well() -> None:
    entries = days(*range(2, 8))
    reached = proven(entries[0], Level.POINT_IN_TIME)
    assert "newest that was restored (L3)" in why(decided(reached, *entries[1:]), reached)


def test_a_backup_whose_last_verification_failed_counts_as_none_of_its_levels() -> None:
    passed = Verification(NOW - 5 * DAY, Level.RESTORED, True)
    failed = Verification(NOW - 4 * DAY, Level.INTACT, False)
    older, spoilt, newest = (
        proven(entry(9 * DAY)),
        replace(entry(8 * DAY), verifications=(passed, failed)),
        entry(2 * DAY),
    )
    found = decided(older, spoilt, newest)
    assert "newest that was restored (L3)" in why(found, older)
    assert why(found, spoilt) == ("found damaged, and no younger one was restored yet",)


def test_a_damaged_one_goes_when_a_younger_one_was_restored_and_fills_no_slot() -> None:
    damaged, verified = proven(entry(9 * DAY), passed=False), proven(entry(8 * DAY))
    found = decided(damaged, verified, policy=Policy(daily=30))
    assert removed(found) == [damaged]
    assert why(found, damaged) == ("found damaged, and a younger one was restored",)


def test_a_drill_that_finds_everything_damaged_has_nothing_removed() -> None:
    assert removed(decided(*[proven(one, passed=False) for one in days(*range(2, 30))])) == []


def test_pins_are_kept_committed_or_not() -> None:
    pinned, leftover = entry(99 * DAY, pinned=True), entry(98 * DAY, pinned=True, committed=False)
    found = decided(pinned, leftover, entry(5 * DAY), entry(2 * DAY))
    assert why(found, pinned) == why(found, leftover) == ("pinned",)


def test_the_young_are_kept() -> None:
    aged, *young = [entry(HOUR * age) for age in (30, 23, 5, 1)]
    found = decided(aged, *young)
    assert removed(found) == [aged]
    assert why(found, young[1]) == ("younger than 1 d",)


def test_a_future_dated_entry_is_never_the_newest_and_takes_no_slot() -> None:
    ahead, *entries = [entry(timedelta(days=-400)), *days(4, 3, 2)]
    found = decided(ahead, *entries, policy=Policy(daily=3, yearly=1))
    assert removed(found) == []
    assert why(found, ahead) == ("dated in the future, so that nothing can be said of its age",)
    assert why(found, entries[-1])[0] == "newest"


@pytest.mark.parametrize(
    ("age", "uploading", "kept"),
    [(HOUR, False, True), (23 * HOUR, False, True), (24 * HOUR, False, False), (30 * HOUR, True, True)],
    ids=["just begun", "a day long", "left by a killed run", "long, and its upload is still there"],
)
def test_what_was_never_completed_goes_when_it_can_be_no_running_one(
    age: timedelta, uploading: bool, kept: bool
) -> None:
    half, newest = entry(age, committed=False), entry(2 * HOUR)
    found = decided(half, newest, uploading=(half.id,) if uploading else ())
    assert (half not in removed(found)) is kept
    assert "never completed" in why(found, half)[0]


def test_what_is_under_way_is_not_the_newest() -> None:
    half, newest = entry(HOUR, committed=False), entry(5 * DAY)
    assert "newest" in why(decided(half, newest), newest)


def test_hosts_and_similar_names_are_apart() -> None:
    entries = [entry(5 * DAY, source=source, host=host) for source in ("app", "app2") for host in ("h", "h2")]
    assert removed(decided(*entries)) == []


def test_a_policy_holds_for_its_source_alone() -> None:
    entries = [entry(DAY * age, source=source) for age in (6, 5, 4, 3) for source in ("app", "app2")]
    found = plan(entries, NOW, Policies(Policy(daily=4), {"app": Policy(daily=2)}))
    assert {one.source for one in removed(found)} == {"app"}
    assert len(removed(found)) == 2


def test_the_window_of_the_log_keeps_the_backup_it_begins_from_and_what_was_written_since() -> None:
    entries, log = days(12, 9, 6, 3), tuple(segment(HOUR * hours) for hours in range(1, 12 * 24, 12))
    found = decided(*entries, policy=Policy(daily=1, point_in_time=7 * DAY), log=log)
    assert why(found, entries[1]) == (REACH,)
    assert why(found, entries[2]) == (REACH,), "what was made anew meanwhile begins from no older one"
    assert removed(found) == entries[:1]
    assert found.segments == tuple(one for one in reversed(log) if one.moment < entries[1].created - HOUR)
    assert len(found.segments) > 0


def test_the_window_begins_from_a_backup_that_was_not_found_damaged() -> None:
    entries, log = days(12, 9, 3), (segment(12 * DAY), segment(HOUR))
    found = decided(entries[0], proven(entries[1], passed=False), entries[2], log=log)
    assert why(found, entries[0]) == (REACH,)
    assert found.segments == ()


def test_a_log_that_ended_keeps_its_window() -> None:
    entries, log = days(100, 95, 2), tuple(segment(DAY * age) for age in range(90, 101))
    found = decided(*entries, log=log)
    assert why(found, entries[0]) == (REACH,) and found.segments == ()


def test_no_log_is_removed_where_no_backup_is_as_old_as_the_window() -> None:
    entries, log = days(5, 3, 2), (segment(90 * DAY), segment(HOUR))
    found = decided(*entries, log=log)
    assert found.segments == ()
    assert why(found, entries[0]) == (REACH,)
    assert plan([], NOW, Policies(ONE), segments=log).segments == ()


def test_more_than_half_is_refused_unless_it_is_allowed() -> None:
    entries = days(*range(2, 12))
    require_moderate(decided(*entries, policy=Policy(daily=5)))
    with pytest.raises(
        ComposeOpsError, match=r"Nothing was removed: .* remove 6 of 10 backups of app of h; more than 50 %"
    ):
        require_moderate(decided(*entries, policy=Policy(daily=4)))
    require_moderate(decided(*entries, policy=Policy(daily=4)), 60)


def test_each_source_is_held_to_the_half_alone_and_leftovers_are_not_counted() -> None:
    large = [entry(DAY * age, source="app2") for age in range(2, 40)]
    leftovers = [entry(DAY * age, committed=False) for age in range(2, 40)]
    require_moderate(plan([*days(5, 4), *leftovers], NOW, Policies(Policy(daily=2))))
    with pytest.raises(ComposeOpsError, match="4 of 5 backups of app of h;"):
        require_moderate(plan([*days(6, 5, 4, 3, 2), *large], NOW, Policies(Policy(daily=38), {"app": ONE})))
