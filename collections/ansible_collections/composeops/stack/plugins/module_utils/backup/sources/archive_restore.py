# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Restores files and volumes: into a new directory beside each, compared with the manifest, then renamed into place.

A volume stays the directory that containers have mounted; what is in it is exchanged.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tarfile
from collections.abc import Collection, Iterator, Mapping

from ansible_collections.composeops.stack.plugins.module_utils.backup import capacity
from ansible_collections.composeops.stack.plugins.module_utils.backup.damage import Damaged
from ansible_collections.composeops.stack.plugins.module_utils.backup.restorer import Job, Outcome, Restorer
from ansible_collections.composeops.stack.plugins.module_utils.backup.sources import archive
from ansible_collections.composeops.stack.plugins.module_utils.backup.sources.archive import OURS, Root, new_place
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError

Move = tuple[str, str]


def aside(root: Root, stamp: str) -> str:
    """Return where what was there is kept."""
    return os.path.join(root.path, f"{OURS}before_{stamp}") if root.volume else f"{root.path}.before_{stamp}"


def moves(root: Root, stamp: str) -> Iterator[Move]:
    """Yield the renames that put a restored root in place, looking at the disk as they come up."""
    if not root.volume:
        if os.path.lexists(root.path):
            yield root.path, aside(root, stamp)
        yield new_place(root), root.path
        return
    os.mkdir(aside(root, stamp), mode=0o700)
    for name in sorted(os.listdir(root.path)):
        if not name.startswith(OURS):
            yield os.path.join(root.path, name), os.path.join(aside(root, stamp), name)
    for name in sorted(os.listdir(new_place(root))):
        yield os.path.join(new_place(root), name), os.path.join(root.path, name)


def examine(job: Job) -> list[str]:
    """Refuse what cannot succeed, and say what would be done."""
    declared = _roots(job)
    _require_room(job, declared)
    places = ", ".join(root.path for root in declared)
    return [
        f"Unpack beside {places}, and compare every name, owner, mode and content with the manifest.",
        "Rename what is there aside, and what was restored into its place.",
    ]


def apply(job: Job, paths: Mapping[str, str]) -> Outcome:
    """Restore; where anything fails, the files that were there are in their places."""
    declared = _roots(job)
    _require_room(job, declared)
    done: list[Move] = []
    try:
        places = [Root(root.name, new_place(root)) for root in declared]
        unpack(_archive(paths), places)
        archive.check(job.manifest.invariants, archive.tally(places))
        for root in declared:
            for old, new in moves(root, job.stamp):
                os.rename(old, new)
                done.append((old, new))
            if root.volume:
                _take_directory(new_place(root), root.path)
    except BaseException:
        with contextlib.suppress(OSError):
            for old, new in reversed(done):
                os.rename(new, old)
            for root in declared:
                if root.volume and os.path.isdir(aside(root, job.stamp)):
                    os.rmdir(aside(root, job.stamp))
        raise
    finally:
        for root in declared:
            _remove(new_place(root))
    kept = [aside(root, job.stamp) for root in declared if os.path.lexists(aside(root, job.stamp))]
    entries = job.manifest.invariants["entries"]
    notes = (f"{entries} entries, as in the backup.", "Restart what has read the old ones (playbooks/restart.yml).")
    return Outcome(kept=", ".join(kept), removal=f"rm -r {' '.join(kept)}" if kept else "", notes=notes)


def replaced(job: Job) -> str:
    """Say what files are there; a directory without any is nothing."""
    found = [root.path for root in _roots(job) if _holds(root)]
    return f"{', '.join(found)} {'is' if len(found) == 1 else 'are'} there" if found else ""


def _holds(root: Root) -> bool:
    if os.path.isdir(root.path) and not os.path.islink(root.path):
        return any(not name.startswith(OURS) for name in os.listdir(root.path))
    return os.path.lexists(root.path)


def _archive(paths: Mapping[str, str]) -> str:
    return paths[archive.ARCHIVE if archive.ARCHIVE in paths else archive.COMPRESSED]


def unpack(path: str, places: list[Root]) -> None:
    """Unpack an archive, each root to its path, where nothing may be that was not left by an unpacking before."""
    for root in places:
        _remove(root.path)
        os.makedirs(os.path.dirname(root.path), mode=0o755, exist_ok=True)
    with tarfile.open(path, "r:*") as tar:
        directories: dict[str, tuple[tarfile.TarInfo, str]] = {}
        for member in tar:
            place = destination(member.name, places, directories)
            _write(tar, member, place)
            if member.isdir():
                directories[member.name] = (member, place)
        # A directory that may not be written to is closed when everything is in it.
        for member, place in reversed(directories.values()):
            _own(member, place)


def destination(name: str, places: list[Root], directories: Collection[str]) -> str:
    """Return where a member of the archive goes; raise for one that would leave the roots.

    What it lies in has to be a directory of the archive: through a symbolic link of it, root would write anywhere.
    """
    for root in places:
        if name == root.name:
            return root.path
        if name.startswith(f"{root.name}/"):
            rest = name[len(root.name) + 1 :]
            if not {"", ".", ".."}.intersection(rest.split("/")) and name.rpartition("/")[0] in directories:
                return os.path.join(root.path, rest)
    raise Damaged(f"The backup holds {name}, which is in no directory that the source declares.")


def _write(tar: tarfile.TarFile, member: tarfile.TarInfo, path: str) -> None:
    if member.isdir():
        os.mkdir(path, mode=0o700)
        return
    if member.issym():
        os.symlink(member.linkname, path)
    elif member.isreg():
        source = tar.extractfile(member)
        assert source is not None
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as target:
            shutil.copyfileobj(source, target, 1024 * 1024)
            target.flush()
            os.fsync(target.fileno())
    elif member.isfifo():
        os.mkfifo(path, mode=0o600)
    else:
        raise Damaged(f"The backup holds {member.name}, a device.")
    _own(member, path)


def _own(member: tarfile.TarInfo, path: str) -> None:
    os.chown(path, member.uid, member.gid, follow_symlinks=False)
    if not member.issym():
        os.chmod(path, member.mode & 0o7777)
        os.utime(path, (member.mtime, member.mtime))


def _take_directory(restored: str, path: str) -> None:
    """Give a volume the owner and mode that it had; it is a directory that is never exchanged."""
    status = os.lstat(restored)
    os.chown(path, status.st_uid, status.st_gid)
    os.chmod(path, status.st_mode & 0o7777)


def _roots(job: Job) -> list[Root]:
    wanted = job.manifest.origin
    if set(wanted["paths"]) != set(job.source.paths) or set(wanted["volumes"]) != set(job.source.volumes):
        raise ComposeOpsError(
            f"Backup {job.manifest.id} holds {', '.join([*wanted['paths'], *wanted['volumes']])}; source "
            f"{job.source.name} now declares {', '.join([*job.source.paths, *job.source.volumes])}.",
            "Declare the same for the restore, or unpack the archive by hand.",
        )
    return archive.roots(job.source, job.runner)


def _require_room(job: Job, declared: list[Root]) -> None:
    for root in declared:
        directory = root.path
        while not os.path.isdir(directory):
            directory = os.path.dirname(directory)
        free = shutil.disk_usage(directory).free
        capacity.require(f"The disk of {root.path}", free=free, needed=int(job.manifest.origin["bytes"]))


def _remove(path: str) -> None:
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    else:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)


RESTORER = Restorer(examine, apply, replaced)
