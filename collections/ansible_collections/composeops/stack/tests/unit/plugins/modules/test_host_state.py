# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The module's shell, run as Ansible runs it: parameters on standard input, one JSON object on standard output."""

from __future__ import annotations

import grp
import json
import os
import pwd
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

MODULE = "ansible_collections.composeops.stack.plugins.modules.host_state"
ME = {"owner": pwd.getpwuid(os.getuid()).pw_name, "group": grp.getgrgid(os.getgid()).gr_name}

# The lock and the record of owed restarts live below /run and /var/lib, where a test has no business.
RUN = """
import sys
from ansible.module_utils import basic
from ansible_collections.composeops.stack.plugins.module_utils.host import pending
from ansible_collections.composeops.stack.plugins.modules import host_state
basic._ANSIBLE_ARGS = sys.stdin.buffer.read()
basic._ANSIBLE_PROFILE = "legacy"
pending.PATH = sys.argv[1] + "/pending.json"
host_state.LOCK = sys.argv[1] + "/lock"
host_state.main()
"""


def run(tmp_path: Path, *, check: bool = False, diff: bool = False, **parameters: Any) -> dict[str, Any]:
    state = tmp_path / "state"
    state.mkdir(exist_ok=True)
    arguments = {**parameters, "_ansible_check_mode": check, "_ansible_diff": diff, "_ansible_no_log": False}
    completed = subprocess.run(
        [sys.executable, "-c", RUN, str(state)],
        input=json.dumps({"ANSIBLE_MODULE_ARGS": arguments}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert completed.stdout, completed.stderr
    result: dict[str, Any] = json.loads(completed.stdout)
    return result


def entry(path: Path, content: str, **options: Any) -> dict[str, Any]:
    return {"path": str(path), "content": content, **ME, **options}


def test_check_apply_again(tmp_path: Path) -> None:
    path = tmp_path / "a"
    predicted = run(tmp_path, check=True, diff=True, files=[entry(path, "x\n")])
    assert not path.exists()
    done = run(tmp_path, diff=True, files=[entry(path, "x\n")])
    again = run(tmp_path, diff=True, files=[entry(path, "x\n")])
    assert predicted == done
    assert (done["changed"], done["plan"], done["changed_paths"]) == (True, [f"create {path}"], [str(path)])
    assert done["diff"] == [
        {"before_header": str(path), "after_header": str(path), "before": "(absent)\n", "after": "x\n"}
    ]
    assert (again["changed"], again["plan"], again["diff"]) == (False, [], [])


def test_without_diff_mode_there_is_no_diff(tmp_path: Path) -> None:
    assert "diff" not in run(tmp_path, files=[entry(tmp_path / "a", "x")])


def test_a_secret_is_in_no_result(tmp_path: Path) -> None:
    path = tmp_path / "a"
    results = [
        run(tmp_path, diff=True, files=[entry(path, "hunter2", sensitive=True)]),
        run(tmp_path, diff=True, files=[entry(path, "hunter2-changed", sensitive=True)]),
        run(tmp_path, diff=True, files=[entry(Path("relative"), "hunter2")]),
        run(tmp_path, diff=True, files=[entry(path, "hunter2", bogus=True)]),
        run(tmp_path, diff=True, files=[entry(path, "hunter2", state="sideways")]),
    ]
    assert [result.get("failed", False) for result in results] == [False, False, True, True, True]
    assert "hunter2" not in json.dumps(results)


def test_a_failure_says_what_was_done_before_it(tmp_path: Path) -> None:
    result = run(tmp_path, files=[entry(tmp_path / "a", "x"), entry(tmp_path / "none/b", "x")])
    assert result["failed"]
    assert result["changed"]
    assert result["done"] == [f"create {tmp_path}/a"]
    assert f"file {tmp_path}/none/b" in result["msg"]


def test_wrong_input_changes_nothing(tmp_path: Path) -> None:
    result = run(tmp_path, files=[entry(tmp_path / "a", "x"), entry(tmp_path / "b", "x", mode="644")])
    assert result["failed"]
    assert not result["changed"]
    assert "four octal digits" in result["msg"]
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize("mask", [0o022, 0o077])
def test_parents_are_readable_whatever_the_mask(tmp_path: Path, mask: int) -> None:
    previous = os.umask(mask)
    try:
        run(tmp_path, directories=[{"path": str(tmp_path / "a/b"), **ME}])
    finally:
        os.umask(previous)
    assert (tmp_path / "a").stat().st_mode & 0o7777 == 0o755
