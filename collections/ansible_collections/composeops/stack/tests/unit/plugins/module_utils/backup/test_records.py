# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.backup import records
from ansible_collections.composeops.stack.plugins.module_utils.backup.records import Record
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError

RUN = Record("database", "id", records.RUNNING, "2026-01-31T02:30:00Z")


@pytest.fixture
def directory(tmp_path: Path) -> str:
    return str(tmp_path / "backup")


def test_a_run_is_remembered_for_root_alone(directory: str) -> None:
    done = replace(RUN, outcome=records.FAILED, finished="2026-01-31T02:31:00Z", error="why")
    records.write(done, directory)
    assert records.read("database", directory) == done
    assert (os.stat(directory).st_mode & 0o777, os.stat(f"{directory}/database.run.json").st_mode & 0o777) == (
        0o700,
        0o600,
    )


def test_no_run_yet(directory: str) -> None:
    assert records.read("database", directory) is None


def test_a_run_whose_process_lives_is_running(directory: str) -> None:
    records.write(replace(RUN, process=records.process(os.getpid())), directory)
    read = records.read("database", directory)
    assert read is not None
    assert read.outcome == records.RUNNING


def test_a_run_whose_process_is_gone_was_interrupted(directory: str) -> None:
    with subprocess.Popen(["sleep", "60"]) as child:
        records.write(replace(RUN, process=records.process(child.pid)), directory)
        child.kill()
    read = records.read("database", directory)
    assert read is not None
    assert read.outcome == records.INTERRUPTED


def test_another_process_with_the_same_number_is_told_apart(directory: str) -> None:
    records.write(replace(RUN, process=f"{os.getpid()} 1"), directory)
    read = records.read("database", directory)
    assert read is not None
    assert read.outcome == records.INTERRUPTED


def test_a_damaged_record_is_an_error_that_says_what_to_do(directory: str) -> None:
    records.write(RUN, directory)
    Path(directory, "database.run.json").write_text("{", encoding="utf-8")
    with pytest.raises(ComposeOpsError, match="Remove it"):
        records.read("database", directory)
