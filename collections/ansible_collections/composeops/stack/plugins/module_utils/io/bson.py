# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""BSON, as far as MongoDB's commands and their answers need it: no module of the standard library knows it.

Values that commands only carry through (object ids, dates, time stamps) are kept as the bytes they are.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError

_INT32 = range(-(2**31), 2**31)
_FIXED = {0x07: 12, 0x09: 8, 0x11: 8, 0x13: 16}
"""Sizes of what is kept as bytes: object id, date, time stamp, decimal."""
_EMPTY = b"\x05\0\0\0\0"
"""A document without anything in it; none is shorter."""

_Read = tuple[Any, int]


class Long(int):
    """A number that takes 64 bits however small it is."""


class BsonError(ComposeOpsError):
    """These bytes are no document, or hold something no answer to a command has."""


def encode(document: Mapping[str, Any]) -> bytes:
    """Return a document as MongoDB reads it."""
    body = b"".join(_element(name, value) for name, value in document.items())
    return struct.pack("<i", len(body) + 5) + body + b"\0"


def decode(content: bytes) -> dict[str, Any]:
    """Return the document in ``content``; raise when it is anything but one whole document."""
    try:
        document, end = _document(content, 0)
    except (struct.error, IndexError, ValueError) as error:
        raise BsonError(f"MongoDB sent no whole document: {error}.", "Look at its logs.") from error
    if end != len(content):
        raise BsonError("MongoDB sent more than a document.", "Look at its logs.")
    return document


def _element(name: str, value: Any) -> bytes:
    kind, encoded = _value(value)
    return bytes([kind]) + name.encode() + b"\0" + encoded


def _value(value: Any) -> tuple[int, bytes]:
    result: tuple[int, bytes]
    if isinstance(value, bool):
        result = 0x08, bytes([value])
    elif value is None:
        result = 0x0A, b""
    elif isinstance(value, int):
        # A range looks through all its numbers for what is not exactly an int.
        short = not isinstance(value, Long) and value in _INT32
        result = (0x10, struct.pack("<i", value)) if short else (0x12, struct.pack("<q", value))
    elif isinstance(value, float):
        result = 0x01, struct.pack("<d", value)
    elif isinstance(value, str):
        text = value.encode()
        result = 0x02, struct.pack("<i", len(text) + 1) + text + b"\0"
    elif isinstance(value, bytes):
        result = 0x05, struct.pack("<iB", len(value), 0) + value
    elif isinstance(value, Mapping):
        result = 0x03, encode(value)
    elif isinstance(value, (list, tuple)):
        result = 0x04, encode({str(number): item for number, item in enumerate(value)})
    else:
        raise TypeError(f"no BSON for {type(value).__name__}")
    return result


def _document(content: bytes, start: int) -> tuple[dict[str, Any], int]:
    (size,) = struct.unpack_from("<i", content, start)
    end = start + size
    if size < len(_EMPTY) or end > len(content) or content[end - 1]:
        raise ValueError("a length is wrong")
    found: dict[str, Any] = {}
    position = start + 4
    while content[position]:
        kind = content[position]
        name_end = content.index(b"\0", position + 1)
        name = content[position + 1 : name_end].decode()
        found[name], position = _read(kind, content, name_end + 1)
    return found, end


def _read(kind: int, content: bytes, at: int) -> _Read:
    """Return a value and where the next one begins."""
    if kind in _FIXED:
        return content[at : at + _FIXED[kind]], at + _FIXED[kind]
    if kind not in _READERS:
        raise ValueError(f"a value is of the unknown type {kind:#x}")
    return _READERS[kind](content, at)


def _string(content: bytes, at: int) -> _Read:
    (size,) = struct.unpack_from("<i", content, at)
    return content[at + 4 : at + 3 + size].decode("utf-8", "replace"), at + 4 + size


def _array(content: bytes, at: int) -> _Read:
    items, end = _document(content, at)
    return list(items.values()), end


def _binary(content: bytes, at: int) -> _Read:
    (size,) = struct.unpack_from("<i", content, at)
    return content[at + 5 : at + 5 + size], at + 5 + size


def _nothing(_content: bytes, at: int) -> _Read:
    return None, at


def _pattern(content: bytes, at: int) -> _Read:
    end = content.index(b"\0", at)
    return content[at:end].decode(), content.index(b"\0", end + 1) + 1


_READERS: Mapping[int, Callable[[bytes, int], _Read]] = {
    0x01: lambda content, at: (struct.unpack_from("<d", content, at)[0], at + 8),
    0x02: _string,
    0x03: _document,
    0x04: _array,
    0x05: _binary,
    0x06: _nothing,
    0x08: lambda content, at: (bool(content[at]), at + 1),
    0x0A: _nothing,
    0x0B: _pattern,
    0x0E: _string,
    0x10: lambda content, at: (struct.unpack_from("<i", content, at)[0], at + 4),
    0x12: lambda content, at: (struct.unpack_from("<q", content, at)[0], at + 8),
    0x7F: _nothing,
    0xFF: _nothing,
}
"""By the numbers of the types (bsonspec.org)."""
