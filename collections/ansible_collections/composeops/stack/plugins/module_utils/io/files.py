# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Files written whole or not at all, and locks that end with their holder."""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import IO

from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError

LOCK_POLL = 0.1
"""Seconds between two attempts to take a lock that another holds."""


class LockHeld(ComposeOpsError):
    """Another process keeps the lock."""

    def __init__(self, path: str, holder: str) -> None:
        super().__init__(f"{path} is held by {holder}.", "Wait until it has ended, then run again.")
        self.holder = holder
        """What it wrote into the lock file, with the number of its process at the end."""


def read_bytes(path: str) -> bytes | None:
    """Return the content of ``path``, or None where there is no such file.

    A file of a process that ends between opening and reading (proc(5), ESRCH) is gone as well.
    """
    try:
        with open(path, "rb") as stream:
            return stream.read()
    except (FileNotFoundError, ProcessLookupError):
        return None


def read_text(path: str) -> str | None:
    """Return the content of ``path`` as UTF-8 text, or None where there is no such file."""
    content = read_bytes(path)
    return None if content is None else content.decode("utf-8", "replace")


def write_atomically(
    path: str,
    content: bytes,
    *,
    mode: int,
    uid: int = 0,
    gid: int = 0,
    validate: Callable[[str], None] | None = None,
) -> None:
    """Replace ``path`` so that a reader, or a crash at any point, sees the old content or the new, never a part.

    The mode is set before the content is written, so a secret is never readable by others in between. A symbolic
    link at ``path`` is followed: the file it names is replaced, and the link stays. ``validate`` is called with the
    name of the candidate, in the same directory; what it raises keeps the candidate from taking the place.
    """
    target = os.path.realpath(path)
    directory = os.path.dirname(target)
    try:
        descriptor, temporary = tempfile.mkstemp(prefix=f".{os.path.basename(target)}.", dir=directory)
    except OSError as error:
        raise ComposeOpsError(
            f"{path} cannot be written: {error.strerror}: {directory}.", "Create the directory, or free its disk."
        ) from error
    try:
        with os.fdopen(descriptor, "wb") as stream:
            os.fchown(stream.fileno(), uid, gid)
            os.fchmod(stream.fileno(), mode)
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        if validate is not None:
            validate(temporary)
        os.replace(temporary, target)
    except ComposeOpsError:
        _discard(temporary)
        raise
    except OSError as error:
        _discard(temporary)
        raise ComposeOpsError(
            f"{path} was not written: {error.strerror}. What was there before is still there.",
            "Free the disk or correct the permissions, then run again.",
        ) from error
    directory_descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(directory_descriptor)
    finally:
        os.close(directory_descriptor)


def _discard(temporary: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(temporary)


@contextlib.contextmanager
def exclusive(path: str, purpose: str, *, wait: float = 0) -> Iterator[None]:
    """Hold the lock file ``path`` while the block runs; raise ``LockHeld``, naming the holder, when another keeps it.

    ``wait`` is how many seconds the other may take to let go, for locks that are held briefly; without it, none.

    The kernel releases the lock when its holder ends, however it ends, so a killed run leaves none behind.
    """
    os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
    with open(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+", encoding="utf-8") as stream:
        deadline = time.monotonic() + wait
        while not _locked(stream):
            if time.monotonic() >= deadline:
                stream.seek(0)
                raise LockHeld(path, stream.read().strip() or "another run")
            time.sleep(LOCK_POLL)
        stream.seek(0)
        stream.truncate()
        stream.write(f"{purpose} (process {os.getpid()})\n")
        stream.flush()
        yield


def _locked(stream: IO[str]) -> bool:
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
