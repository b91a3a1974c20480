"""What is remembered through a restart of the monitor."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.monitor import memory
from ansible_collections.composeops.stack.plugins.module_utils.monitor.model import (
    Alert,
    CheckState,
    Delivery,
    ResourceState,
    State,
    TargetState,
    WebhookState,
)

STATE = State(
    checks={"api": CheckState(4, 1, 10.5, "Nothing listens.", True, True, 9)},
    targets={"shop/api": TargetState((1.0, 2.5), 2, 99.0, 7)},
    resources={"disk /": ResourceState(3, True, 5.0)},
    webhooks={"ops": WebhookState(5, 1)},
    queue=(Delivery("ops", Alert("failing", "api", "t", "x", 1.0, "h"), 2, 60.0),),
)


def test_nothing_is_forgotten(tmp_path: Path) -> None:
    memory.write(str(tmp_path), STATE)
    assert memory.read(str(tmp_path)) == (STATE, "")
    assert stat.S_IMODE((tmp_path / "state.json").stat().st_mode) == 0o600


def test_first_run_remembers_nothing(tmp_path: Path) -> None:
    assert memory.read(str(tmp_path)) == (State(), "")


@pytest.mark.parametrize(
    "text", ["", "nonsense", "[]", "{}", '{"schema": 2}', '{"schema": 1, "checks": {"a": {"b": 1}}}']
)
def test_file_that_cannot_be_read_does_not_keep_the_monitor_from_watching(text: str, tmp_path: Path) -> None:
    (tmp_path / "state.json").write_text(text)
    state, forgotten = memory.read(str(tmp_path))
    assert state == State()
    assert "cannot be read" in forgotten
    assert (tmp_path / "state.json.unreadable").read_text() == text
