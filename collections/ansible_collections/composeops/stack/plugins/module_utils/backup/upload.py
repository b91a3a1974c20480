# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One object on its way to the bucket: full parts, a running digest, and no object before everything is right."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Protocol

from ansible_collections.composeops.stack.plugins.module_utils.backup.manifest import StoredObject
from ansible_collections.composeops.stack.plugins.module_utils.backup.plan import MOST_PARTS
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError


class PartStore(Protocol):
    """What an upload needs of a bucket."""

    def begin(self, key: str) -> str: ...
    def part(self, key: str, upload_id: str, number: int, content: bytes | bytearray) -> str: ...
    def complete(self, key: str, upload_id: str, tags: list[str]) -> None: ...
    def abort(self, key: str, upload_id: str) -> None: ...
    def size(self, key: str) -> int: ...
    def delete(self, key: str) -> None: ...


def full_parts(chunks: Iterable[bytes], size: int) -> Iterator[bytearray]:
    """Yield the stream in parts of exactly ``size`` bytes, the last one excepted.

    A pipe hands out what it has; some stores refuse an upload whose parts differ in size.
    """
    # Filled in place: pieces that are joined at the end would be in memory twice.
    part, held = bytearray(size), 0
    for chunk in chunks:
        rest = memoryview(chunk)
        while rest:
            taken = min(len(rest), size - held)
            part[held : held + taken] = rest[:taken]
            held, rest = held + taken, rest[taken:]
            if held == size:
                yield part
                part, held = bytearray(size), 0
    if held:
        del part[held:]
        yield part


class Upload:
    """Sends a stream in parts; ``complete`` alone makes it an object, ``abort`` leaves nothing of it."""

    def __init__(self, store: PartStore, key: str, part_size: int) -> None:
        self._store = store
        self._key = key
        self._part_size = part_size
        self._upload_id: str | None = None
        self._tags: list[str] = []
        self._completed = False
        self._digest = hashlib.sha256()
        self._bytes = 0

    def send(self, chunks: Iterable[bytes]) -> None:
        """Send all of ``chunks``, which raises at its end when its producer failed.

        One part is sent while the next is filled, so at most two are in memory at any size of the stream.
        """
        self._upload_id = self._store.begin(self._key)
        sending: Future[str] | None = None
        with ThreadPoolExecutor(max_workers=1) as sender:
            for number, part in enumerate(full_parts(chunks, self._part_size), 1):
                if number > MOST_PARTS:
                    raise ComposeOpsError(
                        f"{self._key} grew beyond {MOST_PARTS} parts, more than twice what was estimated.",
                        "Run the backup again: the next estimate starts from what the source has now.",
                    )
                self._digest.update(part)
                self._bytes += len(part)
                if sending is not None:
                    self._tags.append(sending.result())
                sending = sender.submit(self._store.part, self._key, self._upload_id, number, part)
            if sending is None:
                raise ComposeOpsError(f"Nothing came out of the producer of {self._key}.", "An empty backup is none.")
            self._tags.append(sending.result())

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
        """How many bytes were handed to the store."""
        return self._bytes

    def stored(self, name: str, encoding: Sequence[str] = (), plain_bytes: int | None = None) -> StoredObject:
        """Return what the manifest says of this object."""
        return StoredObject(name, self._bytes, self._digest.hexdigest(), tuple(encoding), plain_bytes)
