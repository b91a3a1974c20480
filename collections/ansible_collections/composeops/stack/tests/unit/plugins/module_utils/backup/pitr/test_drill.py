# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import time
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.backup.pitr import verify
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError

MOMENT = datetime(2026, 1, 31, 12, 0, tzinfo=timezone.utc)


def test_a_log_that_does_not_arrive_is_marked_anew_and_the_moment_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted: list[datetime] = []
    touched: list[object] = []

    def recovery(_manifest: object, _keys: object, moment: datetime) -> str:
        wanted.append(moment)
        if not touched:
            raise ComposeOpsError("The store does not have the log up to then.")
        return "found"

    def touch(task: object) -> tuple[str, datetime]:
        touched.append(task)
        return "8", MOMENT + timedelta(minutes=1)

    monkeypatch.setattr(verify, "recovery", recovery)
    monkeypatch.setattr(verify, "_touch", touch)
    monkeypatch.setattr(verify, "TOUCH_SECONDS", 0.0)
    monkeypatch.setattr(verify, "POLL_SECONDS", 0.0)
    monkeypatch.setattr(verify.plan, "base", lambda manifest: SimpleNamespace(system="7001"))
    task: Any = SimpleNamespace(manifest=SimpleNamespace(source="c", host="h"), deadline=time.monotonic() + 60)
    bucket: Any = SimpleNamespace(objects=lambda prefix: [])
    assert verify._arrived(task, bucket, MOMENT) == "found"
    assert touched
    assert set(wanted) == {MOMENT}
