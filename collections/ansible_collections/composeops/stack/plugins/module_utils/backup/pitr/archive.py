# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The write-ahead log in the bucket: ``<source>/<host>/wal/<system identifier>/<segment>[-<stamp>].zst.age``.

The system identifier keeps apart what two clusters write under one name, for a new one begins with the same segments.
A stamp says that the segment ends with everything that was acknowledged until then: the listing alone tells up to
which moment the log is complete. Nothing here touches a bucket.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone

from ansible_collections.composeops.stack.plugins.module_utils.backup import layout
from ansible_collections.composeops.stack.plugins.module_utils.backup.pitr import wal
from ansible_collections.composeops.stack.plugins.module_utils.backup.pitr.wal import Segment

DIRECTORY = "wal"
STAMP = "%Y%m%dT%H%M%S.%fZ"
"""To the microsecond, as PostgreSQL tells it: rounded down, it would not cover a write of the same second."""

_FILE = re.compile(
    r"(?P<name>[0-9A-F]{24}|[0-9A-F]{8}\.history)(-(?P<stamp>\d{8}T\d{6}\.\d{6}Z))?(?P<zstd>\.zst)?(?P<age>\.age)?\Z"
)


@dataclass(frozen=True)
class Archived:
    """One file of the log as the bucket lists it."""

    key: str
    name: str
    encoding: tuple[str, ...]
    complete_until: datetime | None = None
    """The moment whose acknowledged writes are all in this segment or in earlier ones, where it is known."""


def prefix(source: str, host: str, system: str) -> str:
    """Return what the keys of a cluster's log begin with."""
    return f"{layout.prefix(source, host)}{DIRECTORY}/{system}/"


def key(
    source: str, host: str, system: str, name: str, *, encoding: Sequence[str], complete_until: datetime | None = None
) -> str:
    """Return the key of one file of the log."""
    stamp = "" if complete_until is None else f"-{complete_until.astimezone(timezone.utc).strftime(STAMP)}"
    return prefix(source, host, system) + layout.file_name(f"{name}{stamp}", encoding)


def archived(beginning: str, keys: Iterable[str]) -> list[Archived]:
    """Return the files of the log among ``keys``, all of which begin with ``beginning``; others are not ours."""
    found = []
    for path in keys:
        match = _FILE.match(path[len(beginning) :])
        if match is not None:
            encoding = tuple(step for step in ("zstd", "age") if match[step])
            found.append(Archived(path, match["name"], encoding, _moment(match["stamp"] or "")))
    return found


def _moment(stamp: str) -> datetime | None:
    if not stamp:
        return None
    return datetime.strptime(stamp, STAMP).replace(tzinfo=timezone.utc)


@dataclass(frozen=True)
class Log:
    """One timeline of a cluster in the bucket, from ``first`` up to the first segment that is missing."""

    first: Segment
    files: tuple[Archived, ...]
    """Oldest first, none missing in between."""
    missing: Segment | None = None
    """The first that is not there although a later one is."""

    @property
    def end(self) -> int:
        """The position up to which everything is there."""
        return (self.first.number + len(self.files)) * self.first.size

    @property
    def complete_until(self) -> datetime | None:
        """The last moment that is known to be covered."""
        return max((one.complete_until for one in self.files if one.complete_until is not None), default=None)


def log(files: Iterable[Archived], first: Segment) -> Log:
    """Return what there is of the timeline of ``first``, beginning with it."""
    there: dict[int, Archived] = {}
    for one in files:
        found = wal.segment(one.name, first.size)
        if found is None or found.timeline != first.timeline or found.number < first.number:
            continue
        # A segment that was sent twice says the more with its stamp.
        if found.number not in there or one.complete_until is not None:
            there[found.number] = one
    number = first.number
    contiguous = []
    while number in there:
        contiguous.append(there.pop(number))
        number += 1
    return Log(first, tuple(contiguous), Segment(first.timeline, number, first.size) if there else None)
