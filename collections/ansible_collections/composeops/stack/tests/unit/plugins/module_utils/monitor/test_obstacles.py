"""What keeps the monitor's hands off a stack."""

from __future__ import annotations

import json
import os
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.io import files
from ansible_collections.composeops.stack.plugins.module_utils.monitor.obstacles import locked, obstacle
from ansible_collections.composeops.stack.plugins.module_utils.release import hold, lock, state
from ansible_collections.composeops.stack.plugins.module_utils.release.run import Places, stack_run
from ansible_collections.composeops.stack.plugins.module_utils.release.state import StackState


@pytest.fixture
def places(tmp_path: Path) -> Places:
    (tmp_path / "stacks/shop").mkdir(parents=True)
    return Places(*(str(tmp_path / name) for name in ("locks", "stacks", "secrets", "audit.jsonl")))


def deployed(places: Places, *, stopped: bool = False) -> None:
    state.write_state(StackState("shop", "shop", "1", "now", stopped=stopped), places.stacks)


def test_nothing_stands_against_a_stack_that_runs(places: Places) -> None:
    deployed(places)
    assert obstacle("shop", places) == ""


def test_operator_stopped_it(places: Places) -> None:
    deployed(places, stopped=True)
    assert obstacle("shop", places) == "an operator stopped stack shop"


def test_deployment_runs_and_ends(places: Places) -> None:
    deployed(places)
    with stack_run("shop", "deploy", operator="ann", places=places):
        assert obstacle("shop", places).startswith("stack shop is in the hands of ann (deploy by ansible since ")
    assert obstacle("shop", places) == ""


def test_lock_without_a_record_is_respected(places: Places) -> None:
    with files.exclusive(os.path.join(places.locks, "stack-shop.lock"), "a restore of database"):
        assert obstacle("shop", places) == (
            f"stack shop is in the hands of a restore of database (process {os.getpid()})"
        )


def test_looking_never_takes_the_lock(places: Places) -> None:
    path = os.path.join(places.locks, "stack-shop.lock")
    with files.exclusive(path, "first"):
        pass
    obstacle("shop", places)
    with files.exclusive(path, "second"):
        assert "second" in obstacle("shop", places)


@pytest.mark.parametrize(("minutes", "held"), [(5, True), (-5, False)], ids=["in-force", "expired"])
def test_operator_holds_it(places: Places, minutes: int, held: bool) -> None:
    until = datetime.now(timezone.utc) + timedelta(minutes=minutes)
    hold.write("shop", hold.make("ann", "incident 42", 60, until - timedelta(seconds=60)), places.stacks)
    assert ("stack shop is held by ann until" in obstacle("shop", places)) is held
    assert ("incident 42" in obstacle("shop", places)) is held


@pytest.mark.parametrize("name", ["hold.json", "state.json"])
def test_file_that_nobody_understands_is_an_obstacle(places: Places, name: str) -> None:
    (Path(places.stacks) / "shop" / name).write_text("nonsense")
    assert name in obstacle("shop", places)


def test_kernel_locks_are_read(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    path.touch()
    found = path.stat()
    identity = f"{os.major(found.st_dev):02x}:{os.minor(found.st_dev):02x}:{found.st_ino}"
    held = f"1: FLOCK  ADVISORY  WRITE 12 {identity} 0 EOF\n"
    assert locked(str(path), held)
    assert not locked(str(path), f"1: FLOCK  ADVISORY  WRITE 12 {identity}7 0 EOF\n")
    assert not locked(str(path), f"1: -> FLOCK  ADVISORY  WRITE 12 {identity} 0 EOF\n")
    assert not locked(str(tmp_path / "missing"), held)


def test_record_of_a_killed_run_is_no_obstacle(places: Places) -> None:
    deployed(places)
    with stack_run("shop", "deploy", operator="ann", places=places):
        record = Path(places.locks) / "stack-shop.holder.json"
        content = json.loads(record.read_text())
    record.write_text(json.dumps({**content, "process": 2**22 + 1}))
    assert lock.current("shop", places.locks) is None
    assert obstacle("shop", places) == ""
