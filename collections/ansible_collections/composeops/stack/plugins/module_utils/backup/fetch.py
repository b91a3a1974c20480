# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Fetches a backup: downloaded whole, compared with its manifest, and only then decrypted and decompressed."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Iterator

from ansible_collections.composeops.stack.plugins.module_utils.backup import capacity, layout
from ansible_collections.composeops.stack.plugins.module_utils.backup.damage import Damaged
from ansible_collections.composeops.stack.plugins.module_utils.backup.encoding import programs
from ansible_collections.composeops.stack.plugins.module_utils.backup.encoding.decode import LONGEST, decode
from ansible_collections.composeops.stack.plugins.module_utils.backup.manifest import Manifest, StoredObject
from ansible_collections.composeops.stack.plugins.module_utils.backup.model import Entry, Level
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.io.s3 import Bucket

EXPANSION = 5
"""How much larger than stored an object is taken to be where its manifest does not say."""


def needed(manifest: Manifest) -> int:
    """Return the room on the disk that fetching takes: for every object as it is stored and as it was."""
    return sum(stored.bytes + _plain(stored) for stored in manifest.objects)


def _plain(stored: StoredObject) -> int:
    if stored.plain_bytes is not None:
        return stored.plain_bytes
    return stored.bytes * (EXPANSION if programs.ZSTD in stored.encoding else 1)


@contextlib.contextmanager
def fetched(
    bucket: Bucket,
    entry: Entry,
    manifest: Manifest,
    directory: str,
    identity: str | None,
    *,
    deadline: float | None = None,
) -> Iterator[dict[str, str]]:
    """Give the paths of a backup's objects by their plain names, all whole and readable, for the block.

    ``directory`` is made for it and removed after it. ``identity`` is the text of an identity file of age, or None
    where the backup is not encrypted. ``deadline`` is a reading of ``time.monotonic``.
    """
    # A killed run leaves its files; they are of no use to another.
    shutil.rmtree(directory, ignore_errors=True)
    os.makedirs(directory, mode=0o700)
    try:
        free = shutil.disk_usage(directory).free
        capacity.require(f"The disk of {directory}", free=free, needed=needed(manifest))
        until = deadline if deadline is not None else time.monotonic() + LONGEST
        paths = {}
        for stored in manifest.objects:
            path = download(bucket, entry, stored, directory)
            if stored.encoding:
                path = _decoded(path, stored, identity, until)
            paths[stored.name] = path
        yield paths
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def download(bucket: Bucket, entry: Entry, stored: StoredObject, directory: str) -> str:
    """Fetch one object as it is stored, and hold it to its manifest; return its path."""
    path = os.path.join(directory, stored.file)
    try:
        size, digest = bucket.download(layout.key(entry.source, entry.host, entry.id, stored.file), path)
    except OSError as error:
        raise ComposeOpsError(f"{path} was not written: {error.strerror}.", "Free the disk.") from error
    if (size, digest) != (stored.bytes, stored.sha256):
        raise Damaged(
            f"{stored.file} of backup {entry.id} is damaged: {size} bytes with SHA-256 {digest} were fetched; "
            f"its manifest says {stored.bytes} with {stored.sha256}.",
            level=Level.INTACT,
        )
    return path


def _decoded(path: str, stored: StoredObject, identity: str | None, deadline: float) -> str:
    plain = os.path.join(os.path.dirname(path), stored.name)
    decode(path, plain, stored, identity, deadline=deadline)
    os.unlink(path)
    return plain
