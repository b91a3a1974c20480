# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.host import apt
from ansible_collections.composeops.stack.tests.unit.support.recorded import RecordedRunner


def verbs(runner: RecordedRunner) -> list[str]:
    """Return what apt-get was asked for, without its options."""
    known = ("update", "install", "remove")
    return [next(word for word in argv if word in known) for argv in runner.calls]


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apt, "lists_age", lambda: 60.0)
    monkeypatch.setattr(apt, "wait_for_lists", lambda: None)


@pytest.fixture
def old(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apt, "lists_age", lambda: 4000.0)
    monkeypatch.setattr(apt, "wait_for_lists", lambda: None)


def test_fresh_lists_are_not_fetched_again(fresh: None) -> None:
    runner = RecordedRunner()
    apt.Apt(runner).install(["nginx", "certbot"])
    assert verbs(runner) == ["install"]
    assert runner.calls[0][-2:] == ["nginx", "certbot"]
    assert "--no-install-recommends" in runner.calls[0]
    assert runner.environments[0]["DEBIAN_FRONTEND"] == "noninteractive"


def test_old_lists_are_fetched_first(old: None) -> None:
    runner = RecordedRunner()
    apt.Apt(runner).install(["nginx"])
    assert verbs(runner) == ["update", "install"]


@pytest.mark.parametrize(
    "said",
    ["E: Unable to locate package nginx", "E: Failed to fetch http://x 404  Not Found"],
    ids=["package that the lists do not have yet", "package that the mirror has replaced"],
)
def test_lists_that_prove_stale_are_fetched_once(fresh: None, said: str) -> None:
    def answer(argv: Sequence[str]) -> tuple[int, str, str]:
        return (100, "", said) if "install" in argv and len(runner.calls) == 1 else (0, "", "")

    runner = RecordedRunner(answer)
    apt.Apt(runner).install(["nginx"])
    assert verbs(runner) == ["install", "update", "install"]


def test_an_unknown_package_is_named(old: None) -> None:
    runner = RecordedRunner(
        lambda argv: (100, "", "E: Unable to locate package ngimx") if "install" in argv else (0, "", "")
    )
    with pytest.raises(ComposeOpsError, match="apt knows no package ngimx"):
        apt.Apt(runner).install(["nginx", "ngimx"])
    assert verbs(runner) == ["update", "install"]


def test_any_other_failure_is_not_tried_again(fresh: None) -> None:
    runner = RecordedRunner(lambda argv: (100, "", "E: You don't have enough free space"))
    with pytest.raises(ComposeOpsError, match="enough free space"):
        apt.Apt(runner).install(["nginx"])
    assert verbs(runner) == ["install"]


def test_removal_takes_nothing_else_with_it() -> None:
    runner = RecordedRunner(lambda argv: (0, "Remv docker.io [26]\nRemv containerd [1.7]\n", ""))
    with pytest.raises(ComposeOpsError, match=r"would also remove docker\.io"):
        apt.Apt(runner).remove(["containerd"])
    assert [("--simulate" in argv) for argv in runner.calls] == [True]


def test_removal_of_all_that_goes_is_done() -> None:
    runner = RecordedRunner(lambda argv: (0, "Remv docker.io [26]\nRemv containerd [1.7]\n", ""))
    apt.Apt(runner).remove(["containerd", "docker.io"])
    assert verbs(runner) == ["remove", "remove"]


def test_no_lists_are_very_old(tmp_path: Path) -> None:
    assert apt.lists_age(str(tmp_path / "none")) == float("inf")
    assert apt.lists_age(str(tmp_path)) == float("inf")
    (tmp_path / "deb.example_dists_trixie_main_binary-amd64_Packages").touch()
    os.utime(tmp_path, (1, 1))
    assert apt.lists_age(str(tmp_path)) > 1e9


HOLD = """
import fcntl, sys
stream = open(sys.argv[1], "r+")
fcntl.lockf(stream, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.readline()
"""


def test_lists_that_another_program_fetches_are_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock = tmp_path / "lock"
    lock.touch()
    monkeypatch.setattr(apt, "LOCK_POLL", 0.01)
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(lock)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(ComposeOpsError, match="held by another program"):
            apt.wait_for_lists(str(lock), limit=0.05)
        holder.communicate("done\n")
    apt.wait_for_lists(str(lock), limit=0)
    with open(lock, "r+", encoding="utf-8") as stream:
        fcntl.lockf(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
