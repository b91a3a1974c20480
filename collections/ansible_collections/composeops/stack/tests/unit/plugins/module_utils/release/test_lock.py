# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.release import lock

OTHER = """
import sys
from ansible_collections.composeops.stack.plugins.module_utils.release import lock
holder = lock.holder_of("ada", "deploy", via="ansible", run="r1")
with lock.taken("shop", holder, locks=sys.argv[1]):
    lock.note_step("shop", "start", sys.argv[1])
    print("held", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def locks(tmp_path: Path) -> str:
    return str(tmp_path / "locks")


@pytest.fixture
def other(locks: str) -> Iterator[subprocess.Popen[str]]:
    """Another process that has the stack, at the step start, until its input ends."""
    argv = [sys.executable, "-c", OTHER, locks]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def me() -> lock.Holder:
    return lock.holder_of("bob", "stop", via="console", run="r2")


def test_who_meets_the_lock_is_told_who_has_it_and_what_to_do(locks: str, other: subprocess.Popen[str]) -> None:
    with pytest.raises(ComposeOpsError) as raised, lock.taken("shop", me(), locks=locks):
        pass
    said = str(raised.value)
    assert said.startswith("Stack shop is held by ada (deploy by ansible since 20")
    assert f"process {other.pid} on " in said
    assert "at step start since 20" in said
    assert f"`kill {other.pid}`" in said
    assert "`lock_wait`" in said


def test_a_run_waits_and_then_has_the_stack(locks: str, other: subprocess.Popen[str]) -> None:
    told: list[str] = []

    def say(sentence: str) -> None:
        told.append(sentence)
        print(file=other.stdin, flush=True)

    with lock.taken("shop", me(), wait=30, locks=locks, say=say) as waited:
        holder = lock.current("shop", locks)
        assert holder is not None
        assert holder.operator == "bob"
    assert waited.startswith("waited 0 s for ada (deploy")
    assert told[0].startswith("Stack shop is held by ada")
    assert told[0].endswith("Waiting up to 30 s.")


def test_a_run_does_not_wait_longer_than_it_is_told_to(locks: str, other: subprocess.Popen[str]) -> None:
    with pytest.raises(ComposeOpsError, match=r"Waited 0\.2 s\."), lock.taken("shop", me(), wait=0.2, locks=locks):
        pass
    holder = lock.current("shop", locks)
    assert holder is not None
    assert holder.operator == "ada"


def test_a_killed_run_leaves_no_lock_and_is_not_shown(locks: str, other: subprocess.Popen[str]) -> None:
    assert lock.current("shop", locks)
    other.kill()
    other.wait()
    assert Path(locks, "stack-shop.holder.json").exists()
    assert lock.current("shop", locks) is None
    with lock.taken("shop", me(), locks=locks) as waited:
        assert waited == ""


def test_a_process_that_got_the_number_of_a_killed_run_is_not_taken_for_it(locks: str) -> None:
    with lock.taken("shop", me(), locks=locks):
        record = Path(locks, "stack-shop.holder.json")
        content = json.loads(record.read_text())
        record.write_text(json.dumps({**content, "started": content["started"] - 1}))
        assert lock.current("shop", locks) is None


def test_the_record_goes_with_the_run_and_is_for_root(locks: str) -> None:
    record = Path(locks, "stack-shop.holder.json")
    with lock.taken("shop", me(), locks=locks):
        assert record.stat().st_mode & 0o777 == 0o600
    assert not record.exists()
    with pytest.raises(KeyError), lock.taken("shop", me(), locks=locks):
        raise KeyError
    assert not record.exists()


def test_another_stack_is_not_concerned(locks: str, other: subprocess.Popen[str]) -> None:
    with lock.taken("blog", me(), locks=locks):
        assert lock.current("blog", locks)


def test_steps_are_noted_by_who_has_the_lock_alone(locks: str, other: subprocess.Popen[str]) -> None:
    lock.note_step("shop", "stop", locks)
    lock.note_step("blog", "stop", locks)
    holder = lock.current("shop", locks)
    assert holder is not None
    assert holder.step == "start"
    assert sorted(os.listdir(locks)) == ["stack-shop.holder.json", "stack-shop.lock"]


def test_a_step_is_noted_with_its_time(locks: str) -> None:
    with lock.taken("shop", me(), locks=locks):
        before = lock.current("shop", locks)
        lock.note_step("shop", "gate", locks)
        after = lock.current("shop", locks)
    assert before is not None
    assert after is not None
    assert (before.step, after.step) == ("", "gate")
    assert after.heartbeat
    assert replace(after, step="", heartbeat="") == before


@pytest.mark.parametrize(
    "content", ["", "{", '{"operator": "ada"}', "[]"], ids=["empty", "cut", "other keys", "a list"]
)
def test_a_record_that_cannot_be_read_keeps_nobody_out(locks: str, content: str) -> None:
    Path(locks).mkdir()
    Path(locks, "stack-shop.holder.json").write_text(content)
    assert lock.current("shop", locks) is None
    with lock.taken("shop", me(), locks=locks):
        assert lock.current("shop", locks)


def test_a_holder_that_has_not_said_yet_who_it_is_is_named_by_its_lock(
    locks: str, other: subprocess.Popen[str]
) -> None:
    Path(locks, "stack-shop.holder.json").unlink()
    said = "is held by a deploy of stack shop by ada"
    with pytest.raises(ComposeOpsError, match=said), lock.taken("shop", me(), locks=locks):
        pass
