# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Carries out a retention plan: manifests first, so that a killed run leaves nothing that looks like a backup."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Protocol

from ansible_collections.composeops.stack.plugins.module_utils.backup import layout
from ansible_collections.composeops.stack.plugins.module_utils.backup.model import Entry
from ansible_collections.composeops.stack.plugins.module_utils.backup.plan import PendingUpload
from ansible_collections.composeops.stack.plugins.module_utils.backup.retention.plan import (
    MOST_REMOVED,
    Plan,
    Segment,
    Verdict,
    plan,
    require_moderate,
)
from ansible_collections.composeops.stack.plugins.module_utils.backup.retention.policy import Policies
from ansible_collections.composeops.stack.plugins.module_utils.backup.retention.survey import Listing, survey


class Store(Listing, Protocol):
    """What pruning needs of a bucket."""

    def objects(self, prefix: str) -> Iterator[tuple[str, int]]: ...
    def delete(self, key: str) -> None: ...
    def delete_all(self, keys: Sequence[str]) -> None: ...
    def abort(self, key: str, upload_id: str) -> None: ...


@dataclass(frozen=True)
class Wanted:
    """What an operator asks for."""

    policies: Policies
    sources: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    unpin: tuple[str, ...] = ()
    """Ids of backups whose pins are taken back before anything is decided."""
    force_above: int = MOST_REMOVED


@dataclass(frozen=True)
class Decided:
    """All that one run would do."""

    plan: Plan
    unpinned: tuple[Entry, ...]
    abandoned: tuple[PendingUpload, ...]
    notes: tuple[str, ...] = ()

    @property
    def changes(self) -> bool:
        return bool(self.plan.removed or self.plan.segments or self.unpinned or self.abandoned)


@dataclass
class Done:
    """What was done so far, also when an error ends the run."""

    unpinned: list[Entry] = field(default_factory=list)
    removed: list[Verdict] = field(default_factory=list)
    segments: list[Segment] = field(default_factory=list)
    aborted: list[PendingUpload] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def changed(self) -> bool:
        return bool(self.unpinned or self.removed or self.segments or self.aborted)


def decide(bucket: Store, wanted: Wanted, now: datetime) -> Decided:
    """Look at the bucket and decide; raise where too much would go. Nothing is changed."""
    found = survey(bucket, now, wanted.sources, wanted.hosts)
    unpinned = tuple(entry for entry in found.entries if entry.pinned and entry.id in wanted.unpin)
    entries = [replace(entry, pinned=False) if entry in unpinned else entry for entry in found.entries]
    decided = plan(entries, now, wanted.policies, segments=found.segments, uploading=found.uploading)
    require_moderate(decided, wanted.force_above)
    known = {entry.id for entry in entries}
    notes = tuple(f"unpin: the bucket has no backup {name}." for name in wanted.unpin if name not in known)
    return Decided(decided, unpinned, found.abandoned, notes)


def carry_out(bucket: Store, decided: Decided, done: Done) -> None:
    """Do what was decided; ``done`` says what was, however this ends."""
    for entry in decided.unpinned:
        bucket.delete(layout.key(entry.source, entry.host, entry.id, layout.PIN))
        done.unpinned.append(entry)
    for verdict in decided.plan.removed:
        if reason := _remove(bucket, verdict.entry):
            done.notes.append(f"Left {verdict.entry.id} of {verdict.entry.source} alone: {reason}.")
        else:
            done.removed.append(verdict)
    segments = decided.plan.segments
    # Oldest first: a run that is killed leaves a log without a gap.
    for start in range(0, len(segments), 1000):
        some = segments[start : start + 1000]
        bucket.delete_all([segment.key for segment in some])
        done.segments += some
    for upload in decided.abandoned:
        bucket.abort(upload.key, upload.upload_id)
        done.aborted.append(upload)


def _remove(bucket: Store, entry: Entry) -> str:
    """Remove a backup; return why not, where somebody did something to it since it was decided on."""
    beginning = layout.key(entry.source, entry.host, entry.id, "")
    keys = [key for key, _ in bucket.objects(beginning)]
    manifest = beginning + layout.MANIFEST
    if beginning + layout.PIN in keys:
        return "it was pinned meanwhile"
    if manifest in keys:
        if not entry.committed:
            return "it was completed meanwhile"
        bucket.delete(manifest)
    bucket.delete_all(_without(keys, manifest))
    return ""


def _without(keys: Collection[str], one: str) -> list[str]:
    return [key for key in keys if key != one]
