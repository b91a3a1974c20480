# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What holds of every plan, whatever there is in the bucket and whatever the policy says."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone

from ansible_collections.composeops.stack.plugins.module_utils.backup import layout
from ansible_collections.composeops.stack.plugins.module_utils.backup.model import Entry, Level, Verification
from ansible_collections.composeops.stack.plugins.module_utils.backup.retention.plan import (
    Plan,
    Segment,
    plan,
    require_moderate,
)
from ansible_collections.composeops.stack.plugins.module_utils.backup.retention.policy import PERIODS, Policies, Policy
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from hypothesis import given, settings
from hypothesis import strategies as st

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=timezone.utc)
DAY = timedelta(days=1)

UNHURRIED = settings(deadline=None)
"""How busy the machine is says nothing about a plan."""
GROUPS = [("app", "h"), ("app2", "h"), ("app", "h2")]
MINUTES = st.integers(min_value=-3 * 1440, max_value=500 * 1440)

verifications = st.lists(
    st.builds(
        Verification,
        st.integers(min_value=0, max_value=10**6).map(lambda minutes: NOW - timedelta(minutes=minutes)),
        st.sampled_from([level for level in Level if level]),
        st.booleans(),
    ),
    max_size=3,
).map(lambda found: tuple(sorted(found, key=lambda one: one.moment)))


@st.composite
def buckets(draw: st.DrawFn) -> list[Entry]:
    """A bucket with backups of several sources and hosts, of any age, damaged, pinned, half or dated ahead."""
    found = []
    for number, (group, minutes) in enumerate(draw(st.lists(st.tuples(st.sampled_from(GROUPS), MINUTES), max_size=40))):
        created = NOW - timedelta(minutes=minutes)
        found.append(
            Entry(
                *group,
                layout.backup_id(created, f"{number:08x}"),
                created,
                draw(st.integers(0, 9)) > 0,
                1,
                verifications=draw(verifications) if draw(st.booleans()) else (),
                pinned=draw(st.integers(0, 9)) == 0,
            )
        )
    return found


policies = st.builds(
    Policy,
    **{kind: st.integers(0, 5) for kind in PERIODS},
    minimum_age=st.integers(0, 48).map(lambda hours: timedelta(hours=hours)),
    point_in_time=st.integers(0, 30).map(lambda days: timedelta(days=days)),
)

logs = st.lists(
    st.tuples(st.sampled_from(GROUPS), MINUTES).map(
        lambda found: Segment(
            *found[0], f"{found[0][0]}/{found[0][1]}/wal/{found[1]}", NOW - timedelta(minutes=found[1]), 1
        )
    ),
    max_size=30,
    unique_by=lambda segment: segment.key,
)


def survivors(found: Plan) -> list[Entry]:
    return [verdict.entry for verdict in found.kept]


def ids(entries: list[Entry]) -> set[str]:
    return {entry.id for entry in entries}


def credible(bucket: list[Entry], group: tuple[str, str]) -> list[Entry]:
    """The backups of a source of a host that a restore would take, oldest first."""
    there = [entry for entry in bucket if entry.committed and entry.created <= NOW + timedelta(minutes=5)]
    return sorted(
        (entry for entry in there if (entry.source, entry.host) == group), key=lambda entry: (entry.created, entry.id)
    )


@UNHURRIED
@given(buckets(), policies)
def test_the_newest_committed_of_level_2_and_of_level_3_stay(bucket: list[Entry], policy: Policy) -> None:
    kept = ids(survivors(plan(bucket, NOW, Policies(policy))))
    for group in GROUPS:
        for level in (Level.COMMITTED, Level.READABLE, Level.RESTORED):
            newest = [entry for entry in credible(bucket, group) if entry.level >= level][-1:]
            assert ids(newest) <= kept
        assert ids([entry for entry in credible(bucket, group) if not entry.failed][-1:]) <= kept


@UNHURRIED
@given(buckets(), policies)
def test_every_entry_has_one_verdict_with_a_reason(bucket: list[Entry], policy: Policy) -> None:
    found = plan(bucket, NOW, Policies(policy))
    assert sorted(verdict.entry.id for verdict in found.verdicts) == sorted(entry.id for entry in bucket)
    assert all(verdict.reasons and all(verdict.reasons) for verdict in found.verdicts)


@UNHURRIED
@given(buckets(), policies)
def test_pins_and_what_may_be_under_way_stay(bucket: list[Entry], policy: Policy) -> None:
    gone = [verdict.entry for verdict in plan(bucket, NOW, Policies(policy)).removed]
    assert not [entry for entry in gone if entry.pinned]
    assert not [entry for entry in gone if not entry.committed and entry.created > NOW - DAY]
    assert not [entry for entry in gone if entry.committed and entry.created > NOW - policy.minimum_age]


@UNHURRIED
@given(buckets(), policies)
def test_what_is_being_sent_stays(bucket: list[Entry], policy: Policy) -> None:
    half = [entry.id for entry in bucket if not entry.committed]
    gone = plan(bucket, NOW, Policies(policy), uploading=half).removed
    assert [verdict.entry for verdict in gone if not verdict.entry.committed] == []


@UNHURRIED
@given(buckets(), policies, logs)
def test_planning_again_removes_nothing(bucket: list[Entry], policy: Policy, log: list[Segment]) -> None:
    first = plan(bucket, NOW, Policies(policy), segments=log)
    rest = [segment for segment in log if segment not in first.segments]
    second = plan(survivors(first), NOW, Policies(policy), segments=rest)
    assert second.removed == () and second.segments == ()


@UNHURRIED
@given(buckets(), policies)
def test_sources_and_hosts_do_not_matter_to_each_other(bucket: list[Entry], policy: Policy) -> None:
    together = {verdict.entry.id: verdict for verdict in plan(bucket, NOW, Policies(policy)).verdicts}
    for group in GROUPS:
        alone = plan([entry for entry in bucket if (entry.source, entry.host) == group], NOW, Policies(policy))
        assert all(together[verdict.entry.id] == verdict for verdict in alone.verdicts)


@UNHURRIED
@given(buckets(), policies, st.integers(1, 3650))
def test_time_without_backups_ages_nothing_out_that_was_a_backup(
    bucket: list[Entry], policy: Policy, days: int
) -> None:
    # What was never completed does age; and what was dated ahead becomes credible when its time comes.
    mature = [entry for entry in bucket if entry.committed and entry.created <= NOW]
    kept = survivors(plan(mature, NOW, Policies(replace(policy, minimum_age=timedelta(0)))))
    later = plan(kept, NOW + days * DAY, Policies(replace(policy, minimum_age=timedelta(0))))
    assert later.removed == ()


@UNHURRIED
@given(buckets(), policies, st.lists(st.integers(6, 10**6), min_size=1, max_size=20))
def test_entries_dated_ahead_change_nothing_of_the_others(
    bucket: list[Entry], policy: Policy, ahead: list[int]
) -> None:
    moments = [NOW + timedelta(minutes=minutes) for minutes in ahead]
    future = [
        Entry("app", "h", layout.backup_id(moment, f"f{number:07x}"), moment, True, 1)
        for number, moment in enumerate(moments)
    ]
    without = {verdict.entry.id: verdict for verdict in plan(bucket, NOW, Policies(policy)).verdicts}
    found = plan([*bucket, *future], NOW, Policies(policy))
    assert {verdict.entry.id: verdict for verdict in found.verdicts if verdict.entry not in future} == without
    assert ids(future) <= ids(survivors(found))


@UNHURRIED
@given(buckets(), policies, logs)
def test_every_moment_of_the_window_that_could_be_reached_still_can(
    bucket: list[Entry], policy: Policy, log: list[Segment]
) -> None:
    """From each moment of the window back to a sound backup, no segment is missing that was there."""
    found = plan(bucket, NOW, Policies(policy), segments=log)
    for group in GROUPS:
        moments = [segment.moment for segment in log if (segment.source, segment.host) == group]
        if not moments:
            continue
        start = min(NOW, max(moments)) - policy.point_in_time
        every = [entry for entry in credible(bucket, group) if not entry.failed]
        sound = [entry for entry in every if entry.created <= start]
        assert ids(every[max(0, len(sound) - 1) :]) <= ids(survivors(found))
        gone = [segment for segment in found.segments if (segment.source, segment.host) == group]
        if not sound:
            assert gone == []
            continue
        assert all(segment.moment < sound[-1].created for segment in gone)


@UNHURRIED
@given(buckets(), policies)
def test_no_more_than_half_goes_unless_it_is_allowed(bucket: list[Entry], policy: Policy) -> None:
    found = plan(bucket, NOW, Policies(policy))
    gone = [verdict.entry for verdict in found.removed if verdict.entry.committed]
    most = 0.0
    for group in GROUPS:
        there = [entry for entry in bucket if entry.committed and (entry.source, entry.host) == group]
        if there:
            most = max(most, len([entry for entry in gone if (entry.source, entry.host) == group]) / len(there))
    try:
        require_moderate(found)
        refused = False
    except ComposeOpsError:
        refused = True
    assert refused is (most > 0.5)
    require_moderate(found, 100)
