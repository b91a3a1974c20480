# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The manifest: what a backup consists of. It is written last and never changed; its being there is the commit.

The schema is described in the README of the role backup. A reader refuses a schema it does not know rather than guess.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from ansible_collections.composeops.stack.plugins.module_utils.backup import layout
from ansible_collections.composeops.stack.plugins.module_utils.backup.damage import Damaged
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError

SCHEMA = 2
READABLE = (1, 2)
"""Schema 1 had neither encodings nor recipients; its backups are still restored."""


@dataclass(frozen=True)
class StoredObject:
    """One object of a backup: ``bytes`` and ``sha256`` are of what lies in the bucket.

    ``encoding`` names what was done to the producer's bytes, first to last; ``plain_bytes`` were there before it.
    """

    name: str
    bytes: int
    sha256: str
    encoding: tuple[str, ...] = ()
    plain_bytes: int | None = None

    @property
    def file(self) -> str:
        """The last part of its key in the bucket."""
        return layout.file_name(self.name, self.encoding)


@dataclass(frozen=True)
class Manifest:
    """A committed backup."""

    id: str
    source: str
    host: str
    type: str
    started: str
    finished: str
    objects: tuple[StoredObject, ...]
    origin: Mapping[str, Any] = field(default_factory=dict)
    """What a restore needs to know of the server the backup came from."""
    invariants: Mapping[str, Any] = field(default_factory=dict)
    """What was counted in the very snapshot that was dumped, and must be counted again after a restore."""
    recipients: tuple[str, ...] = ()
    """The public keys of age that it is encrypted to."""

    def object(self, name: str) -> StoredObject:
        """Return the object called ``name``."""
        for stored in self.objects:
            if stored.name == name:
                return stored
        raise ComposeOpsError(f"Backup {self.id} of {self.source} has no object {name}.", "Choose another backup.")

    @property
    def bytes(self) -> int:
        return sum(stored.bytes for stored in self.objects)


def serialise(manifest: Manifest) -> bytes:
    """Return the manifest's text as it is stored."""
    return (json.dumps({"schema": SCHEMA, **asdict(manifest)}, indent=2, sort_keys=True) + "\n").encode()


def parse(content: bytes, key: str) -> Manifest:
    """Return the manifest in ``content``; ``key`` names it in errors."""
    try:
        data = json.loads(content)
        schema = data["schema"]
        if schema not in READABLE:
            raise ComposeOpsError(
                f"{key} has schema {schema}; this version reads {', '.join(map(str, READABLE))}.",
                "Use the version that wrote it, or a newer.",
            )
        return Manifest(
            id=data["id"],
            source=data["source"],
            host=data["host"],
            type=data["type"],
            started=data["started"],
            finished=data["finished"],
            objects=tuple(
                StoredObject(
                    _name(item["name"]),
                    int(item["bytes"]),
                    item["sha256"],
                    tuple(_encoding(step) for step in item["encoding"]),
                    item.get("plain_bytes"),
                )
                for item in data["objects"]
            ),
            origin=data["origin"],
            invariants=data["invariants"],
            recipients=tuple(data.get("recipients", ())),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise Damaged(
            f"{key} is not a manifest: {type(error).__name__}: {error}.", "Choose another backup; this one is damaged."
        ) from error


def _name(name: str) -> str:
    """Names become paths on the host that restores."""
    if not layout.NAME.match(name):
        raise ValueError(f"{name!r} is no object's name")
    return name


def _encoding(step: str) -> str:
    if step not in layout.SUFFIXES:
        raise ValueError(f"{step!r} is no encoding this version reads")
    return step
