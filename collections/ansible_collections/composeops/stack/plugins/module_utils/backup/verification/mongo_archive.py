# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reads an archive of mongodump to its end; pure but for the stream.

After a magic number and what is known of each collection come blocks: a header that names a collection, its documents,
and a mark. A collection's last block has no documents and says so; an archive that was cut off lacks such a block.
https://github.com/mongodb/mongo-tools/tree/master/common/archive
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Protocol

from ansible_collections.composeops.stack.plugins.module_utils.io import bson

MAGIC = 0x8199E26D
LARGEST = 48_000_000
"""MongoDB's own limit of a message; no document is larger."""

_END = 0xFFFFFFFF
_INT32 = struct.Struct("<I")
_SMALLEST = 5


class NoArchive(ValueError):
    """This is no archive of mongodump, or one of a later layout."""


class Cut(ValueError):
    """The archive ends before its end, or holds what none holds."""


class Readable(Protocol):
    """What an archive is read from."""

    def read(self, size: int, /) -> bytes: ...


def documents(stream: Readable) -> dict[str, int]:
    """Return how many documents of each collection, named with its database, the archive holds."""
    if stream.read(_INT32.size) != _INT32.pack(MAGIC):
        raise NoArchive("it does not begin as an archive of mongodump does")
    # The first block: the archive's own header, and one document for each collection.
    described = [bson.decode(document) for document in _block(stream)]
    counted = {_namespace(document): 0 for document in described[1:]}
    ended: set[str] = set()
    while block := _header(stream):
        name, last = block
        found = sum(1 for _ in _documents(stream))
        if name in ended or (last and found):
            raise Cut(f"{name} goes on after its end")
        counted[name] = counted.get(name, 0) + found
        if last:
            ended.add(name)
    # A view has no documents, and no block of its own.
    open_ended = sorted(name for name, count in counted.items() if count and name not in ended)
    if open_ended:
        raise Cut(f"{', '.join(open_ended)} has no end")
    return counted


def _header(stream: Readable) -> tuple[str, bool] | None:
    """Return whose block comes, and whether it is the last of it; None at the archive's end."""
    size = stream.read(_INT32.size)
    if not size:
        return None
    content = _rest(stream, size)
    if content is None:
        raise Cut("a block has no header")
    header = bson.decode(content)
    return _namespace(header), bool(header.get("EOF"))


def _block(stream: Readable) -> list[bytes]:
    return list(_documents(stream))


def _documents(stream: Readable) -> Iterator[bytes]:
    while (content := _rest(stream, stream.read(_INT32.size))) is not None:
        yield content


def _rest(stream: Readable, size: bytes) -> bytes | None:
    """Return the document whose length is ``size``, or None for the mark that ends a block."""
    if len(size) < _INT32.size:
        raise Cut("it ends within a block")
    (count,) = _INT32.unpack(size)
    if count == _END:
        return None
    if not _SMALLEST <= count <= LARGEST:
        raise Cut(f"a document of {count} bytes is none")
    body = stream.read(count - _INT32.size)
    if len(body) < count - _INT32.size or body[-1:] != b"\0":
        raise Cut("it ends within a document")
    return size + body


def _namespace(document: dict[str, object]) -> str:
    if "db" not in document or "collection" not in document:
        raise Cut("a block names no collection")
    return f"{document['db']}.{document['collection']}"
