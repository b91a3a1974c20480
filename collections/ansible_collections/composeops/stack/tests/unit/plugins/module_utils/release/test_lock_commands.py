# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.release import audit, hold, lock_commands
from ansible_collections.composeops.stack.plugins.module_utils.release.run import Places, stack_run
from ansible_collections.composeops.stack.tests.unit.support.places import deploy, places


@pytest.fixture(name="here", autouse=True)
def here_fixture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Places:
    where = places(tmp_path)
    deploy(where)
    monkeypatch.setattr(lock_commands, "PLACES", where)
    monkeypatch.setenv("SUDO_USER", "ada")
    return where


def run(*argv: str) -> int:
    parser = argparse.ArgumentParser()
    lock_commands.register(parser.add_subparsers(required=True))
    arguments = parser.parse_args(argv)
    return int(arguments.handler(arguments))


def test_hold_and_resume(here: Places, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("hold", "shop", "--reason", "incident 42", "--for", "2h") == 0
    held = hold.in_force("shop", here.stacks)
    assert held is not None
    assert (held.holder, held.seconds) == ("ada", 7200)
    assert capsys.readouterr().out == f"Stack shop is held by ada until {held.until}: incident 42.\n"
    assert run("resume", "shop") == 0
    assert capsys.readouterr().out == f"Stack shop is released. It was held by ada until {held.until}: incident 42.\n"
    assert run("resume", "shop") == 0
    assert capsys.readouterr().out == "Nobody holds stack shop.\n"


def test_hold_again_extends_it(here: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    run("hold", "shop", "--reason", "incident 42")
    first = hold.in_force("shop", here.stacks)
    assert first is not None
    assert first.seconds == 3600
    later = hold.datetime.fromisoformat(first.since) + hold.timedelta(minutes=10)
    monkeypatch.setattr(hold, "clock", lambda: later)
    run("hold", "shop", "--reason", "incident 42")
    second = hold.in_force("shop", here.stacks)
    assert second is not None
    assert (second.since, second.until > first.until) == (first.since, True)


@pytest.mark.parametrize("command", [["hold", "blog", "--reason", "x"], ["hold", "../x", "--reason", "x"]])
def test_a_stack_that_is_not_there_is_not_held(command: list[str]) -> None:
    with pytest.raises(ComposeOpsError, match=r"never deployed|is not a stack name"):
        run(*command)


def fill(here: Places) -> None:
    deploy(here, "blog", 1)
    for stack in ("shop", "blog", "shop"):
        with stack_run(stack, "restart", operator="bob", places=here) as work:
            work.begin()


def test_audit_shows_the_newest_runs_last(here: Places, capsys: pytest.CaptureFixture[str]) -> None:
    fill(here)
    assert run("audit", "--lines", "2") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == audit.COLUMNS
    assert [line.split()[1:8] for line in lines[2:]] == [
        ["blog", "restart", "bob", "ansible", "1", "ok", "-"],
        ["shop", "restart", "bob", "ansible", "7", "ok", "-"],
    ]


def test_audit_of_one_stack_as_json(here: Places, capsys: pytest.CaptureFixture[str]) -> None:
    fill(here)
    assert run("audit", "blog", "--json") == 0
    (entry,) = json.loads(capsys.readouterr().out)
    assert (entry["stack"], entry["operation"], entry["result"]) == ("blog", "restart", "ok")
    assert "event" not in entry


def test_audit_tells_who_still_works(here: Places, capsys: pytest.CaptureFixture[str]) -> None:
    with stack_run("shop", "deploy", operator="bob", places=here) as work:
        work.begin()
        run("audit", "--json")
        assert json.loads(capsys.readouterr().out)[0]["result"] == "running"
    run("audit", "--json")
    assert json.loads(capsys.readouterr().out)[0]["result"] == "ok"


def test_audit_of_nothing_is_an_empty_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("audit") == 0
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_audit_of_no_lines_is_refused() -> None:
    with pytest.raises(ComposeOpsError, match="shows nothing"):
        run("audit", "--lines", "0")
