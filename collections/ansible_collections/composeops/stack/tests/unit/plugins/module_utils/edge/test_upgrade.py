# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.edge import draining, processes, upgrade
from ansible_collections.composeops.stack.plugins.module_utils.io.runner import Completed


class Runner:
    """Notes what would be run, and whether the drop-in was there."""

    def __init__(self, drop_in: Path) -> None:
        self.drop_in = drop_in
        self.ran: list[tuple[str, bool]] = []

    def run(self, argv: Sequence[str], **_options: Any) -> Completed:
        self.ran.append((" ".join(argv), self.drop_in.exists()))
        return Completed(tuple(argv), 0, "", "")


def test_restarts_are_refused_from_before_the_upgrade_until_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flag, drop_in = tmp_path / "edge.draining", tmp_path / "unit.d/upgrade.conf"
    monkeypatch.setattr(draining.begin, "__defaults__", (str(flag),))
    monkeypatch.setattr(draining.end, "__defaults__", (str(flag),))
    runner = Runner(drop_in)
    upgrade.begin(runner, os.getpid(), lambda: None, str(drop_in))
    assert "RefuseManualStop=yes" in drop_in.read_text()
    assert flag.read_text() == f"{os.getpid()}\n"
    for _ in range(2):
        upgrade.end(runner, str(drop_in))
    assert not flag.exists()
    assert runner.ran == [("systemctl daemon-reload", True), ("systemctl daemon-reload", False)]


def test_what_a_killed_upgrade_left_is_ended_also_when_the_flag_is_gone_already(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flag, drop_in = tmp_path / "edge.draining", tmp_path / "unit.d/upgrade.conf"
    for function in (draining.begin, draining.end, draining.was_left):
        monkeypatch.setattr(function, "__defaults__", (str(flag),))
    runner = Runner(drop_in)
    upgrade.begin(runner, os.getpid(), lambda: None, str(drop_in))
    assert not upgrade.was_left(str(drop_in))
    upgrade.end_left(runner, str(drop_in))
    assert drop_in.exists()
    assert flag.exists()
    upgrade.begin(runner, 2**22 + 1, lambda: None, str(drop_in))
    flag.unlink()
    assert upgrade.was_left(str(drop_in))
    upgrade.end_left(runner, str(drop_in))
    assert not drop_in.exists()
    assert not upgrade.was_left(str(drop_in))
    assert runner.ran[-1] == ("systemctl daemon-reload", False)


def test_the_hook_is_run_by_the_first_that_is_no_shell() -> None:
    processes_there = {40: ("sh", 30), 30: ("dash", 20), 20: ("apt-get", 10), 10: ("bash", 1)}
    assert upgrade.caller(40, processes_there.__getitem__) == 20
    assert upgrade.caller(20, processes_there.__getitem__) == 20


def test_a_process_has_a_name_and_a_parent() -> None:
    name, parent = upgrade.parents(os.getpid())
    assert name
    assert parent == os.getppid()


def test_workers_are_the_children_of_the_master(tmp_path: Path) -> None:
    pid_file = tmp_path / "nginx.pid"
    assert processes.master(str(pid_file)) is None
    assert processes.workers(str(pid_file)) == frozenset()
    pid_file.write_text(f"{os.getppid()}\n")
    assert os.getpid() in processes.workers(str(pid_file))
    assert processes.wait_until_replaced(frozenset(), str(pid_file))
    # The one of before still serves, then it is no more.
    assert not processes.wait_until_replaced(frozenset({os.getppid()}), str(pid_file), timeout=0)
    assert processes.wait_until_replaced(frozenset({2**22 + 1}), str(pid_file))
    assert not processes.outdated(str(pid_file))
