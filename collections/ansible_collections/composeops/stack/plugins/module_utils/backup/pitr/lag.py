# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How far the bucket is behind the server: a pure decision, from what the server says and what the bucket lists.

What the server believes to have handed on is not asked: it stays content when the store loses what it was given.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from ansible_collections.composeops.stack.plugins.module_utils.backup import report
from ansible_collections.composeops.stack.plugins.module_utils.backup.pitr.archive import Log


@dataclass(frozen=True)
class Lag:
    """What would be lost if the host were lost now."""

    bytes: int
    """Of the log, that are not in the bucket."""
    seconds: float | None
    """How old the oldest write may be that is not in the bucket; 0 where there is none, None where nobody knows."""
    problem: str = ""
    """Why a restore could not go up to now, however young the newest segment is."""
    mended_by_base: bool = True
    """Whether a new base backup is the answer to the problem."""

    def within(self, limit: timedelta) -> bool:
        return not self.problem and self.seconds is not None and self.seconds <= limit.total_seconds()

    def __str__(self) -> str:
        if self.problem:
            return self.problem
        if self.seconds is None:
            return "nothing is known to be in the store"
        return f"{report.duration(timedelta(seconds=self.seconds))}, {report.size(self.bytes)}"


def lag(log: Log, *, position: int, marked: int | None, now: datetime) -> Lag:
    """Return the lag of a cluster that has written up to ``position`` (``pg_current_wal_lsn``).

    ``log`` begins with the newest base backup. ``marked`` is the position after which no transaction has begun or
    ended; None where some have. A server writes a little even when nobody does, and that is no loss.
    """
    behind = max(0, position - log.end)
    if log.missing is not None:
        return Lag(behind, None, f"segment {log.missing.name} is missing in the store")
    if marked is not None and marked <= log.end:
        return Lag(behind, 0)
    if log.complete_until is None:
        return Lag(behind, None)
    return Lag(behind, max(0.0, (now - log.complete_until).total_seconds()))
