# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Proves a backup of files: its archive is read to its end, then unpacked into a directory that is thrown away.

There is no image to restore it with. Names, kinds, owners, modes and contents have to be those that were backed up.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tarfile
import zlib

from ansible_collections.composeops.stack.plugins.module_utils.backup import capacity
from ansible_collections.composeops.stack.plugins.module_utils.backup.damage import Damaged
from ansible_collections.composeops.stack.plugins.module_utils.backup.sources import archive, archive_restore
from ansible_collections.composeops.stack.plugins.module_utils.backup.sources.archive import Root, Tally
from ansible_collections.composeops.stack.plugins.module_utils.backup.verification.verifier import Paths, Task, Verifier
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError

_CHUNK = 1024 * 1024
_BROKEN = (tarfile.TarError, EOFError, zlib.error, ValueError)


def read(task: Task, paths: Paths) -> list[str]:
    """Read the archive to its end, and compare what is in it."""
    found = Tally()
    path = paths[_object(task)]
    try:
        with tarfile.open(path, "r:*") as tar:
            for member in tar:
                content = hashlib.sha256()
                if member.isreg():
                    stream = tar.extractfile(member)
                    assert stream is not None
                    while chunk := stream.read(_CHUNK):
                        content.update(chunk)
                found.add(member, content.hexdigest() if member.isreg() else "")
    except _BROKEN as error:
        raise Damaged(f"The archive of backup {task.manifest.id} cannot be read to its end: {error}.") from error
    archive.check(task.manifest.invariants, found)
    return [f"All {found.entries} entries of the archive were read; each is as it was backed up."]


def restore(task: Task, paths: Paths) -> list[str]:
    """Unpack the archive and compare every file on the disk."""
    needed = int(task.manifest.origin["bytes"])
    capacity.require(f"The disk of {task.directory}", free=shutil.disk_usage(task.directory).free, needed=needed)
    places = roots(task)
    with task.watch.step("restore"):
        try:
            archive_restore.unpack(paths[_object(task)], places)
        except _BROKEN as error:
            raise Damaged(f"Backup {task.manifest.id} cannot be unpacked: {error}.") from error
        except OSError as error:
            raise ComposeOpsError(
                f"Backup {task.manifest.id} was not unpacked: {error.strerror}: {error.filename}.",
                f"Look at the disk of {task.directory}; nothing is known of the backup.",
            ) from error
        found = archive.tally(places)
        archive.check(task.manifest.invariants, found)
    return [f"{found.entries} entries were unpacked; names, kinds, owners, modes and contents are as backed up."]


def roots(task: Task) -> list[Root]:
    """Return where each root of the backup goes: a directory of the drill's own."""
    origin = task.manifest.origin
    names = [*(f"paths{path}" for path in origin["paths"]), *(f"volumes/{name}" for name in origin["volumes"])]
    return [Root(name, os.path.join(task.directory, "unpacked", str(number))) for number, name in enumerate(names)]


def _object(task: Task) -> str:
    return task.manifest.objects[0].name


VERIFIER = Verifier(read, restore)
