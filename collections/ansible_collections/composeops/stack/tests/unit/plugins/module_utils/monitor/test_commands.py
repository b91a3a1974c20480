"""`composeops monitor`: one round, and what keeps it from starting."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError, InvalidInput
from ansible_collections.composeops.stack.plugins.module_utils.io import files
from ansible_collections.composeops.stack.plugins.module_utils.monitor import commands, memory
from ansible_collections.composeops.stack.tests.unit.support.servers import http_server


def parsed(*argv: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    commands.register(parser.add_subparsers(required=True))
    return parser.parse_args(["monitor", *argv])


def configured(tmp_path: Path, port: int = 1, **more: object) -> str:
    content = {
        "checks": [{"name": "api", "type": "http", "url": f"http://127.0.0.1:{port}/"}],
        "thresholds": {"cpu": 0, "memory": 0, "disk": 0},
        "state_directory": str(tmp_path / "state"),
        **more,
    }
    path = tmp_path / "monitor.json"
    path.write_text(json.dumps(content))
    path.chmod(0o600)
    return str(path)


@pytest.mark.parametrize(("status", "code", "cell"), [(200, 0, "ok"), (500, 1, "FAILED  1 of 3")])
def test_one_round_tells_by_its_status(
    status: int, code: int, cell: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with http_server(lambda handler: handler.send_error(status)) as port:
        assert commands.monitor(parsed("--once", "--config", configured(tmp_path, port))) == code
    assert cell in capsys.readouterr().out


def test_rounds_count_together(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = configured(tmp_path)
    for _ in range(3):
        assert commands.monitor(parsed("--once", "--config", config)) == 1
    assert "api is failing: The http check of http://127.0.0.1:1/ failed 3 times in a row" in capsys.readouterr().out
    assert memory.read(str(tmp_path / "state"))[0].checks["api"].failures == 3


def test_two_at_a_time_are_refused(tmp_path: Path) -> None:
    config = configured(tmp_path)
    with (
        files.exclusive(memory.lock_path(str(tmp_path / "state")), "the monitor"),
        pytest.raises(ComposeOpsError, match="is held by the monitor"),
    ):
        commands.monitor(parsed("--once", "--config", config))


def test_validation_asks_nothing_and_writes_nothing(tmp_path: Path) -> None:
    assert commands.monitor(parsed("--validate", "--config", configured(tmp_path))) == 0
    assert not (tmp_path / "state").exists()
    with pytest.raises(InvalidInput, match="has no option every"):
        commands.monitor(parsed("--validate", "--config", configured(tmp_path, every=3)))


def test_memory_that_cannot_be_read_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state/state.json").write_text("nonsense")
    commands.monitor(parsed("--once", "--config", configured(tmp_path)))
    assert "what was remembered cannot be read" in capsys.readouterr().out


def test_lines_of_a_log_outside_the_journal_have_their_time(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("JOURNAL_STREAM", raising=False)
    commands.say("one\ntwo")
    monkeypatch.setenv("JOURNAL_STREAM", "8:1")
    commands.say("three")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith("Z one two")
    assert lines[1] == "three"
