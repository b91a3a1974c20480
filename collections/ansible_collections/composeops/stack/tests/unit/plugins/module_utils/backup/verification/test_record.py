# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import json
from dataclasses import replace

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.backup.model import Level
from ansible_collections.composeops.stack.plugins.module_utils.backup.verification import record
from ansible_collections.composeops.stack.plugins.module_utils.backup.verification.record import Verification
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError

PASSED = Verification(
    backup="20260131T023000Z-00000000",
    source="database",
    backup_host="petcare1",
    host="petcare2",
    level=Level.RESTORED,
    outcome=record.PASSED,
    started="2026-01-31T04:30:00Z",
    finished="2026-01-31T04:30:09Z",
    image="postgres@sha256:0a",
    seconds={"fetch": 0.5, "restore": 2.0},
    rto_seconds=2.5,
    proven=("7 rows.",),
)


@pytest.mark.parametrize(
    "one",
    [PASSED, replace(PASSED, level=Level.INTACT, outcome=record.FAILED, rto_seconds=None, error="Cut off.")],
    ids=["passed", "failed"],
)
def test_what_is_written_is_read(one: Verification) -> None:
    assert record.parse(record.serialise(one), "key") == one


def test_the_object_is_json_with_a_schema_and_without_notes() -> None:
    written = json.loads(record.serialise(replace(PASSED, notes=("Nobody heard.",))))
    assert (written["schema"], written["level"], written["outcome"]) == (1, 3, "passed")
    assert "notes" not in written


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{", "key is not a verification"),
        (b"[]", "key is not a verification"),
        (b'{"schema": 2}', "key has schema 2; this version reads 1"),
        (b'{"schema": 1, "level": 9, "proven": []}', "key is not a verification"),
        (b'{"schema": 1, "level": 3, "proven": [], "more": 1}', "key is not a verification"),
    ],
    ids=["no JSON", "no object", "a later schema", "no level", "not ours"],
)
def test_what_is_no_verification_is_refused(content: bytes, message: str) -> None:
    with pytest.raises(ComposeOpsError, match=message):
        record.parse(content, "key")
