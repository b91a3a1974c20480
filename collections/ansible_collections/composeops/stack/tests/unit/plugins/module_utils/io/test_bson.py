# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import struct
from typing import Any

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.io import bson

# The examples of bsonspec.org, and what other implementations make of the rest.
EXAMPLES = [
    pytest.param({"hello": "world"}, b"\x16\0\0\0\x02hello\0\x06\0\0\0world\0\0", id="text"),
    pytest.param(
        {"BSON": ["awesome", 5.05, 1986]},
        b"\x31\0\0\0\x04BSON\0\x26\0\0\0\x020\0\x08\0\0\0awesome\0\x011\0\x33\x33\x33\x33\x33\x33\x14\x40"
        b"\x102\0\xc2\x07\0\0\0\0",
        id="array",
    ),
    pytest.param({}, b"\x05\0\0\0\0", id="empty"),
    pytest.param({"a": True, "b": None}, b"\x0c\0\0\0\x08a\0\x01\x0ab\0\0", id="true and nothing"),
    pytest.param({"a": 2**40}, b"\x10\0\0\0\x12a\0\0\0\0\0\0\x01\0\0\0", id="large number"),
    pytest.param({"a": b"xyz"}, b"\x10\0\0\0\x05a\0\x03\0\0\0\0xyz\0", id="bytes"),
    pytest.param({"a": {"b": "ü"}}, b"\x17\0\0\0\x03a\0\x0f\0\0\0\x02b\0\x03\0\0\0\xc3\xbc\0\0\0", id="nested"),
]


@pytest.mark.parametrize(("document", "content"), EXAMPLES)
def test_documents_are_what_the_format_says(document: dict[str, Any], content: bytes) -> None:
    assert bson.encode(document) == content
    assert bson.decode(content) == document


def test_a_number_takes_64_bits_where_it_is_told_to() -> None:
    assert bson.encode({"a": bson.Long(1)}) == b"\x10\0\0\0\x12a\0\x01\0\0\0\0\0\0\0\0"


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        pytest.param(0x07, b"0123456789ab", id="object id"),
        pytest.param(0x09, b"01234567", id="date"),
        pytest.param(0x11, b"01234567", id="time stamp"),
        pytest.param(0x13, b"0123456789abcdef", id="decimal"),
    ],
)
def test_what_is_only_carried_through_stays_bytes(kind: int, value: bytes) -> None:
    inner = bytes([kind]) + b"a\0" + value + b"\x10b\0\x07\0\0\0"
    assert bson.decode(struct.pack("<i", len(inner) + 5) + inner + b"\0") == {"a": value, "b": 7}


def test_a_pattern_is_read_without_its_options() -> None:
    inner = b"\x0ba\0^x\0i\0\x10b\0\x07\0\0\0"
    assert bson.decode(struct.pack("<i", len(inner) + 5) + inner + b"\0") == {"a": "^x", "b": 7}


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"\x16\0\0\0\x02hello\0\x06\0\0\0wor", id="cut off"),
        pytest.param(b"\x05\0\0\0\0more", id="more than a document"),
        pytest.param(b"\x08\0\0\0\x42a\0\0", id="unknown type"),
        pytest.param(b"\x05\0\0\0\x01", id="no end"),
        pytest.param(b"\xff\xff\xff\xff\0", id="negative length"),
    ],
)
def test_what_is_no_document_is_refused(content: bytes) -> None:
    with pytest.raises(bson.BsonError):
        bson.decode(content)


def test_a_value_without_bson_is_a_mistake_of_ours() -> None:
    with pytest.raises(TypeError, match="no BSON for object"):
        bson.encode({"a": object()})
