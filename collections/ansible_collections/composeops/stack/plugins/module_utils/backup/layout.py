# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Where a backup lies in the bucket: ``<source>/<host>/<timestamp>-<short id>/<object>``.

Every prefix ends with a slash, so that ``app`` is never taken for a part of ``app2``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import datetime, timezone

from ansible_collections.composeops.stack.plugins.module_utils.backup.model import Entry, Level, Verification

MANIFEST = "manifest.json"
PIN = "pin.json"
"""An object of this name keeps its backup from every retention."""
INCONSISTENT = "inconsistent-"
"""What the name of an object begins with that is not one moment of what it holds, so that a listing can say so."""
TIMESTAMP = "%Y%m%dT%H%M%SZ"

SUFFIXES = {"zstd": ".zst", "age": ".age"}
"""What an encoding adds to the name of an object, so that the usual tools know what it is."""

VERIFICATION = re.compile(
    r"verification-(?P<timestamp>\d{8}T\d{6}Z)-L(?P<level>[1-4])-(?P<outcome>passed|failed)-[0-9a-f]{8}\.json\Z"
)
"""A listing alone says what was verified: level and outcome are in the name."""

BACKUP_ID = re.compile(r"(?P<timestamp>\d{8}T\d{6}Z)-[0-9a-f]{8}\Z")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\Z")
"""What a source and a host may be called: one path segment, also in a unit's name."""


def backup_id(now: datetime, token: str) -> str:
    """Return the id of a backup that begins at ``now``; ``token`` is 8 random hexadecimal digits."""
    return f"{stamp(now)}-{token}"


def stamp(moment: datetime) -> str:
    """Return ``moment`` as it is written in names: UTC, without characters a shell or a URL minds."""
    return moment.astimezone(timezone.utc).strftime(TIMESTAMP)


def file_name(name: str, encoding: Sequence[str]) -> str:
    """Return what the bucket calls the object ``name`` after its encodings, such as ``database.pgdump.zst.age``."""
    return name + "".join(SUFFIXES[step] for step in encoding)


def verification_name(moment: datetime, level: Level, passed: bool, token: str) -> str:
    """Return the name of the object that records a verification; ``token`` is 8 random hexadecimal digits."""
    return f"verification-{stamp(moment)}-L{level.value}-{'passed' if passed else 'failed'}-{token}.json"


def verification(name: str) -> Verification | None:
    """Return what the name of an object says of a verification, or None where it is another object's."""
    match = VERIFICATION.match(name)
    moment = None if match is None else _moment(match["timestamp"])
    if match is None or moment is None:
        return None
    return Verification(moment, Level(int(match["level"])), match["outcome"] == "passed")


def created(identifier: str) -> datetime | None:
    """Return when the backup called ``identifier`` began, or None where that is not a backup's id."""
    match = BACKUP_ID.match(identifier)
    return None if match is None else _moment(match["timestamp"])


def _moment(timestamp: str) -> datetime | None:
    try:
        return datetime.strptime(timestamp, TIMESTAMP).replace(tzinfo=timezone.utc)
    except ValueError:
        return None


def prefix(source: str, host: str) -> str:
    """Return what the keys of all backups of a source of a host begin with."""
    return f"{source}/{host}/"


def key(source: str, host: str, identifier: str, name: str) -> str:
    """Return the key of one object of a backup."""
    return f"{prefix(source, host)}{identifier}/{name}"


def entries(source: str, host: str, objects: Iterable[tuple[str, int]]) -> list[Entry]:
    """Return the backups that ``objects`` (key and size each) make up, oldest first; other keys are not ours."""
    beginning = prefix(source, host)
    found: dict[str, dict[str, int]] = {}
    for path, size in objects:
        if not path.startswith(beginning):
            continue
        identifier, separator, name = path[len(beginning) :].partition("/")
        if separator and name and "/" not in name and created(identifier) is not None:
            found.setdefault(identifier, {})[name] = size
    return [_entry(source, host, identifier, found[identifier]) for identifier in sorted(found)]


def _entry(source: str, host: str, identifier: str, sizes: dict[str, int]) -> Entry:
    began = created(identifier)
    assert began is not None
    verifications = [verified for name in sizes if (verified := verification(name)) is not None]
    return Entry(
        source=source,
        host=host,
        id=identifier,
        created=began,
        committed=MANIFEST in sizes,
        bytes=sum(size for name, size in sizes.items() if name != PIN and verification(name) is None),
        consistent=not any(name.startswith(INCONSISTENT) for name in sizes),
        verifications=tuple(sorted(verifications, key=lambda one: (one.moment, one.level, not one.passed))),
        pinned=PIN in sizes,
    )
