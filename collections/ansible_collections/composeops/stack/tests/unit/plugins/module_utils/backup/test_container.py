# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import os
import subprocess

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.backup import container
from ansible_collections.composeops.stack.plugins.module_utils.errors import InvalidInput


def test_the_password_is_in_no_argument() -> None:
    argv = container.command("abc", ["psql", "--dbname", "x"], variable="PGPASSWORD")
    assert argv[:4] == ["docker", "exec", "--interactive", "abc"]
    assert argv[-3:] == ["psql", "--dbname", "x"]


def test_a_throw_away_container_gets_the_password_in_no_argument_and_keeps_no_log() -> None:
    argv = container.throw_away("postgres:15", ["psql"], ["--env", "PGHOST=db"], variable="PGPASSWORD")
    assert argv[:3] == ["docker", "run", "--rm"]
    assert "--log-driver none" in " ".join(argv)
    assert argv.index("PGHOST=db") < argv.index("postgres:15") < argv.index("psql")


def test_a_throw_away_container_runs_what_a_container_that_is_there_runs() -> None:
    there = container.command("abc", ["psql"], variable="X")
    own = container.throw_away("i", ["psql"], [], variable="X")
    assert own[own.index("-c") :] == there[there.index("-c") :]


def test_the_command_gets_the_password_and_leaves_the_rest_of_the_input() -> None:
    argv = container.command("abc", ["sh", "-c", 'printf "%s|" "$PGPASSWORD"; cat'], variable="PGPASSWORD")[4:]
    completed = subprocess.run(argv, input="a \\b'$x\nrest\nof it", capture_output=True, text=True, check=True)
    assert completed.stdout == "a \\b'$x|rest\nof it"


def test_the_command_takes_the_place_of_the_shell_and_leaves_no_child() -> None:
    argv = container.command("abc", ["sh", "-c", "echo $PPID"], variable="X")[4:]
    completed = subprocess.run(argv, input="\n", capture_output=True, text=True, check=True)
    assert int(completed.stdout) == os.getpid()


def test_a_password_of_two_lines_is_refused() -> None:
    assert container.first_line("one") == "one"
    with pytest.raises(InvalidInput, match="line break"):
        container.first_line("one\ntwo")
