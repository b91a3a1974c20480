# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import os
import time
from collections.abc import Generator
from pathlib import Path

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.backup.process import Process, feed
from ansible_collections.composeops.stack.plugins.module_utils.errors import CommandError


def output(argv: list[str], *, purpose: str, secret: str, deadline: float) -> Generator[bytes]:
    process = Process(argv, purpose=purpose, secret=secret, deadline=deadline)
    try:
        yield from process.chunks()
        process.finish()
    finally:
        process.close()


def run(script: str, seconds: float = 10, secret: str = "") -> bytes:
    argv = ["sh", "-c", script]
    return b"".join(output(argv, purpose="The dump", secret=secret, deadline=time.monotonic() + seconds))


def test_output_is_everything_the_process_writes() -> None:
    assert run("head -c 3000000 /dev/zero") == bytes(3_000_000)


def test_the_secret_is_the_first_line_it_reads() -> None:
    assert run('read -r line; printf %s "$line"', secret="s3cret x") == b"s3cret x"


@pytest.mark.parametrize(
    ("script", "status"),
    [
        pytest.param("printf data; exit 3", 3, id="fails after all its output"),
        pytest.param("printf data; kill -9 $$", -9, id="killed"),
    ],
)
def test_output_that_looks_complete_is_refused_when_its_process_failed(script: str, status: int) -> None:
    chunks = output(["sh", "-c", script], purpose="The dump", secret="", deadline=time.monotonic() + 10)
    assert next(chunks) == b"data"
    with pytest.raises(CommandError, match=f"The dump failed with status {status}"):
        next(chunks)


def test_a_failure_says_what_the_process_said() -> None:
    with pytest.raises(CommandError, match="it said: no such table"):
        run("echo no such table >&2; exit 1")


def test_errors_beyond_a_pipe_do_not_stop_the_process() -> None:
    assert run("head -c 300000 /dev/zero >&2; printf done") == b"done"


def test_a_process_that_hangs_is_ended_in_time() -> None:
    began = time.monotonic()
    with pytest.raises(CommandError, match="did not end in time"):
        run("printf part; exec sleep 60", seconds=0.3)
    assert time.monotonic() - began < 5


def test_a_process_ends_with_its_reader(tmp_path: Path) -> None:
    identity = tmp_path / "pid"
    script = f"echo $$ > {identity}; echo started; exec sleep 60"
    chunks = output(["sh", "-c", script], purpose="It", secret="", deadline=time.monotonic() + 60)
    next(chunks)
    chunks.close()
    with pytest.raises(ProcessLookupError):
        os.kill(int(identity.read_text()), 0)


def test_a_program_that_is_missing_is_named() -> None:
    with pytest.raises(CommandError, match="no-such-program could not be started"):
        Process(["no-such-program"], purpose="It", secret="", deadline=time.monotonic() + 1)


def test_feeding_hands_over_the_secret_and_then_the_whole_file(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(os.urandom(2_000_000))
    script = f'read -r line; test "$line" = hush && cat > {target}'
    feed(["sh", "-c", script], str(source), purpose="It", secret="hush", deadline=time.monotonic() + 10)
    assert target.read_bytes() == source.read_bytes()


def test_feeding_fails_when_the_process_does_although_it_read_nothing(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(bytes(2_000_000))
    with pytest.raises(CommandError, match="status 1; it said: not an archive"):
        feed(
            ["sh", "-c", "echo not an archive >&2; exit 1"],
            str(source),
            purpose="pg_restore",
            secret="",
            deadline=time.monotonic() + 10,
        )


def test_feeding_a_process_that_hangs_ends_in_time(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(bytes(2_000_000))
    with pytest.raises(CommandError):
        feed(["sleep", "60"], str(source), purpose="It", secret="", deadline=time.monotonic() + 0.3)


def test_one_process_reads_what_another_writes_and_the_other_is_told_when_it_ends() -> None:
    deadline = time.monotonic() + 10
    producer = Process(["sh", "-c", "exec yes"], purpose="It", secret=None, deadline=deadline)
    reader = Process(["head", "-c", "4"], purpose="The reader", secret=None, deadline=deadline, reads=producer)
    try:
        assert b"".join(reader.chunks()) == b"y\ny\n"
        reader.finish()
        with pytest.raises(CommandError, match="status -13"):
            producer.finish()
    finally:
        reader.close()
        producer.close()


def test_what_a_process_said_is_known_after_it_was_closed() -> None:
    process = Process(["sh", "-c", "echo 3 rows >&2"], purpose="It", secret=None, deadline=time.monotonic() + 10)
    process.finish()
    process.close()
    process.close()
    assert process.said() == "3 rows\n"
