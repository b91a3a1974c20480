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
    there = container.stream("abc", variable="X")
    own = container.throw_away_stream("i", [], variable="X")
    assert own[own.index("-c") :] == there[there.index("-c") :]


def test_the_command_gets_the_password_and_leaves_the_rest_of_the_input() -> None:
    argv = container.command("abc", ["sh", "-c", 'printf "%s|" "$PGPASSWORD"; cat'], variable="PGPASSWORD")[4:]
    completed = subprocess.run(argv, input="a \\b'$x\nrest\nof it", capture_output=True, text=True, check=True)
    assert completed.stdout == "a \\b'$x|rest\nof it"


def test_the_command_takes_the_place_of_the_shell_and_leaves_no_child() -> None:
    argv = container.command("abc", ["sh", "-c", "echo $PPID"], variable="X")[4:]
    completed = subprocess.run(argv, input="\n", capture_output=True, text=True, check=True)
    assert int(completed.stdout) == os.getpid()


def streamed(script: str, password: str = "") -> subprocess.CompletedProcess[str]:
    """Run a stream as it runs in a container."""
    lines = container.told(password, ["sh", "-c", script]) + "\n"
    argv = container.stream("abc", variable="PGPASSWORD")[4:]
    return subprocess.run(argv, input=lines, capture_output=True, text=True, check=False)


def test_a_stream_hands_on_all_that_was_written_and_its_program_has_the_password() -> None:
    completed = streamed('printf "%s\\n" "$PGPASSWORD"; tr "\\0" x < /dev/zero | head -c 3000000', "it's \\b")
    assert completed.returncode == 0
    assert completed.stdout == "it's \\b\n" + "x" * 3000000


@pytest.mark.parametrize(
    ("script", "status"),
    [
        pytest.param("echo some; exit 7", 7, id="it fails after it wrote"),
        pytest.param("echo some; kill -9 $$", 137, id="it is killed"),
        pytest.param("echo some; kill -9 $PPID", 125, id="what waits for it is killed"),
    ],
)
def test_a_stream_that_did_not_end_well_fails_although_what_it_wrote_arrives(script: str, status: int) -> None:
    completed = streamed(script)
    assert completed.stdout == "some\n"
    assert completed.returncode == status


def test_a_stream_whose_reader_goes_away_ends_by_itself_and_no_process_dies_of_a_signal() -> None:
    script = 'yes 2> /dev/null; echo "ended with $?" >&2'
    argv = container.stream("abc", variable="X")[4:]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdin.write(container.told("", ["sh", "-c", script]).encode() + b"\n")
        process.stdin.flush()
        assert process.stdout.read(2) == b"y\n"
        process.stdout.close()
        assert process.stderr.read() == b"ended with 1\n"
    assert process.returncode == 1


def test_no_shell_of_a_stream_names_the_program_that_somebody_may_look_for_to_end_it() -> None:
    assert "pg_dump" not in " ".join(container.stream("abc", variable="PGPASSWORD"))
    assert "pg_dump" not in " ".join(container.throw_away_stream("postgres:15", [], variable="PGPASSWORD"))


def test_an_image_without_dd_streams_as_its_program_writes() -> None:
    _, *argv = container.stream("abc", variable="X")[4:]
    completed = subprocess.run(
        ["/bin/sh", *argv],
        input=container.told("", ["/bin/sh", "-c", "echo $PPID"]) + "\n",
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": "/nowhere"},
    )
    assert int(completed.stdout) == os.getpid()


def test_a_password_of_two_lines_is_refused() -> None:
    assert container.first_line("one") == "one"
    with pytest.raises(InvalidInput, match="line break"):
        container.first_line("one\ntwo")


def test_a_name_of_two_lines_is_refused_where_a_line_is_all_there_is() -> None:
    assert container.told("x", ["a", "it's"]) == "x\na 'it'\"'\"'s'"
    with pytest.raises(InvalidInput, match="line break"):
        container.told("x", ["one\ntwo"])
