# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A retention plan as sentences, as a difference, as data and as tables."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from ansible_collections.composeops.stack.plugins.module_utils.backup import report
from ansible_collections.composeops.stack.plugins.module_utils.backup.model import Entry
from ansible_collections.composeops.stack.plugins.module_utils.backup.retention.plan import Group, Plan, Verdict
from ansible_collections.composeops.stack.plugins.module_utils.backup.retention.prune import Decided


def sentences(decided: Decided) -> list[str]:
    """Return what changes, one sentence each."""
    found = [f"Take the pin from {entry.id} of {entry.source} of {entry.host}." for entry in decided.unpinned]
    for verdict in decided.plan.removed:
        entry = verdict.entry
        found.append(f"Remove {entry.id} of {entry.source} of {entry.host}: {'; '.join(verdict.reasons)}.")
    for (source, host), count, size in _segments(decided.plan):
        found.append(
            f"Remove {count} segments ({report.size(size)}) of the log of writes of {source} of {host}: older than "
            "what it has to reach back to."
        )
    found += [f"Abort the upload of {upload.key}, which a killed run left." for upload in decided.abandoned]
    return found


def difference(decided: Decided) -> list[dict[str, str]]:
    """Return for every source and host its backups before and after, each with its reason."""
    found = []
    for source, host in _groups(decided.plan):
        verdicts = _of(decided.plan, source, host)
        found.append(
            {
                "before_header": f"backups of {source} of {host}",
                "after_header": f"backups of {source} of {host}",
                "before": "".join(_line(verdict) for verdict in verdicts),
                "after": "".join(_line(verdict) for verdict in verdicts if verdict.kept),
            }
        )
    return found


def data(verdicts: Sequence[Verdict]) -> list[dict[str, Any]]:
    """Return verdicts as a module returns them."""
    return [
        {
            "source": verdict.entry.source,
            "host": verdict.entry.host,
            "id": verdict.entry.id,
            "bytes": verdict.entry.bytes,
            "committed": verdict.entry.committed,
            "level": int(verdict.entry.level),
            "reasons": list(verdict.reasons),
        }
        for verdict in verdicts
    ]


def overview(plan: Plan) -> dict[str, Any]:
    """Return the table that is shown at the end of every run."""
    segments = {group: (count, size) for group, count, size in _segments(plan)}
    rows = []
    for source, host in _groups(plan):
        verdicts = _of(plan, source, host)
        gone = [verdict for verdict in verdicts if not verdict.kept]
        count, size = segments.get((source, host), (0, 0))
        freed = sum(verdict.entry.bytes for verdict in gone) + size
        rows.append([source, host, str(len(verdicts) - len(gone)), str(len(gone)), str(count), report.size(freed)])
    return {
        "title": "Retention",
        "columns": ["source", "host", "kept", "removed", "segments removed", "freed"],
        "rows": rows,
    }


def listing(plan: Plan, now: datetime) -> list[dict[str, Any]]:
    """Return a table for every source and host, of what becomes of each backup and why."""
    return [
        {
            "title": f"Retention of {source} of {host}",
            "columns": ["backup", "age", "size", "proven", "", "because"],
            "rows": [
                [
                    verdict.entry.id,
                    report.duration(verdict.entry.age(now)),
                    report.size(verdict.entry.bytes),
                    _proven(verdict.entry),
                    "keep" if verdict.kept else "remove",
                    "; ".join(verdict.reasons),
                ]
                for verdict in _of(plan, source, host)
            ],
        }
        for source, host in _groups(plan)
    ]


def _line(verdict: Verdict) -> str:
    what = "keep" if verdict.kept else "remove"
    return f"{verdict.entry.id} {report.size(verdict.entry.bytes)} {what}: {'; '.join(verdict.reasons)}\n"


def _proven(entry: Entry) -> str:
    if not entry.committed:
        return "never completed"
    return "found damaged" if entry.failed else f"L{int(entry.level)}"


def _groups(plan: Plan) -> list[Group]:
    groups = {(verdict.entry.source, verdict.entry.host) for verdict in plan.verdicts}
    return sorted(groups | {(segment.source, segment.host) for segment in plan.segments})


def _of(plan: Plan, source: str, host: str) -> list[Verdict]:
    return [verdict for verdict in plan.verdicts if (verdict.entry.source, verdict.entry.host) == (source, host)]


def _segments(plan: Plan) -> list[tuple[Group, int, int]]:
    found = []
    for group in sorted({(segment.source, segment.host) for segment in plan.segments}):
        sizes = [segment.bytes for segment in plan.segments if (segment.source, segment.host) == group]
        found.append((group, len(sizes), sum(sizes)))
    return found
