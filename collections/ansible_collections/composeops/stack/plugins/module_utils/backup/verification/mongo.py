# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Proves a backup of MongoDB as far as it can be without a server: its archive is read to its end, and counted.

It is not restored: level 2 is the highest, and such a backup is never called verified.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Mapping
from typing import IO

from ansible_collections.composeops.stack.plugins.module_utils.backup import mongo_names
from ansible_collections.composeops.stack.plugins.module_utils.backup.damage import Damaged
from ansible_collections.composeops.stack.plugins.module_utils.backup.manifest import Manifest
from ansible_collections.composeops.stack.plugins.module_utils.backup.model import Level
from ansible_collections.composeops.stack.plugins.module_utils.backup.verification import mongo_archive
from ansible_collections.composeops.stack.plugins.module_utils.backup.verification.verifier import Paths, Task, Verifier
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.io.bson import BsonError

_GZIP = b"\x1f\x8b"


def read(task: Task, paths: Paths) -> list[str]:
    """Read the archive to its end, and compare the documents of every collection."""
    manifest = task.manifest
    try:
        with _opened(paths[manifest.objects[0].name]) as stream:
            counted = mongo_archive.documents(stream)
    except mongo_archive.NoArchive as error:
        raise ComposeOpsError(
            f"The archive of backup {manifest.id} cannot be judged: {error}.",
            "Look at the version of mongodump; nothing is known of the backup.",
        ) from error
    except (mongo_archive.Cut, BsonError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise Damaged(f"The archive of backup {manifest.id} cannot be read to its end: {error}.") from error
    check(manifest, counted)
    total = sum(counted.values())
    return [f"All {total} documents of the archive were read; each collection has as many as mongodump wrote."]


def check(manifest: Manifest, counted: Mapping[str, int]) -> None:
    """Hold the documents of the database to those that mongodump said it wrote."""
    beginning = f"{manifest.origin['database']}."
    wanted = manifest.invariants["documents"]
    found = {name[len(beginning) :]: count for name, count in counted.items() if name.startswith(beginning)}
    # Views, and what is empty, are described without being counted.
    mongo_names.check_documents(manifest, {name: count for name, count in found.items() if count or name in wanted})


def _opened(path: str) -> IO[bytes]:
    """Open an archive, which backups of schema 1 had compressed by mongodump itself."""
    stream = open(path, "rb")  # noqa: SIM115 (the caller closes it)
    packed = stream.read(len(_GZIP)) == _GZIP
    stream.seek(0)
    return gzip.GzipFile(fileobj=stream) if packed else stream  # type: ignore[return-value]


VERIFIER = Verifier(read, None, highest=Level.READABLE)
