# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is verified, how far, and what is said of it: pure decisions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from ansible_collections.composeops.stack.plugins.module_utils.backup import report
from ansible_collections.composeops.stack.plugins.module_utils.backup.model import Entry, Level
from ansible_collections.composeops.stack.plugins.module_utils.backup.plan import Decision
from ansible_collections.composeops.stack.plugins.module_utils.errors import InvalidInput

LEVELS = (Level.INTACT, Level.READABLE, Level.RESTORED, Level.POINT_IN_TIME)
WORDS: Mapping[Level, str] = {
    Level.COMMITTED: "committed",
    Level.INTACT: "intact",
    Level.READABLE: "readable",
    Level.RESTORED: "restored and compared",
    Level.POINT_IN_TIME: "restored to a point in time and compared",
}
"""How far a backup was proven, in words. None but the last two may be called verified."""

NOT_IN_RTO = ("read", "count")
"""Steps of a drill that a restore does not have."""


def level(number: int) -> Level:
    """Return the level called ``number``."""
    if number not in LEVELS:
        known = ", ".join(str(one.value) for one in LEVELS)
        raise InvalidInput(f"There is no level {number} to verify; there are {known}.", "3 restores the backup.")
    return Level(number)


def last_verified(entries: Iterable[Entry], now: datetime, wanted: Level = Level.RESTORED) -> datetime | None:
    """Return when a backup was last proven up to ``wanted``, whichever it was; one that failed since does not count."""
    moments = [
        verification.moment
        for entry in entries
        if entry.committed and entry.level >= wanted
        for verification in entry.verifications
        if verification.passed and verification.level >= wanted and verification.moment <= now
    ]
    return max(moments, default=None)


def newest_verified(entries: Iterable[Entry], now: datetime) -> Entry | None:
    """Return the newest backup that was restored and compared, and not found damaged since."""
    found = [entry for entry in entries if entry.committed and entry.verified and not entry.from_the_future(now)]
    return max(found, key=lambda entry: (entry.created, entry.id), default=None)


def decide(
    entry: Entry, entries: Iterable[Entry], now: datetime, wanted: Level, older_than: timedelta | None
) -> Decision:
    """Decide whether ``entry`` is verified now, given every backup of its source."""
    to = f"to level {wanted.value}"
    if older_than is None:
        return Decision(True, f"Verify {entry.source} {to}: backup {entry.id}.")
    last = last_verified(entries, now, wanted)
    if last is None:
        return Decision(True, f"Verify {entry.source} {to}: backup {entry.id}; none was before.")
    age, limit = report.duration(now - last), report.duration(older_than)
    if now - last < older_than:
        return Decision(False, f"Leave {entry.source}: one of its backups was verified {age} ago, less than {limit}.")
    return Decision(True, f"Verify {entry.source} {to}: backup {entry.id}; the last time was {age} ago.")


def rto(seconds: Mapping[str, float]) -> float:
    """Return how long a restore takes, judged by the steps of a drill."""
    return round(sum(taken for step, taken in seconds.items() if step not in NOT_IN_RTO), 3)


def shown(entry: Entry | None, entries: Iterable[Entry], now: datetime) -> str:
    """Return what a table says in its column `verified` of a source: how long ago, or no.

    A newest backup that was found damaged is what an operator has to know first.
    """
    if entry is not None and entry.failed:
        return "no, the newest is damaged"
    last = last_verified(entries, now)
    return "no" if last is None else f"{report.duration(now - last)} ago"
