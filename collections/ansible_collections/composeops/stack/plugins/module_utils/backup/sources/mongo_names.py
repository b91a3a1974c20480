# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What collections are called while a MongoDB database is restored, and which renames put them in place; pure.

They stay in their database: there a rename changes a name alone, at once, while into another one it copies every
document.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from ansible_collections.composeops.stack.plugins.module_utils.backup.damage import Damaged
from ansible_collections.composeops.stack.plugins.module_utils.backup.manifest import Manifest

OURS = "composeops."
"""What all our names begin with; a backup leaves such collections out."""
_NEW = re.compile(r"composeops\.new_(?P<stamp>\w+)\.(?P<name>.+)\Z")
_DUMPED = re.compile(r"\bdone dumping (?P<namespace>\S.*?) \((?P<count>\d+) documents?\)")

Rename = tuple[str, str]


def new_prefix(stamp: str) -> str:
    return f"{OURS}new_{stamp}."


def aside_prefix(stamp: str) -> str:
    return f"{OURS}before_{stamp}."


def is_data(entry: Mapping[str, Any]) -> bool:
    """Whether an entry of listCollections is a collection that a backup holds and a restore replaces."""
    name = str(entry["name"])
    return entry.get("type", "collection") == "collection" and not name.startswith((OURS, "system."))


def swap(collections: Collection[str], restored: Iterable[str], stamp: str) -> list[Rename]:
    """Return the renames that move aside what is there, and each restored collection in place.

    The two renames of one collection follow each other, so that it is missing for a moment only.
    """
    new = {name: f"{new_prefix(stamp)}{name}" for name in restored}
    renames: list[Rename] = []
    for name in sorted({*collections, *new}):
        if name in collections:
            renames.append((name, f"{aside_prefix(stamp)}{name}"))
        if name in new:
            renames.append((new[name], name))
    return renames


def interrupted(names: Collection[str]) -> tuple[list[Rename], list[str]]:
    """Return how a swap that a killed restore began is finished, and what it restored but never began to swap.

    What it moved aside tells: it compared everything that it restored with the manifest before that.
    """
    renames: list[Rename] = []
    dropped: list[str] = []
    for name in sorted(names):
        match = _NEW.match(name)
        if match is None:
            continue
        stamp, original = match["stamp"], match["name"]
        if not any(other.startswith(aside_prefix(stamp)) for other in names):
            dropped.append(name)
            continue
        if original in names:
            renames.append((original, f"{aside_prefix(stamp)}{original}"))
        renames.append((name, original))
    return renames, dropped


def dumped(said: str) -> dict[str, int]:
    """Return how many documents of each collection mongodump says that it wrote."""
    return {match["namespace"]: int(match["count"]) for match in _DUMPED.finditer(said)}


def check_documents(manifest: Manifest, counted: Mapping[str, int]) -> None:
    """Hold restored collections to the documents that were written into the backup."""
    wanted = manifest.invariants["documents"]
    wrong = [
        f"{name} has {counted.get(name, 'no collection')} instead of {wanted.get(name, 'no collection')}"
        for name in sorted({*wanted, *counted})
        if counted.get(name) != wanted.get(name)
    ]
    if wrong:
        raise Damaged(
            f"The restored collections are not what was backed up: {'; '.join(wrong)}.",
            "Choose another backup; the collections that were there still serve.",
        )
