# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The outline of a Redis dump (RDB): whether it is whole, and how many keys its first database holds.

Only the first bytes and the last nine are looked at, so this costs nothing at any size. The format:
https://github.com/redis/redis/blob/7.0/src/rdb.h
"""

from __future__ import annotations

from dataclasses import dataclass

HEAD = 65536
TAIL = 9
"""The end-of-file mark and the 8 bytes of the checksum that follows it."""

_MAGIC = b"REDIS"
_AUX, _RESIZE_DB, _SELECT_DB, _FUNCTION, _END = 0xFA, 0xFB, 0xFE, 0xF5, 0xFF
_SIX_BITS, _FOURTEEN_BITS, _WIDER, _ENCODED = range(4)
_INTEGER_SIZES = {0: 1, 1: 2, 2: 4}
_LZF = 3
_LENGTH_64 = 0x81


@dataclass(frozen=True)
class FirstDatabase:
    """How many keys the dump's first database has, and how many of them expire."""

    index: int
    keys: int
    expiring: int


class _Cut(Exception):
    """The head ended, or holds something this reader does not know, before the first database."""


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, count: int) -> bytes:
        taken = self._data[self._at : self._at + count]
        if len(taken) < count:
            raise _Cut
        self._at += count
        return taken

    def byte(self) -> int:
        return self.take(1)[0]

    def length(self) -> int:
        value, encoded = self._length()
        if encoded:
            raise _Cut
        return value

    def skip_string(self) -> None:
        value, encoded = self._length()
        if not encoded:
            self.take(value)
        elif value in _INTEGER_SIZES:
            self.take(_INTEGER_SIZES[value])
        elif value == _LZF:
            compressed = self.length()
            self.length()
            self.take(compressed)
        else:
            raise _Cut

    def _length(self) -> tuple[int, bool]:
        first = self.byte()
        kind, rest = first >> 6, first & 0x3F
        if kind == _SIX_BITS:
            return rest, False
        if kind == _FOURTEEN_BITS:
            return rest << 8 | self.byte(), False
        if kind == _WIDER:
            return int.from_bytes(self.take(8 if first == _LENGTH_64 else 4), "big"), False
        return rest, True


def is_whole(head: bytes, tail: bytes) -> bool:
    """Whether a dump that begins with ``head`` and ends with ``tail`` (9 bytes) has its beginning and its end."""
    return head.startswith(_MAGIC) and len(tail) == TAIL and tail[0] == _END


def first_database(head: bytes) -> FirstDatabase | None:
    """Return the size of the first database as the dump's head tells it, or None where it does not.

    An empty dump has no database at all, which counts as database 0 with no keys.
    """
    reader = _Reader(head)
    index = 0
    try:
        reader.take(len(_MAGIC) + 4)
        while True:
            operation = reader.byte()
            if operation == _AUX:
                reader.skip_string()
                reader.skip_string()
            elif operation == _FUNCTION:
                reader.skip_string()
            elif operation == _SELECT_DB:
                index = reader.length()
            elif operation == _RESIZE_DB:
                return FirstDatabase(index, reader.length(), reader.length())
            elif operation == _END:
                return FirstDatabase(0, 0, 0)
            else:
                return None
    except _Cut:
        return None
