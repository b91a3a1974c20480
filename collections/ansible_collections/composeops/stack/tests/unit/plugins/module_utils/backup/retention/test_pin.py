# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timezone

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.backup import layout
from ansible_collections.composeops.stack.plugins.module_utils.backup.model import Entry
from ansible_collections.composeops.stack.plugins.module_utils.backup.retention.pin import pin
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.tests.unit.support.buckets import MemoryBucket

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=timezone.utc)
ENTRY = Entry("app", "h", layout.backup_id(NOW, "00000000"), NOW, True, 1)


def test_a_pin_says_who_and_why_and_the_listing_sees_it() -> None:
    bucket = MemoryBucket()
    assert pin(bucket, [ENTRY], ENTRY.id, reason=" before the audit ", operator="ada", now=NOW)
    ((key, content),) = bucket.contents.items()
    assert json.loads(content) == {
        "schema": 1,
        "pinned": "2026-11-22T12:00:00+00:00",
        "by": "ada",
        "reason": "before the audit",
    }
    assert layout.entries("app", "h", [(key, 1)])[0].pinned


def test_one_that_is_pinned_keeps_its_reason() -> None:
    bucket = MemoryBucket()
    assert not pin(bucket, [replace(ENTRY, pinned=True)], ENTRY.id, reason="again", operator="ada", now=NOW)
    assert bucket.contents == {}


@pytest.mark.parametrize(
    ("entries", "reason", "message"),
    [
        ([], "why", "no committed backup"),
        ([replace(ENTRY, committed=False)], "why", "no committed backup"),
        ([ENTRY], " ", "a reason of 1 to 400"),
        ([ENTRY], "x" * 401, "a reason of 1 to 400"),
    ],
    ids=["none", "half", "no reason", "a long reason"],
)
def test_what_cannot_be_pinned_is_refused(entries: list[Entry], reason: str, message: str) -> None:
    bucket = MemoryBucket()
    with pytest.raises(ComposeOpsError, match=message):
        pin(bucket, entries, ENTRY.id, reason=reason, operator="ada", now=NOW)
    assert bucket.contents == {}
