# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is due, which backup a restore takes, how large parts are, what a killed upload left: pure decisions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from ansible_collections.composeops.stack.plugins.module_utils.backup import report
from ansible_collections.composeops.stack.plugins.module_utils.backup.model import Entry
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError, InvalidInput

MEBIBYTE = 1024 * 1024
SMALLEST_PART = 8 * MEBIBYTE
LARGEST_PART = 512 * MEBIBYTE
MOST_PARTS = 10_000
STALE_UPLOAD = timedelta(hours=24)

_DURATION = re.compile(r"(?P<number>\d+)(?P<unit>[smhd])\Z")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


@dataclass(frozen=True)
class Decision:
    """Whether a source is backed up now, and the sentence that says why."""

    due: bool
    sentence: str


@dataclass(frozen=True)
class PendingUpload:
    """A multipart upload that the store holds and nobody completed."""

    key: str
    upload_id: str
    initiated: datetime


def duration(text: str) -> timedelta:
    """Return ``text`` such as 90s, 30m, 24h or 7d as a duration."""
    match = _DURATION.match(text)
    if match is None:
        raise InvalidInput(f"{text!r} is not a duration.", "Write a whole number and s, m, h or d, such as 24h.")
    return timedelta(seconds=int(match["number"]) * _SECONDS[match["unit"]])


def newest(entries: Iterable[Entry], now: datetime) -> Entry | None:
    """Return the newest committed backup; one dated in the future is never it, for its date cannot be believed."""
    candidates = [entry for entry in entries if entry.committed and not entry.from_the_future(now)]
    return max(candidates, key=lambda entry: (entry.created, entry.id), default=None)


def decide(
    source: str, entries: Sequence[Entry], now: datetime, *, initial: bool, older_than: timedelta | None
) -> Decision:
    """Decide whether ``source`` is backed up now, given what the store lists."""
    last = newest(entries, now)
    if last is None:
        return Decision(True, f"Back up {source}: there is no committed backup yet.")
    age = report.duration(last.age(now))
    if initial:
        return Decision(False, f"Leave {source}: its newest backup {last.id} is {age} old.")
    if older_than is None:
        return Decision(True, f"Back up {source}: asked for; its newest backup {last.id} is {age} old.")
    limit = report.duration(older_than)
    if last.age(now) < older_than:
        return Decision(False, f"Leave {source}: its newest backup {last.id} is {age} old, less than {limit}.")
    return Decision(True, f"Back up {source}: its newest backup {last.id} is {age} old, not less than {limit}.")


def choose(source: str, entries: Sequence[Entry], now: datetime, wanted: str | None) -> Entry:
    """Return the backup a restore takes: the one called ``wanted``, or the newest that can be believed."""
    if wanted is None:
        entry = newest(entries, now)
        if entry is None:
            raise ComposeOpsError(
                f"The store has no committed backup of {source}.",
                "Look at `composeops list`, or name the host that made it where that is another one.",
            )
        return entry
    for entry in entries:
        if entry.id == wanted:
            if entry.committed:
                return entry
            raise ComposeOpsError(
                f"Backup {wanted} of {source} was never completed: it has no manifest.",
                "Choose a committed one from `composeops list`.",
            )
    raise ComposeOpsError(f"The store has no backup {wanted} of {source}.", "Choose one from `composeops list`.")


def part_size(estimate: int) -> int:
    """Return the size of an upload's parts for a stream of about ``estimate`` bytes.

    It is fixed before the first byte, for all parts but the last have to be equal and there may be 10,000 of them;
    twice the estimate still fits. What would need larger parts than a disk has room for is refused now rather than
    after hours.
    """
    needed = -(-2 * estimate // MOST_PARTS)
    size = max(SMALLEST_PART, -(-needed // MEBIBYTE) * MEBIBYTE)
    if size > LARGEST_PART:
        raise ComposeOpsError(
            f"About {report.size(estimate)} do not fit into {MOST_PARTS} parts of {report.size(LARGEST_PART)}.",
            "Use a physical backup for a database of this size.",
        )
    return size


def stale(uploads: Iterable[PendingUpload], prefix: str, now: datetime) -> list[PendingUpload]:
    """Return the uploads below ``prefix`` that a killed run left; a younger one may still be under way."""
    return [upload for upload in uploads if upload.key.startswith(prefix) and now - upload.initiated >= STALE_UPLOAD]
