# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.release import audit, hold, lock
from ansible_collections.composeops.stack.plugins.module_utils.release.holding import Holding
from ansible_collections.composeops.stack.plugins.module_utils.release.run import Places, stack_run
from ansible_collections.composeops.stack.tests.unit.support.places import deploy, places, secrets


@pytest.fixture(name="here")
def here_fixture(tmp_path: Path) -> Places:
    where = places(tmp_path)
    deploy(where)
    return where


class Failed(ComposeOpsError):
    """A failure as a deployment raises it."""

    def __init__(self, message: str, *, changed: bool = True, restored: bool = False) -> None:
        super().__init__(message)
        self.changed, self.restored = changed, restored


def log(here: Places) -> list[audit.Entry]:
    return audit.runs(audit.read(here.audit), ())


def test_a_run_that_changes_nothing_leaves_nothing(here: Places) -> None:
    with stack_run("shop", "deploy", operator="ada", places=here) as work:
        assert lock.current("shop", here.locks)
    assert log(here) == []
    assert work.notes == []
    assert lock.current("shop", here.locks) is None


def test_a_run_is_written_with_the_releases_before_and_after(here: Places) -> None:
    with stack_run("shop", "rollback", operator="ada", places=here) as work:
        work.begin()
        work.begin()
        deploy(here, release=8)
        work.reason = "went back to release 6"
    (run,) = log(here)
    assert len(list(audit.read(here.audit))) == 2
    assert (run.stack, run.operation, run.operator, run.via) == ("shop", "rollback", "ada", "ansible")
    assert (run.from_release, run.to_release, run.result) == (7, 8, "ok")
    assert run.reason == "went back to release 6"


ENDINGS = {
    "failed, and the one before serves": (True, Failed("unhealthy\nlog", restored=True), "rolled back", "unhealthy"),
    "failed": (True, Failed("unhealthy"), "failed", "unhealthy"),
    "a fault of ours": (True, KeyError("x"), "failed", "KeyError"),
    "stopped by a key": (True, KeyboardInterrupt(), "failed", "KeyboardInterrupt"),
    "nothing was begun": (False, ComposeOpsError("no such secret"), "refused", "no such secret"),
    "changed before it was announced": (False, Failed("unhealthy"), "failed", "unhealthy"),
}


@pytest.mark.parametrize(("begins", "error", "result", "reason"), ENDINGS.values(), ids=ENDINGS.keys())
def test_how_a_run_ended_is_written_once(
    here: Places, begins: bool, error: BaseException, result: audit.Result, reason: str
) -> None:
    with pytest.raises(type(error)), stack_run("shop", "deploy", places=here) as work:
        if begins:
            work.begin()
        raise error
    (run,) = log(here)
    assert (run.result, run.reason) == (result, reason)
    assert [entry.event for entry in audit.read(here.audit)].count("ended") == 1


def test_a_release_that_was_tried_is_named(here: Places) -> None:
    with pytest.raises(Failed), stack_run("shop", "deploy", places=here) as work:
        work.begin()
        (Path(here.stacks) / "shop/releases/8").mkdir()
        raise Failed("unhealthy", restored=True)
    assert (log(here)[0].from_release, log(here)[0].to_release) == (7, 8)


def test_secrets_are_masked_in_the_reason(here: Places) -> None:
    secrets(here, DB_PASSWORD="hush-hush-hush")
    with pytest.raises(ComposeOpsError), stack_run("shop", "deploy", places=here):
        raise ComposeOpsError("cannot log in with hush-hush-hush")
    assert "hush-hush-hush" not in Path(here.audit).read_text()
    assert log(here)[0].reason == "cannot log in with (sensitive)"


def test_the_second_of_two_runs_is_refused_and_that_is_written(here: Places) -> None:
    with (
        stack_run("shop", "deploy", operator="ada", places=here),
        pytest.raises(ComposeOpsError, match="held by ada"),
        stack_run("shop", "stop", operator="bob", places=here),
    ):
        pytest.fail("it has the stack too")
    (run,) = log(here)
    assert (run.operator, run.operation, run.result) == ("bob", "stop", "refused")
    assert run.reason.startswith("Stack shop is held by ada (deploy")


def test_a_run_is_refused_while_an_operator_holds_the_stack(here: Places) -> None:
    Holding("shop", "ada", via="console", places=here).hold("incident 42", "2h", check=False)
    with pytest.raises(hold.HeldByHand), stack_run("shop", "deploy", operator="bob", places=here):
        pytest.fail("it has the stack")
    assert [(run.operation, run.operator, run.result) for run in log(here)] == [
        ("hold", "ada", "ok"),
        ("deploy", "bob", "refused"),
    ]
    Holding("shop", "bob", via="console", places=here).release(check=False)
    with stack_run("shop", "deploy", operator="bob", places=here):
        pass


def test_a_hold_that_is_over_is_told_of(here: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    Holding("shop", "ada", via="console", places=here).hold("incident 42", "1s", check=False)
    found = hold.read("shop", here.stacks)
    assert found is not None
    monkeypatch.setattr(hold, "clock", lambda: hold.datetime.fromisoformat(found.until))
    with stack_run("shop", "deploy", places=here) as work:
        pass
    assert work.notes[0].endswith("that is over, and was removed")
    assert hold.read("shop", here.stacks) is None


def test_what_an_operator_should_know_is_said_of_a_run_that_failed_too(here: Places, tmp_path: Path) -> None:
    (tmp_path / "log").write_text("a file where the directory should be")
    with pytest.raises(Failed) as raised, stack_run("shop", "deploy", places=here) as work:
        work.begin()
        raise Failed("unhealthy")
    assert {note.split(":")[0] for note in raised.value.notes} == {"This run is not in the audit log"}


def test_check_mode_leaves_nothing_and_says_what_is_in_the_way(here: Places) -> None:
    with stack_run("shop", "deploy", check=True, places=here) as work:
        pass
    assert work.notes == []
    assert not os.path.exists(here.locks)
    Holding("shop", "ada", via="console", places=here).hold("incident 42", "2h", check=False)
    with stack_run("shop", "deploy", check=True, places=here) as work:
        pass
    assert work.notes[0].startswith("Now it would be refused: stack shop is held by ada until ")
    assert [run.operation for run in log(here)] == ["hold"]


def test_a_log_that_cannot_be_written_does_not_stop_the_run(here: Places, tmp_path: Path) -> None:
    (tmp_path / "log").write_text("a file where the directory should be")
    with stack_run("shop", "deploy", places=here) as work:
        work.begin()
    assert all(note.startswith("This run is not in the audit log: ") for note in work.notes)
    assert work.notes


KILLED = """
import os, signal, sys
from ansible_collections.composeops.stack.plugins.module_utils.release.run import Places, stack_run
with stack_run("shop", "deploy", operator="ada", places=Places(*sys.argv[1:])) as work:
    work.begin()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_run_is_seen_as_interrupted_and_strands_nobody(here: Places) -> None:
    argv = [sys.executable, "-c", KILLED, here.locks, here.stacks, here.secrets, here.audit]
    assert subprocess.run(argv, check=False).returncode == -signal.SIGKILL
    (run,) = log(here)
    assert (run.operator, run.result) == ("ada", "interrupted")
    with stack_run("shop", "deploy", places=here) as work:
        assert work.notes == []
