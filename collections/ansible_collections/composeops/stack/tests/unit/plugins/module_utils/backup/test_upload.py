# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import hashlib
from collections.abc import Iterator

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.backup import plan, upload
from ansible_collections.composeops.stack.plugins.module_utils.backup.upload import Upload
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.tests.unit.support.buckets import MemoryBucket


def test_there_is_no_object_before_it_is_completed() -> None:
    bucket = MemoryBucket()
    sending = Upload(bucket, "database/h/x/dump", 4, "/nowhere")
    sending.send([b"0123", b"45", b"6789"])
    assert bucket.contents == {}
    sending.complete()
    assert bucket.contents == {"database/h/x/dump": b"0123456789"}
    assert bucket.pending == {}
    stored = sending.stored("dump")
    assert (stored.bytes, stored.sha256) == (10, hashlib.sha256(b"0123456789").hexdigest())


def failing() -> Iterator[bytes]:
    yield b"01234567"
    raise ComposeOpsError("pg_dump failed with status 137.")


def test_a_producer_that_fails_leaves_no_object_and_no_upload() -> None:
    bucket = MemoryBucket()
    sending = Upload(bucket, "dump", 4, "/nowhere")
    with pytest.raises(ComposeOpsError, match="status 137"):
        sending.send(failing())
    sending.abort()
    assert (bucket.contents, bucket.pending) == ({}, {})


def test_an_empty_stream_is_no_backup() -> None:
    bucket = MemoryBucket()
    sending = Upload(bucket, "dump", 4, "/nowhere")
    with pytest.raises(ComposeOpsError, match="Nothing came out"):
        sending.send([b"", b""])
    sending.abort()
    assert (bucket.contents, bucket.pending) == ({}, {})


def test_a_store_that_fails_in_the_middle_ends_the_upload() -> None:
    bucket = MemoryBucket(fail_at_part=2)
    sending = Upload(bucket, "dump", 2, "/nowhere")
    with pytest.raises(ComposeOpsError, match="the store is gone"):
        sending.send([b"01234567"])
    assert bucket.sent < 4


def test_a_store_that_holds_less_than_was_sent_is_not_believed() -> None:
    bucket = MemoryBucket(lose=1)
    sending = Upload(bucket, "dump", 4, "/nowhere")
    sending.send([b"0123456789"])
    with pytest.raises(ComposeOpsError, match="holds 9 bytes of dump, 10 were sent"):
        sending.complete()
    sending.abort()
    assert bucket.contents == {}


def test_a_stream_with_too_many_parts_ends_early(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upload, "MOST_PARTS", 3)
    sending = Upload(MemoryBucket(), "dump", 1, "/nowhere")
    with pytest.raises(ComposeOpsError, match="grew beyond 3 parts"):
        sending.send([b"0123"])
    assert plan.MOST_PARTS == 10_000
