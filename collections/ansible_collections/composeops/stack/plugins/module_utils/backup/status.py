# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is known of the backups of each source, as data for modules and as a table for people."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from ansible_collections.composeops.stack.plugins.module_utils.backup import plan, records, report
from ansible_collections.composeops.stack.plugins.module_utils.backup.model import Entry, Level, Source
from ansible_collections.composeops.stack.plugins.module_utils.backup.records import Record
from ansible_collections.composeops.stack.plugins.module_utils.backup.verification import plan as verdicts

TITLE = "Backups"
INCONSISTENT = "not a consistent snapshot"
COLUMNS = ["source", "newest backup", "age", "size", "verified", "kept", "schedule", "last run"]


@dataclass(frozen=True)
class Status:
    """The backups of one source as they are at ``now``."""

    source: Source
    entries: tuple[Entry, ...]
    last_run: Record | None
    now: datetime

    @property
    def committed(self) -> list[Entry]:
        """Every backup that counts, newest first; one dated in the future is the last, whatever it says."""
        found = [entry for entry in self.entries if entry.committed]
        return sorted(found, key=lambda entry: (not entry.from_the_future(self.now), entry.id), reverse=True)

    @property
    def newest(self) -> Entry | None:
        return plan.newest(self.entries, self.now)

    @property
    def incomplete(self) -> list[str]:
        """The ids of what runs left that never committed; the one under way is not among them."""
        running = self.last_run.id if self.last_run and self.last_run.outcome == records.RUNNING else ""
        return [entry.id for entry in self.entries if not entry.committed and entry.id != running]

    @property
    def from_the_future(self) -> list[str]:
        return [entry.id for entry in self.entries if entry.from_the_future(self.now)]


def data(status: Status, limit: int) -> dict[str, Any]:
    """Return a status as a module returns it, with the ``limit`` newest backups."""
    newest = status.newest
    return {
        "name": status.source.name,
        "type": status.source.type,
        "schedule": status.source.schedule,
        "newest": None if newest is None else _entry(newest, status.now),
        "verified": _moment(verdicts.last_verified(status.entries, status.now)),
        "count": len(status.committed),
        "bytes": sum(entry.bytes for entry in status.committed),
        "backups": [_entry(entry, status.now) for entry in status.committed[:limit]],
        "incomplete": status.incomplete,
        "from_the_future": status.from_the_future,
        "last_run": None if status.last_run is None else asdict(status.last_run),
    }


def summary(statuses: Iterable[Status]) -> list[dict[str, Any]]:
    """Return the table that is shown at the end of a play."""
    return [{"title": TITLE, "columns": COLUMNS, "rows": [_row(status) for status in statuses]}]


def listing(status: Status) -> tuple[list[str], Sequence[Sequence[str]]]:
    """Return columns and rows of one source's backups, newest first."""
    rows = [
        [
            entry.id,
            "in the future" if entry.from_the_future(status.now) else report.duration(entry.age(status.now)),
            report.size(entry.bytes),
            _proven(entry),
            ", ".join([*(["pinned"] if entry.pinned else []), *([] if entry.consistent else [INCONSISTENT])]),
        ]
        for entry in status.committed
    ]
    return [f"backups of {status.source.name}", "age", "size", "verified", "note"], rows


def _row(status: Status) -> list[str]:
    newest = status.newest
    shown = ["none", "", ""]
    if newest is not None:
        size = report.size(newest.bytes) + ("" if newest.consistent else f", {INCONSISTENT}")
        shown = [newest.id, report.duration(newest.age(status.now)), size]
    shown.append(verdicts.shown(newest, status.entries, status.now))
    return [status.source.name, *shown, str(len(status.committed)), status.source.schedule, _last_run(status)]


def _proven(entry: Entry) -> str:
    """Return what a table says of one backup: verified means restored, and how far it came is said beside a no."""
    if entry.failed:
        return "no, damaged"
    if entry.verified:
        return "yes"
    return "no" if entry.level == Level.COMMITTED else f"no, {verdicts.WORDS[entry.level]}"


def _last_run(status: Status) -> str:
    run = status.last_run
    if run is None:
        return "none on this host"
    if run.outcome in (records.COMMITTED, records.RUNNING):
        return f"{run.outcome} (since {run.started})" if run.outcome == records.RUNNING else run.outcome
    return f"{run.outcome} at {run.finished or run.started}: {run.error}"


def _moment(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _entry(entry: Entry, now: datetime) -> dict[str, Any]:
    return {
        "id": entry.id,
        "created": entry.created.isoformat(),
        "age_seconds": int(entry.age(now).total_seconds()),
        "bytes": entry.bytes,
        "consistent": entry.consistent,
        "verified": entry.verified,
        "level": entry.level.value,
        "damaged": entry.failed,
    }
