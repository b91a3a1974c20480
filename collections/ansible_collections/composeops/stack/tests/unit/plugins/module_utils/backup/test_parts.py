# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import BinaryIO

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.backup import parts
from ansible_collections.composeops.stack.plugins.module_utils.backup.parts import full_parts
from ansible_collections.composeops.stack.plugins.module_utils.backup.upload import Upload
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.tests.unit.support.buckets import MemoryBucket
from hypothesis import given
from hypothesis import strategies as st


def content(part: bytearray | BinaryIO) -> bytes:
    if isinstance(part, bytearray):
        return bytes(part)
    with part:
        return part.read()


@given(st.lists(st.binary(max_size=50)), st.integers(min_value=1, max_value=40), st.booleans())
def test_parts_are_the_stream_and_equal_but_the_last(chunks: list[bytes], size: int, in_files: bool) -> None:
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as directory:
        patch.setattr(parts, "IN_MEMORY", 0 if in_files else 40)
        made = [content(part) for part in full_parts(chunks, size, directory)]
    assert b"".join(made) == b"".join(chunks)
    assert all(len(part) == size for part in made[:-1])
    assert all(0 < len(part) <= size for part in made)


def test_large_parts_lie_in_files_without_names_and_go_when_they_were_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "IN_MEMORY", 3)
    before = len(os.listdir("/proc/self/fd"))
    bucket = MemoryBucket()
    upload = Upload(bucket, "dump", 4, str(tmp_path))
    upload.send([b"0123456", b"789"])
    upload.complete()
    assert bucket.contents == {"dump": b"0123456789"}
    assert upload.sent == 10
    assert list(tmp_path.iterdir()) == []
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_full_disk_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_content: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(parts, "IN_MEMORY", 0)
    monkeypatch.setattr(parts, "_file", lambda directory: SimpleNamespace(write=full))
    with pytest.raises(ComposeOpsError, match="The disk of /state takes no part of the backup: No space left"):
        list(full_parts([b"x"], 1, "/state"))
