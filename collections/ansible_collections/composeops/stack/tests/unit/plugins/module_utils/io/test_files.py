# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.io import files


def write(path: Path, content: bytes, *, mode: int = 0o644, validate: Callable[[str], None] | None = None) -> None:
    files.write_atomically(str(path), content, mode=mode, uid=os.getuid(), gid=os.getgid(), validate=validate)


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def test_missing_files_are_none(tmp_path: Path) -> None:
    assert files.read_bytes(str(tmp_path / "a")) is None
    assert files.read_text(str(tmp_path / "a")) is None


def test_what_a_process_that_ended_had_to_say_is_gone() -> None:
    process = subprocess.Popen(["sleep", "60"])
    opened = os.open(f"/proc/{process.pid}/stat", os.O_RDONLY)
    try:
        process.kill()
        process.wait()
        # As if it had ended between opening and reading.
        assert files.read_text(f"/proc/self/fd/{opened}") is None
    finally:
        os.close(opened)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    write(tmp_path / "a", b"\xff", mode=0o600)
    assert files.read_bytes(str(tmp_path / "a")) == b"\xff"
    assert files.read_text(str(tmp_path / "a")) == "\ufffd"
    assert (tmp_path / "a").stat().st_mode & 0o7777 == 0o600


def test_the_old_file_is_replaced_not_rewritten(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("old")
    with open(tmp_path / "a", encoding="utf-8") as reader:
        write(tmp_path / "a", b"new", mode=0o644)
        assert reader.read() == "old"
    assert names(tmp_path) == ["a"]


def test_a_mask_does_not_narrow_the_mode(tmp_path: Path) -> None:
    previous = os.umask(0o077)
    try:
        write(tmp_path / "a", b"", mode=0o644)
    finally:
        os.umask(previous)
    assert (tmp_path / "a").stat().st_mode & 0o7777 == 0o644


def test_a_missing_directory_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(ComposeOpsError, match=f"cannot be written: No such file or directory: {tmp_path}/none"):
        write(tmp_path / "none/a", b"", mode=0o644)


def test_a_directory_in_the_place_is_an_error_that_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    with pytest.raises(ComposeOpsError, match="was not written"):
        write(tmp_path / "a", b"", mode=0o644)
    assert names(tmp_path) == ["a"]


def test_a_validator_sees_content_and_mode_before_the_file_takes_its_place(tmp_path: Path) -> None:
    seen = []

    def validate(candidate: str) -> None:
        seen.append((Path(candidate).read_text(), Path(candidate).stat().st_mode & 0o7777, names(tmp_path)))

    write(tmp_path / "a", b"new", mode=0o600, validate=validate)
    ((content, mode, beside),) = seen
    assert (content, mode) == ("new", 0o600)
    assert "a" not in beside
    assert names(tmp_path) == ["a"]


def test_a_refused_candidate_is_gone(tmp_path: Path) -> None:
    def refuse(_candidate: str) -> None:
        raise ComposeOpsError("line 1: nonsense")

    with pytest.raises(ComposeOpsError, match="nonsense"):
        write(tmp_path / "a", b"new", mode=0o600, validate=refuse)
    assert names(tmp_path) == []


HOLD = """
import sys
from ansible_collections.composeops.stack.plugins.module_utils.io.files import exclusive
with exclusive(sys.argv[1], "the other run"):
    print("held", flush=True)
    sys.stdin.readline()
"""


def test_a_lock_names_its_holder_and_ends_with_it(tmp_path: Path) -> None:
    lock = str(tmp_path / "run/lock")
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, lock], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with (
            pytest.raises(ComposeOpsError, match=rf"held by the other run \(process {holder.pid}\)"),
            files.exclusive(lock, "this run", wait=0.1),
        ):
            pass
        holder.kill()
    with files.exclusive(lock, "this run"):
        assert "this run" in Path(lock).read_text()
