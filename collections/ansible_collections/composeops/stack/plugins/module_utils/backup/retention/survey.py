# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a bucket holds of all sources and hosts: backups, logs of writes, and uploads that nobody completed."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from ansible_collections.composeops.stack.plugins.module_utils.backup import layout
from ansible_collections.composeops.stack.plugins.module_utils.backup.model import Entry
from ansible_collections.composeops.stack.plugins.module_utils.backup.plan import PendingUpload, stale
from ansible_collections.composeops.stack.plugins.module_utils.backup.retention.plan import Group, Segment
from ansible_collections.composeops.stack.plugins.module_utils.errors import InvalidInput

WAL = "wal"
"""What the directory of a log of writes is called, beside the backups of its source."""
HISTORY = ".history"
"""What the small files are named by that say where timelines part; they are all kept."""


class Listing(Protocol):
    """What a survey needs of a bucket."""

    def dated(self, prefix: str) -> Iterator[tuple[str, int, datetime]]: ...
    def folders(self, prefix: str = "") -> list[str]: ...
    def uploads(self, prefix: str) -> list[tuple[str, str, datetime]]: ...


@dataclass(frozen=True)
class Survey:
    """Everything that retention decides on."""

    entries: tuple[Entry, ...]
    segments: tuple[Segment, ...]
    uploading: frozenset[str]
    """Ids of backups that are being sent."""
    abandoned: tuple[PendingUpload, ...]
    """Uploads that killed runs left."""


def survey(bucket: Listing, now: datetime, sources: Collection[str] = (), hosts: Collection[str] = ()) -> Survey:
    """Look at the named sources of the named hosts; at all that the bucket has where none are named."""
    pending = [PendingUpload(*upload) for upload in bucket.uploads("") if _backup_of(upload[0])]
    entries: list[Entry] = []
    segments: list[Segment] = []
    uploading: set[str] = set()
    abandoned: list[PendingUpload] = []
    for source, host in groups(bucket, pending, sources, hosts):
        beginning = layout.prefix(source, host)
        listed = list(bucket.dated(beginning))
        entries += layout.entries(source, host, ((key, size) for key, size, _ in listed))
        segments += [
            Segment(source, host, key, moment, size)
            for key, size, moment in listed
            if key.startswith(f"{beginning}{WAL}/") and HISTORY not in key
        ]
        old = stale(pending, beginning, now)
        abandoned += old
        uploading |= {_backup_of(one.key) for one in pending if one.key.startswith(beginning) and one not in old}
    return Survey(tuple(entries), tuple(segments), frozenset(uploading), tuple(abandoned))


def groups(
    bucket: Listing, pending: Collection[PendingUpload], sources: Collection[str], hosts: Collection[str]
) -> list[Group]:
    """Return the sources and hosts to look at; raise for a name that the bucket does not have."""
    sending: set[Group] = {(parts[0], parts[1]) for parts in (upload.key.split("/") for upload in pending)}
    there = sorted({*bucket.folders(), *(source for source, _ in sending)})
    found: set[Group] = set()
    for source in there:
        if layout.NAME.match(source) and (not sources or source in sources):
            names = {*bucket.folders(f"{source}/"), *(host for name, host in sending if name == source)}
            found |= {(source, host) for host in names if layout.NAME.match(host)}
    _require("source", sources, set(there))
    _require("host", hosts, {host for _, host in found})
    return sorted((source, host) for source, host in found if not hosts or host in hosts)


def _require(what: str, named: Collection[str], there: Collection[str]) -> None:
    for name in named:
        if name not in there:
            known = ", ".join(sorted(there)) or "none"
            raise InvalidInput(
                f"The bucket has no backups of a {what} called {name}; there are: {known}.",
                f"Correct the {what}s that are named.",
            )


def _backup_of(key: str) -> str:
    """Return which backup or log of writes ``key`` belongs to; nothing where it is none of ours."""
    source, _, rest = key.partition("/")
    host, _, rest = rest.partition("/")
    identifier, separator, name = rest.partition("/")
    ours = layout.NAME.match(source) and layout.NAME.match(host) and separator and name
    return identifier if ours and (identifier == WAL or layout.created(identifier) is not None) else ""
