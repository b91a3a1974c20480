# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.backup.sources import rdb
from ansible_collections.composeops.stack.plugins.module_utils.backup.sources.rdb import FirstDatabase

# Dumps of a Redis 7.0.15.
TWO_DATABASES = bytes.fromhex(
    "524544495330303130fa0972656469732d76657206372e302e3135fa0a72656469732d62697473c040fa056374696d65c27f74026b"
    "fa08757365642d6d656dc2a8b50e00fa08616f662d62617365c000fe00fb0201fcfb989801a2010000000162c002000161c001"
    "fe03fb0100000163c003ffacb97130d665a3fa"
)
WITH_FUNCTION = bytes.fromhex(
    "524544495330303130fa0972656469732d76657206372e302e3135fa0a72656469732d62697473c040fa056374696d65c28074026b"
    "fa08757365642d6d656dc2d8381000fa08616f662d62617365c000f5404623216c7561206e616d653d6d796c69620a72656469732e"
    "72656769737465725f66756e6374696f6e282766272c2066756e6374696f6e28292072657475726e203120656e6429fe02fb0300"
    "00017ac003000179c002000178c001ff5290ecea7aef1142"
)
EMPTY = bytes.fromhex(
    "524544495330303130fa0972656469732d76657206372e302e3135fa0a72656469732d62697473c040fa056374696d65c28074026b"
    "fa08757365642d6d656dc2e0961000fa08616f662d62617365c000fffe8270affc362221"
)
HEADER = b"REDIS0011\xfa\x03ver\x01\x37"


@pytest.mark.parametrize(
    ("dump", "expected"),
    [
        pytest.param(TWO_DATABASES, FirstDatabase(0, 2, 1), id="the first of two databases"),
        pytest.param(WITH_FUNCTION, FirstDatabase(2, 3, 0), id="another database, after a function"),
        pytest.param(EMPTY, FirstDatabase(0, 0, 0), id="no key at all"),
        pytest.param(HEADER + b"\xfe\x00\xfb\x41\x00\x02", FirstDatabase(0, 256, 2), id="14-bit length"),
        pytest.param(HEADER + b"\xfe\x00\xfb\x80\x00\x0f\x42\x40\x00", FirstDatabase(0, 10**6, 0), id="32-bit length"),
        pytest.param(
            HEADER + b"\xfe\x00\xfb\x81\x00\x00\x00\x01\x00\x00\x00\x00\x05",
            FirstDatabase(0, 2**32, 5),
            id="64-bit length",
        ),
        pytest.param(b"REDIS0011\xfa\x01a\xc3\x02\x05xx\xfe\x00\xfb\x01\x00", FirstDatabase(0, 1, 0), id="compressed"),
    ],
)
def test_the_first_database_is_counted(dump: bytes, expected: FirstDatabase) -> None:
    assert rdb.first_database(dump) == expected


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(TWO_DATABASES[:60], id="cut off"),
        pytest.param(HEADER + b"\xf7rest", id="an operation that is not known"),
        pytest.param(HEADER + b"\xfe\xc0\x01", id="a length that is none"),
        pytest.param(b"REDIS0011\xfa\xc4", id="an encoding that is not known"),
    ],
)
def test_what_cannot_be_told_is_not_guessed(head: bytes) -> None:
    assert rdb.first_database(head) is None


@pytest.mark.parametrize(
    ("dump", "whole"),
    [
        pytest.param(EMPTY, True, id="whole"),
        pytest.param(TWO_DATABASES[:-1], False, id="a byte short"),
        pytest.param(b"-LOADING Redis is loading", False, id="no dump"),
        pytest.param(b"", False, id="nothing"),
    ],
)
def test_a_dump_has_a_beginning_and_an_end(dump: bytes, whole: bool) -> None:
    assert rdb.is_whole(dump, dump[-rdb.TAIL :]) is whole
