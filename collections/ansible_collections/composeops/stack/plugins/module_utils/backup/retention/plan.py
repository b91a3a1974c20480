# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What retention keeps and what it removes, with a reason for each: a pure function of what the bucket lists."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from ansible_collections.composeops.stack.plugins.module_utils.backup import report
from ansible_collections.composeops.stack.plugins.module_utils.backup.model import Entry, Level
from ansible_collections.composeops.stack.plugins.module_utils.backup.plan import STALE_UPLOAD
from ansible_collections.composeops.stack.plugins.module_utils.backup.retention.policy import (
    PERIODS,
    Policies,
    Policy,
    period,
)
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError

LEFTOVER = STALE_UPLOAD
"""From this age on, what never became a backup is of a run that was killed."""

STORE_CLOCK = timedelta(hours=1)
"""How far the store's clock, which dates the segments, is allowed to be from the hosts', which date the backups."""

MOST_REMOVED = 50
"""Percent of a source's backups that one run may remove: more looks like a mistake in the policy."""

Group = tuple[str, str]
"""Source and host. Nothing is ever compared across groups."""


@dataclass(frozen=True)
class Segment:
    """A piece of a source's log of writes, as the store lists it."""

    source: str
    host: str
    key: str
    moment: datetime
    """When the store took it, which is after the last write in it."""
    bytes: int


@dataclass(frozen=True)
class Verdict:
    """What becomes of one backup, and why."""

    entry: Entry
    kept: bool
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Plan:
    """What becomes of everything."""

    verdicts: tuple[Verdict, ...]
    segments: tuple[Segment, ...] = ()
    """Those that are removed: older than what a kept backup can begin from."""

    @property
    def removed(self) -> tuple[Verdict, ...]:
        return tuple(verdict for verdict in self.verdicts if not verdict.kept)

    @property
    def kept(self) -> tuple[Verdict, ...]:
        return tuple(verdict for verdict in self.verdicts if verdict.kept)


def plan(
    entries: Iterable[Entry],
    now: datetime,
    policies: Policies,
    *,
    segments: Iterable[Segment] = (),
    uploading: Collection[str] = (),
) -> Plan:
    """Decide on every entry and segment; ``uploading`` has the ids of backups that are being sent."""
    backups: dict[Group, list[Entry]] = defaultdict(list)
    for entry in entries:
        backups[entry.source, entry.host].append(entry)
    logs: dict[Group, list[Segment]] = defaultdict(list)
    for segment in segments:
        logs[segment.source, segment.host].append(segment)
    verdicts: list[Verdict] = []
    superfluous: list[Segment] = []
    for group in sorted({*backups, *logs}):
        policy, log = policies.of(group[0]), logs[group]
        start = _start(log, policy, now)
        base = _base(backups[group], start, now)
        verdicts += _verdicts(backups[group], base, policy, now, uploading)
        if base is not None and start is not None and base.created <= start:
            superfluous += sorted(
                (segment for segment in log if segment.moment < base.created - STORE_CLOCK),
                key=lambda segment: (segment.moment, segment.key),
            )
    return Plan(tuple(verdicts), tuple(superfluous))


def require_moderate(plan: Plan, most: int = MOST_REMOVED) -> None:
    """Raise where more than ``most`` percent of the backups of a source would go."""
    problems = []
    counts: dict[Group, list[int]] = defaultdict(lambda: [0, 0])
    for verdict in plan.verdicts:
        if verdict.entry.committed:
            counts[verdict.entry.source, verdict.entry.host][verdict.kept] += 1
    for (source, host), (removed, kept) in sorted(counts.items()):
        if removed * 100 > most * (removed + kept):
            problems.append(f"{removed} of {removed + kept} backups of {source} of {host}")
    if problems:
        raise ComposeOpsError(
            f"Nothing was removed: the policy would remove {', and '.join(problems)}; more than {most} % of a source's "
            "backups are not removed unless it is asked for.",
            "Look at the plan (--check). If it is right, allow it for one run: force_above=100.",
        )


def _verdicts(
    entries: Sequence[Entry], base: Entry | None, policy: Policy, now: datetime, uploading: Collection[str]
) -> list[Verdict]:
    """Return what becomes of the entries of one source of one host, oldest first."""
    credible = sorted((entry for entry in entries if _counts(entry, now)), key=_order)
    reasons: dict[str, list[str]] = defaultdict(list)
    for entry, reason in _held(credible, base, policy, now):
        reasons[entry.id].append(reason)
    for entry, reason in _slots([entry for entry in credible if not entry.failed], policy):
        reasons[entry.id].append(reason)
    found = []
    for entry in sorted(entries, key=_order):
        if _counts(entry, now):
            why = reasons[entry.id]
            found.append(Verdict(entry, bool(why), tuple(why) or (_superfluous(entry),)))
        else:
            found.append(_beside(entry, now, uploading))
    return found


def _held(credible: Sequence[Entry], base: Entry | None, policy: Policy, now: datetime) -> Iterable[tuple[Entry, str]]:
    """Yield what is kept whatever the slots say."""
    newest: tuple[tuple[str, list[Entry]], ...] = (
        ("newest", list(credible)),
        ("newest that was not found damaged", [entry for entry in credible if not entry.failed]),
        ("newest that was read to its end (L2)", [entry for entry in credible if entry.level >= Level.READABLE]),
        ("newest that was restored (L3)", [entry for entry in credible if entry.verified]),
    )
    for reason, candidates in newest:
        if candidates:
            yield candidates[-1], reason
    restored = newest[-1][1]
    for entry in credible:
        if base is not None and not entry.failed and _order(entry) >= _order(base):
            # All of them: a cluster that was made anew meanwhile can be reached from none that is older.
            yield entry, f"the last {report.duration(policy.point_in_time)} of the log of writes begin from it"
        if entry.pinned:
            yield entry, "pinned"
        if entry.age(now) < policy.minimum_age:
            yield entry, f"younger than {report.duration(policy.minimum_age)}"
        if entry.failed and not (restored and _order(restored[-1]) > _order(entry)):
            # A drill that is wrong itself must not have everything removed that it looks at.
            yield entry, "found damaged, and no younger one was restored yet"


def _slots(sound: Sequence[Entry], policy: Policy) -> Iterable[tuple[Entry, str]]:
    """Yield what fills the slots: of each period the one that is proven best, and of those the newest."""
    for kind in PERIODS:
        periods: dict[str, list[Entry]] = defaultdict(list)
        for entry in sound:
            periods[period(kind, entry.created)].append(entry)
        count = policy.slots(kind)
        for number, name in enumerate(sorted(periods, reverse=True)[:count], 1):
            best = max(periods[name], key=lambda entry: (entry.level, *_order(entry)))
            yield best, f"{kind} {number} of {count}"


def _beside(entry: Entry, now: datetime, uploading: Collection[str]) -> Verdict:
    """Return what becomes of an entry that is no backup, or whose date cannot be believed."""
    if entry.pinned:
        return Verdict(entry, True, ("pinned",))
    if entry.from_the_future(now):
        return Verdict(entry, True, ("dated in the future, so that nothing can be said of its age",))
    if entry.id in uploading or entry.age(now) < LEFTOVER:
        return Verdict(entry, True, ("never completed, or still under way",))
    return Verdict(entry, False, (f"never completed, {report.duration(entry.age(now))} old",))


def _start(log: Sequence[Segment], policy: Policy, now: datetime) -> datetime | None:
    """Return what the log has to reach back to; it is counted from its end, so that it stays when nothing is added."""
    return min(now, max(segment.moment for segment in log)) - policy.point_in_time if log else None


def _base(entries: Sequence[Entry], start: datetime | None, now: datetime) -> Entry | None:
    """Return the backup from which any moment since ``start`` can be reached, or the one that comes nearest to it."""
    bases = sorted((entry for entry in entries if _counts(entry, now) and not entry.failed), key=_order)
    if start is None or not bases:
        return None
    before = [entry for entry in bases if entry.created <= start]
    return before[-1] if before else bases[0]


def _counts(entry: Entry, now: datetime) -> bool:
    return entry.committed and not entry.from_the_future(now)


def _superfluous(entry: Entry) -> str:
    return "found damaged, and a younger one was restored" if entry.failed else "in no slot"


def _order(entry: Entry) -> tuple[datetime, str]:
    return entry.created, entry.id
