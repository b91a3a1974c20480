# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Fetches a part of the log, whole and checked, into a directory that a recovering server reads."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from ansible_collections.composeops.stack.plugins.module_utils.backup import capacity
from ansible_collections.composeops.stack.plugins.module_utils.backup.damage import Damaged
from ansible_collections.composeops.stack.plugins.module_utils.backup.encoding.decode import decode
from ansible_collections.composeops.stack.plugins.module_utils.backup.manifest import StoredObject
from ansible_collections.composeops.stack.plugins.module_utils.backup.model import Level
from ansible_collections.composeops.stack.plugins.module_utils.backup.pitr import wal
from ansible_collections.composeops.stack.plugins.module_utils.backup.pitr.archive import Archived
from ansible_collections.composeops.stack.plugins.module_utils.backup.pitr.recovery import Recovery
from ansible_collections.composeops.stack.plugins.module_utils.io.s3 import Bucket

AT_ONCE = 4


@contextlib.contextmanager
def fetched_log(
    bucket: Bucket, recovery: Recovery, directory: str, identity: str | None, *, deadline: float
) -> Iterator[str]:
    """Give a directory with the files of a recovery for the block, each under PostgreSQL's own name."""
    # A killed run leaves its files; they are of no use to another.
    shutil.rmtree(directory, ignore_errors=True)
    os.makedirs(directory, mode=0o755)
    # The server that reads them is not root. The directory above is closed to everybody else of this host.
    os.chmod(directory, 0o755)  # noqa: S103 (whatever the umask is)
    try:
        free = shutil.disk_usage(directory).free
        capacity.require(f"The disk of {directory}", free=free, needed=recovery.bytes)
        size = recovery.base.segment_size
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for future in [
                pool.submit(_fetch, bucket, one, directory, identity, size=size, deadline=deadline)
                for one in recovery.files
            ]:
                try:
                    future.result()
                except BaseException:
                    pool.shutdown(cancel_futures=True)
                    raise
        for timeline in recovery.taken:
            _reserve(os.path.join(directory, wal.history_name(timeline)))
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _reserve(path: str) -> None:
    """Let a timeline be known as taken. PostgreSQL looks whether its history is there, and reads none but its own."""
    with open(path, "w", encoding="ascii") as stream:
        stream.write("# taken\n")
    os.chmod(path, 0o644)


def _fetch(bucket: Bucket, one: Archived, directory: str, identity: str | None, *, size: int, deadline: float) -> None:
    """Fetch one segment. It has no manifest: what it was sent with tells of damage (age, zstd), and its size."""
    path, encoded = os.path.join(directory, one.name), os.path.join(directory, f"{one.name}.encoded")
    count, digest = bucket.download(one.key, encoded)
    if one.encoding:
        decode(encoded, path, StoredObject(one.name, count, digest, one.encoding, size), identity, deadline=deadline)
        os.unlink(encoded)
    else:
        os.rename(encoded, path)
    if os.path.getsize(path) != size:
        raise Damaged(f"{one.key} holds {os.path.getsize(path)} bytes; a segment has {size}.", level=Level.READABLE)
    os.chmod(path, 0o644)
