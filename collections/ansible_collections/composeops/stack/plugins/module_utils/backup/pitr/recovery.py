# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A recovery that can be done: from which base backup, with which part of the log, up to when."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from ansible_collections.composeops.stack.plugins.module_utils.backup import plan as backups
from ansible_collections.composeops.stack.plugins.module_utils.backup.manifest import Manifest
from ansible_collections.composeops.stack.plugins.module_utils.backup.model import Entry
from ansible_collections.composeops.stack.plugins.module_utils.backup.pitr import archive, plan, wal
from ansible_collections.composeops.stack.plugins.module_utils.backup.pitr.archive import Archived
from ansible_collections.composeops.stack.plugins.module_utils.backup.pitr.plan import Base
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError


@dataclass(frozen=True)
class Recovery:
    """What brings a server to a moment; without a ``target``, to the end of the log that there is."""

    base: Base
    files: tuple[Archived, ...]
    """The segments, oldest first."""
    taken: tuple[int, ...]
    """Timelines that are in use already: what is recovered becomes a new one, which must be none of them."""
    target: datetime | None

    @property
    def bytes(self) -> int:
        """How much room the files take."""
        return len(self.files) * self.base.segment_size

    def __str__(self) -> str:
        if self.target is None:
            return f"the end of the log, {self.files[-1].name}" if self.files else "the end of the base backup"
        return f"{self.target:%Y-%m-%d %H:%M:%S.%f} UTC"


def choose(
    source: str,
    entries: Sequence[Entry],
    now: datetime,
    *,
    wanted: str | None,
    target: datetime | None,
    read: Callable[[Entry], Manifest],
) -> tuple[Entry, Manifest]:
    """Return the base backup to begin with: the one that is wanted, or the newest that ended before ``target``.

    ``read`` gives the manifest of an entry; no more of them are read than are needed.
    """
    if wanted is not None or target is None:
        entry = backups.choose(source, entries, now, wanted)
        return entry, read(entry)
    candidates = [entry for entry in entries if entry.committed and not entry.failed and entry.created <= target]
    for entry in sorted(candidates, key=lambda entry: (entry.created, entry.id), reverse=True):
        manifest = read(entry)
        if plan.base(manifest).stopped <= target:
            return entry, manifest
    raise ComposeOpsError(
        f"The store has no base backup of {source} that ended before {target:%Y-%m-%d %H:%M:%S} UTC.",
        "Choose a later time, or name the host that made it where that is another one.",
    )


def recovery(manifest: Manifest, keys: Iterable[str], target: datetime | None) -> Recovery:
    """Return how to come from a base backup to ``target``, given the keys of its cluster's log in the bucket."""
    base = plan.base(manifest)
    beginning = archive.prefix(manifest.source, manifest.host, base.system)
    found = archive.archived(beginning, keys)
    segments = plan.segments(base, archive.log(found, base.first), target)
    newest = max((timeline for one in found if (timeline := _timeline(one)) is not None), default=base.timeline)
    return Recovery(base, segments, tuple(range(base.timeline + 1, newest + 1)), target)


def _timeline(one: Archived) -> int | None:
    segment = wal.segment(one.name)
    return wal.history(one.name) if segment is None else segment.timeline
