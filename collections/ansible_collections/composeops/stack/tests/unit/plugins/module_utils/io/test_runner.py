# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import sys
from pathlib import Path

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.errors import CommandError
from ansible_collections.composeops.stack.plugins.module_utils.io.runner import NOT_FOUND, CommandRunner

RUNNER = CommandRunner()


def python(script: str) -> list[str]:
    return [sys.executable, "-c", script]


def test_output_status_and_argv_are_returned() -> None:
    completed = RUNNER.run(python("import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)"), check=False)
    assert (completed.returncode, completed.stdout, completed.stderr) == (3, "out\n", "err\n")
    assert not completed.ok
    assert completed.argv[0] == sys.executable


def test_a_failure_says_what_the_command_said() -> None:
    with pytest.raises(CommandError, match=r"status 3; it said: no such pool") as raised:
        RUNNER.run(python("import sys; print('no such pool', file=sys.stderr); sys.exit(3)"))
    assert raised.value.returncode == 3
    assert raised.value.stderr == "no such pool\n"


def test_standard_input_and_environment_arrive_and_the_locale_is_c(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    script = "import os, sys; print(sys.stdin.read(), os.environ['LC_ALL'], os.environ['MINE'])"
    completed = RUNNER.run(python(script), stdin="secret", environment={"MINE": "1"})
    assert completed.stdout == "secret C 1\n"


def test_without_input_there_is_none_to_wait_for() -> None:
    assert RUNNER.run(python("import sys; print(repr(sys.stdin.read()))")).stdout == "''\n"


def test_the_directory_is_used(tmp_path: Path) -> None:
    assert RUNNER.run(python("import os; print(os.getcwd())"), directory=str(tmp_path)).stdout.strip() == str(tmp_path)


def test_output_that_is_no_text_does_not_break_the_run() -> None:
    script = "import sys; sys.stdout.buffer.write(bytes([255, 97]))"
    assert RUNNER.run(python(script)).stdout == "\ufffda"


def test_nothing_is_expanded() -> None:
    assert RUNNER.run(["echo", "$HOME; *"]).stdout == "$HOME; *\n"


def test_a_missing_program_is_status_127_or_an_error(tmp_path: Path) -> None:
    assert RUNNER.run(["composeops-no-such-program"], check=False).returncode == NOT_FOUND
    with pytest.raises(CommandError, match="composeops-no-such-program could not be started"):
        RUNNER.run(["composeops-no-such-program"])


def test_a_missing_directory_is_not_taken_for_a_missing_program(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="none"):
        RUNNER.run(["true"], directory=str(tmp_path / "none"), check=False)


def test_a_program_that_may_not_be_started_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "program").write_text("#!/bin/sh\n")
    with pytest.raises(CommandError, match="may not be started"):
        RUNNER.run([str(tmp_path / "program")])


def test_a_time_out_ends_the_command_and_says_so() -> None:
    with pytest.raises(CommandError, match=r"did not end within 0\.2 s"):
        RUNNER.run(["sleep", "60"], timeout=0.2, check=False)
