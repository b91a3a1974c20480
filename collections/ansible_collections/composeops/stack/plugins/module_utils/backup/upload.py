# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One object on its way to the bucket: full parts, a running digest, and no object before everything is right."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import BinaryIO, Protocol

from ansible_collections.composeops.stack.plugins.module_utils.backup.manifest import StoredObject
from ansible_collections.composeops.stack.plugins.module_utils.backup.parts import full_parts
from ansible_collections.composeops.stack.plugins.module_utils.backup.plan import MOST_PARTS
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError


class PartStore(Protocol):
    """What an upload needs of a bucket."""

    def begin(self, key: str) -> str: ...
    def part(self, key: str, upload_id: str, number: int, content: bytes | bytearray | BinaryIO) -> str: ...
    def complete(self, key: str, upload_id: str, tags: list[str]) -> None: ...
    def abort(self, key: str, upload_id: str) -> None: ...
    def size(self, key: str) -> int: ...
    def delete(self, key: str) -> None: ...


class Upload:
    """Sends a stream in parts; ``complete`` alone makes it an object, ``abort`` leaves nothing of it."""

    def __init__(self, store: PartStore, key: str, part_size: int, directory: str) -> None:
        self._store = store
        self._key = key
        self._part_size = part_size
        self._directory = directory
        self._upload_id: str | None = None
        self._tags: list[str] = []
        self._completed = False
        self._digest = hashlib.sha256()
        self._bytes = 0
        self._sent = 0

    def send(self, chunks: Iterable[bytes]) -> None:
        """Send all of ``chunks``, which raises at its end when its producer failed.

        One part is sent while the next is filled, so there are never more than two.
        """
        self._upload_id = self._store.begin(self._key)
        sending: Future[str] | None = None
        with ThreadPoolExecutor(max_workers=1) as sender:
            for number, part in enumerate(full_parts(self._measured(chunks), self._part_size, self._directory), 1):
                if number > MOST_PARTS:
                    raise ComposeOpsError(
                        f"{self._key} grew beyond {MOST_PARTS} parts, more than twice what was estimated.",
                        "Run the backup again: the next estimate starts from what the source has now.",
                    )
                if sending is not None:
                    self._tags.append(sending.result())
                sending = sender.submit(self._part, self._upload_id, number, part)
            if sending is None:
                raise ComposeOpsError(f"Nothing came out of the producer of {self._key}.", "An empty backup is none.")
            self._tags.append(sending.result())

    def _measured(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        for chunk in chunks:
            self._digest.update(chunk)
            self._bytes += len(chunk)
            yield chunk

    def _part(self, upload_id: str, number: int, part: bytearray | BinaryIO) -> str:
        # A file is closed, and gone, when it was sent.
        with contextlib.nullcontext() if isinstance(part, bytearray) else part:
            tag = self._store.part(self._key, upload_id, number, part)
            self._sent += len(part) if isinstance(part, bytearray) else part.seek(0, os.SEEK_END)
        return tag

    def complete(self) -> None:
        """Make the object, and hold the store to its size."""
        assert self._upload_id is not None
        self._store.complete(self._key, self._upload_id, self._tags)
        self._completed = True
        stored = self._store.size(self._key)
        if stored != self._bytes:
            raise ComposeOpsError(
                f"The store holds {stored} bytes of {self._key}, {self._bytes} were sent.", "Look at the store."
            )

    def abort(self) -> None:
        """Take back what was sent, completed or not."""
        if self._completed:
            self._store.delete(self._key)
        elif self._upload_id is not None:
            self._store.abort(self._key, self._upload_id)

    @property
    def sent(self) -> int:
        """How many bytes the store has taken so far."""
        return self._sent

    def stored(self, name: str, encoding: Sequence[str] = (), plain_bytes: int | None = None) -> StoredObject:
        """Return what the manifest says of this object."""
        return StoredObject(name, self._bytes, self._digest.hexdigest(), tuple(encoding), plain_bytes)
