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
