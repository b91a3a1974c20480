"""`composeops check` reads the host's declaration, prints what it saw and exits accordingly."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.checks import commands
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError, InvalidInput
from ansible_collections.composeops.stack.tests.unit.support.servers import http_server


def parsed(*argv: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    commands.register(parser.add_subparsers(required=True))
    return parser.parse_args(["check", *argv])


@pytest.fixture
def declare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Write the host's declaration where the command looks for it."""
    path = tmp_path / "checks.json"
    monkeypatch.setattr(commands, "PATH", str(path))

    def write(*checks: dict[str, object]) -> str:
        path.write_text(json.dumps({"checks": checks, "ca": ""}))
        return str(path)

    return write


def redis(name: str) -> dict[str, object]:
    return {"name": name, "type": "redis", "stack": "s", "service": "r"}


@pytest.mark.parametrize(("status", "code"), [(200, 0), (500, 1)], ids=["passes", "fails"])
def test_exit_status_tells_the_result(
    status: int, code: int, declare: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    with http_server(lambda handler: handler.send_error(status)) as port:
        declare({"name": "app", "type": "http", "url": f"http://127.0.0.1:{port}/", "attempts": 1})
        assert commands.check(parsed()) == code
    printed = capsys.readouterr()
    assert f"http://127.0.0.1:{port}/" in printed.out
    assert ("it answered 500" in printed.err) is (code == 1)


def test_results_are_printed_as_json(declare: Callable[..., str], capsys: pytest.CaptureFixture[str]) -> None:
    with http_server(lambda handler: handler.send_error(200)) as port:
        declare({"name": "app", "type": "http", "url": f"http://127.0.0.1:{port}/"})
        commands.check(parsed("--json"))
    assert [(found["name"], found["ok"]) for found in json.loads(capsys.readouterr().out)] == [("app", True)]


def test_checks_are_chosen_by_name(declare: Callable[..., str]) -> None:
    declare(redis("a"), redis("b"))
    checks, _ca = commands.declared(commands.PATH)
    assert [check.name for check in commands.chosen(checks, ["b"])] == ["b"]
    assert [check.name for check in commands.chosen(checks, [])] == ["a", "b"]


def test_unknown_name_is_refused_with_the_known_ones(declare: Callable[..., str]) -> None:
    declare(redis("a"), redis("b"))
    with pytest.raises(InvalidInput, match=r"No check is called c\. There are: a, b\."):
        commands.check(parsed("c"))


def test_host_without_checks_says_how_to_get_them(declare: Callable[..., str]) -> None:
    with pytest.raises(ComposeOpsError, match=r"has no checks: .* is missing\. Run playbooks/verify\.yml"):
        commands.check(parsed())


@pytest.mark.parametrize("text", ["nonsense", "[]", "{}", '{"checks": [1]}'])
def test_file_of_another_shape_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "checks.json"
    path.write_text(text)
    with pytest.raises(ComposeOpsError, match="is not a list of checks"):
        commands.declared(str(path))
