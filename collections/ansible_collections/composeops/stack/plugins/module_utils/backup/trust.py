# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether a backup may be restored, by what its verifications found; a pure decision.

One that is verified may replace anything. One that is not, because no drill has restored it yet, may only come where
nothing is lost by it. One that failed its last verification comes nowhere, unless somebody says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from ansible_collections.composeops.stack.plugins.module_utils.backup import report
from ansible_collections.composeops.stack.plugins.module_utils.backup.model import Entry
from ansible_collections.composeops.stack.plugins.module_utils.backup.verification.plan import WORDS, newest_verified
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError


@dataclass(frozen=True)
class Told:
    """What whoever restores has said."""

    unverified: bool = False
    """This backup is wanted although it is not verified, or was even found damaged."""
    expendable: bool = False
    """What is there was made for this restore, and is no loss."""


def require_not_failed(entry: Entry, told: Told) -> None:
    """Raise where the last verification of a backup found it damaged and nobody wants it nevertheless."""
    if entry.failed and not told.unverified:
        last = entry.verifications[-1]
        raise ComposeOpsError(
            f"Backup {entry.id} of {entry.source} failed its last verification, to level {last.level.value}, at "
            f"{last.moment:%Y-%m-%dT%H:%M:%SZ}.",
            "Choose another one from `composeops list SOURCE`, or say that this one is wanted nevertheless: "
            "-e unverified=true, or --unverified.",
        )


def judge(entry: Entry, entries: Iterable[Entry], now: datetime, told: Told, there: Callable[[], str]) -> str:
    """Return how far a backup was proven, and why it is restored all the same; raise where it may not be.

    ``there`` says what it would replace, or nothing; it is asked only where that matters. ``entries`` are the backups
    that could be taken in its place.
    """
    require_not_failed(entry, told)
    if entry.failed:
        return "Its last verification failed; it is restored because that was asked for."
    proven = f"It was proven so far: {WORDS[entry.level]}" if entry.level else "It was never drilled"
    if entry.verified:
        return f"{proven}."
    if told.unverified:
        return f"{proven}; it is restored because that was asked for."
    if told.expendable:
        return f"{proven}; what it replaces was made for this restore."
    replaced = there()
    if not replaced:
        return f"{proven}; nothing is there that it replaces."
    raise ComposeOpsError(
        f"Backup {entry.id} of {entry.source} is not verified, and would replace data: {replaced}. {proven}.",
        f"{_other(newest_verified(entries, now), now)} Or prove this one first: `composeops drill {entry.source} "
        f"--backup {entry.id}`. Or restore it as it is: -e unverified=true, or --unverified.",
    )


def _other(verified: Entry | None, now: datetime) -> str:
    if verified is None:
        return "None of its backups is verified."
    return f"The newest verified one is {verified.id}, {report.duration(verified.age(now))} old: name it as the backup."
