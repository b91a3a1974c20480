# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Backs up files of the host and named volumes of a stack: one tar, read as it is sent, and a digest of its content."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import stat
import tarfile
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.composeops.stack.plugins.module_utils.backup.damage import Damaged
from ansible_collections.composeops.stack.plugins.module_utils.backup.model import Source
from ansible_collections.composeops.stack.plugins.module_utils.backup.producer import Production, Stream
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.io.docker import PROJECT_LABEL
from ansible_collections.composeops.stack.plugins.module_utils.io.runner import Runner

ARCHIVE = "files.tar"
COMPRESSED = "files.tar.gz"
"""What backups of schema 1 call theirs."""
OURS = ".composeops-"
"""What a restore calls its own directories; a backup leaves them out."""
VOLUME_LABEL = "com.docker.compose.volume"

_CHUNK = 256 * 1024


@dataclass(frozen=True)
class Root:
    """One path or volume: what it is called in the archive, and where it is on this host."""

    name: str
    path: str
    volume: bool = False


def roots(source: Source, runner: Runner) -> list[Root]:
    """Return where everything is that the source declares; raise where the host does not have a volume."""
    found = [Root(f"paths{path}", path) for path in source.paths]
    return found + [Root(f"volumes/{name}", _mountpoint(source, name, runner), True) for name in source.volumes]


def new_place(root: Root) -> str:
    """Return where a root is restored to: on the same file system, so that a rename puts it in place."""
    if root.volume:
        return os.path.join(root.path, f"{OURS}restoring")
    return os.path.join(os.path.dirname(root.path), f"{OURS}restoring-{os.path.basename(root.path)}")


def _mountpoint(source: Source, name: str, runner: Runner) -> str:
    filters = [f"label={PROJECT_LABEL}={source.stack}", f"label={VOLUME_LABEL}={name}"]
    argv = ["docker", "volume", "ls", "--quiet", "--filter", filters[0], "--filter", filters[1]]
    volumes = runner.run(argv).stdout.split()
    if len(volumes) != 1:
        raise ComposeOpsError(
            f"Stack {source.stack} has no volume {name} on this host.",
            "Name it as the compose file does below `volumes`, or deploy the stack first (playbooks/deploy.yml).",
        )
    inspected = runner.run(["docker", "volume", "inspect", volumes[0]]).stdout
    return str(json.loads(inspected)[0]["Mountpoint"])


@contextlib.contextmanager
def produce(source: Source, runner: Runner, deadline: float) -> Iterator[Production]:
    """Hand out one archive of everything that is declared."""
    del deadline  # nothing is waited for but the store, which has time-outs of its own
    declared = roots(source, runner)
    _refuse_half_a_restore(source, declared)
    missing = [root.path for root in declared if not os.path.lexists(root.path)]
    if missing:
        raise ComposeOpsError(
            f"{', '.join(missing)} is not there.", f"Correct the paths of source {source.name}, or deploy first."
        )
    archive, size = Archive(declared), sum(entry.size for entry in walk(declared))
    yield Production(
        streams=(Stream(ARCHIVE, size, archive.read),),
        origin={"paths": list(source.paths), "volumes": list(source.volumes), "bytes": size},
        invariants=lambda: {"entries": archive.tally.entries, "sha256": archive.tally.digest()},
    )


def _refuse_half_a_restore(source: Source, declared: list[Root]) -> None:
    """Raise where a restore was killed: what is there may be a part of the old files and a part of the new ones."""
    left = [new_place(root) for root in declared if os.path.lexists(new_place(root))]
    if left:
        raise ComposeOpsError(
            f"A restore of {source.name} did not end, and left {', '.join(left)}.",
            "Restore again (playbooks/restore.yml); what was there before the first attempt is kept beside, under"
            " names with `before_`.",
        )


@dataclass(frozen=True)
class Found:
    """Something below a root."""

    name: str
    path: str
    size: int


def walk(declared: list[Root]) -> Iterator[Found]:
    """Yield everything below the roots, parents first, in an order that is always the same."""
    for root in declared:
        yield from _walk(root.name, root.path, top=True)


def _walk(name: str, path: str, *, top: bool = False) -> Iterator[Found]:
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return
    if stat.S_ISSOCK(status.st_mode):
        # A socket means nothing without the process behind it.
        return
    yield Found(name, path, status.st_size if stat.S_ISREG(status.st_mode) else 0)
    if stat.S_ISDIR(status.st_mode):
        for entry in sorted(os.listdir(path)):
            if not (top and entry.startswith(OURS)):
                yield from _walk(f"{name}/{entry}", os.path.join(path, entry))


class Archive:
    """Reads roots as a tar, and remembers what was in it."""

    def __init__(self, declared: list[Root]) -> None:
        self._declared = declared
        self.tally = Tally()

    def read(self) -> Generator[bytes]:
        with tarfile.open(os.devnull, "w", format=tarfile.PAX_FORMAT) as describer:
            for found in walk(self._declared):
                with contextlib.ExitStack() as stack:
                    yield from self._member(describer, found, stack)
        yield bytes(2 * tarfile.BLOCKSIZE)

    def _member(self, describer: tarfile.TarFile, found: Found, stack: contextlib.ExitStack) -> Iterator[bytes]:
        # Opened before it is measured, so that both are of one file also where its name goes to another meanwhile.
        is_file = stat.S_ISREG(os.lstat(found.path).st_mode)
        stream = stack.enter_context(open(found.path, "rb")) if is_file else None  # noqa: SIM115 (the stack closes it)
        if stream is not None:
            member = describer.gettarinfo(arcname=found.name, fileobj=stream)
        else:
            member = describer.gettarinfo(found.path, arcname=found.name)
        # Each file has its own content in the archive; the second name of one comes back as a file of its own.
        if is_file:
            member.type, member.linkname = tarfile.REGTYPE, ""
        member.size = os.fstat(stream.fileno()).st_size if stream is not None else 0
        yield member.tobuf(tarfile.PAX_FORMAT)
        content = hashlib.sha256()
        left = member.size
        while stream is not None and left:
            # What is appended meanwhile is not in the backup: its size was said before.
            chunk = stream.read(min(_CHUNK, left))
            if not chunk:
                raise ComposeOpsError(f"{found.path} became shorter while it was read.", "Run the backup again.")
            left -= len(chunk)
            content.update(chunk)
            yield chunk
        if member.size % tarfile.BLOCKSIZE:
            yield bytes(tarfile.BLOCKSIZE - member.size % tarfile.BLOCKSIZE)
        self.tally.add(member, content.hexdigest() if is_file else "")


class Tally:
    """What an archive holds, as one number and one digest: names, kinds, owners, modes and contents."""

    def __init__(self) -> None:
        self.entries = 0
        self._digest = hashlib.sha256()

    def add(self, member: tarfile.TarInfo, content: str) -> None:
        self.entries += 1
        kind = member.type.decode()
        facts = (member.name, kind, member.mode & 0o7777, member.uid, member.gid, member.linkname, content)
        self._digest.update(json.dumps(facts).encode() + b"\n")

    def digest(self) -> str:
        return self._digest.hexdigest()


def tally(declared: list[Root]) -> Tally:
    """Return what is on the disk below the roots, as an archive of it would be remembered."""
    archive = Archive(declared)
    for _ in archive.read():
        pass
    return archive.tally


def check(invariants: Mapping[str, Any], found: Tally) -> None:
    """Hold restored files to what was written into the backup."""
    if (found.entries, found.digest()) != (invariants["entries"], invariants["sha256"]):
        raise Damaged(
            f"The files are not what was backed up: {found.entries} entries, {invariants['entries']} were in the "
            "backup, or one of them differs.",
            "Choose another backup; the files that were there still serve.",
        )
