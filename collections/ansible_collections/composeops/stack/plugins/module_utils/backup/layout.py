# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Where a backup lies in the bucket: ``<source>/<host>/<timestamp>-<short id>/<object>``.

Every prefix ends with a slash, so that ``app`` is never taken for a part of ``app2``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime, timezone

from ansible_collections.composeops.stack.plugins.module_utils.backup.model import Entry

MANIFEST = "manifest.json"
INCONSISTENT = "inconsistent-"
"""What the name of an object begins with that is not one moment of what it holds, so that a listing can say so."""
TIMESTAMP = "%Y%m%dT%H%M%SZ"

BACKUP_ID = re.compile(r"(?P<timestamp>\d{8}T\d{6}Z)-[0-9a-f]{8}\Z")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\Z")
"""What a source and a host may be called: one path segment, also in a unit's name."""


def backup_id(now: datetime, token: str) -> str:
    """Return the id of a backup that begins at ``now``; ``token`` is 8 random hexadecimal digits."""
    return f"{stamp(now)}-{token}"


def stamp(moment: datetime) -> str:
    """Return ``moment`` as it is written in names: UTC, without characters a shell or a URL minds."""
    return moment.astimezone(timezone.utc).strftime(TIMESTAMP)


def created(identifier: str) -> datetime | None:
    """Return when the backup called ``identifier`` began, or None where that is not a backup's id."""
    match = BACKUP_ID.match(identifier)
    if match is None:
        return None
    try:
        return datetime.strptime(match["timestamp"], TIMESTAMP).replace(tzinfo=timezone.utc)
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
    result = []
    for identifier in sorted(found):
        began = created(identifier)
        assert began is not None
        sizes = found[identifier]
        consistent = not any(name.startswith(INCONSISTENT) for name in sizes)
        result.append(Entry(source, host, identifier, began, MANIFEST in sizes, sum(sizes.values()), consistent))
    return result
