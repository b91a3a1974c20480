# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Backups of files are really read and really unpacked, in directories of the test."""

from __future__ import annotations

import errno
import os
import shutil
import time
from pathlib import Path

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.backup.damage import Damaged
from ansible_collections.composeops.stack.plugins.module_utils.backup.manifest import Manifest, StoredObject
from ansible_collections.composeops.stack.plugins.module_utils.backup.model import Source
from ansible_collections.composeops.stack.plugins.module_utils.backup.sources import archive
from ansible_collections.composeops.stack.plugins.module_utils.backup.sources.archive import Archive, Root
from ansible_collections.composeops.stack.plugins.module_utils.backup.verification import files
from ansible_collections.composeops.stack.plugins.module_utils.backup.verification.verifier import Task
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.tests.unit.support.recorded import RecordedRunner

NAME = "files.tar"


class Backup:
    """A backup of a directory with a file, a link and a closed directory in it."""

    def __init__(self, directory: Path) -> None:
        kept = directory / "kept"
        (kept / "closed").mkdir(parents=True)
        (kept / "one").write_bytes(b"1" * 3000)
        (kept / "link").symlink_to("one")
        (kept / "closed" / "two").write_text("2")
        (kept / "closed" / "two").chmod(0o4750)
        (kept / "closed").chmod(0o555)
        read = Archive([Root(f"paths{kept}", str(kept))])
        self.path = directory / NAME
        self.path.write_bytes(b"".join(read.read()))
        manifest = Manifest(
            *("id", "files", "h", "files", "", ""),
            (StoredObject(NAME, 1, ""),),
            origin={"paths": [str(kept)], "volumes": [], "bytes": 3001},
            invariants={"entries": read.tally.entries, "sha256": read.tally.digest()},
        )
        self.drill = directory / "drill"
        self.drill.mkdir()
        source = Source("files", "files", "s", paths=(str(kept),))
        self.task = Task(source, manifest, RecordedRunner(), str(self.drill), time.monotonic() + 60)
        self.paths = {NAME: str(self.path)}


@pytest.fixture
def backup(tmp_path: Path) -> Backup:
    return Backup(tmp_path)


def test_an_archive_is_read_and_unpacked_and_compared(backup: Backup) -> None:
    assert files.read(backup.task, backup.paths) == [
        "All 5 entries of the archive were read; each is as it was backed up."
    ]
    (said,) = files.restore(backup.task, backup.paths)
    assert said.startswith("5 entries were unpacked")
    unpacked = backup.drill / "unpacked" / "0"
    assert (unpacked / "one").read_bytes() == b"1" * 3000
    assert os.readlink(unpacked / "link") == "one"
    assert (unpacked / "closed" / "two").stat().st_mode & 0o7777 == 0o4750
    assert list(backup.task.watch.seconds) == ["restore"]


@pytest.mark.parametrize("step", [files.read, files.restore], ids=["read", "restored"])
def test_an_archive_that_is_cut_off_is_damaged_wherever_it_is_cut(backup: Backup, step: object) -> None:
    whole = backup.path.read_bytes()
    # What comes after the last entry is two blocks of nothing, which a reader does not need.
    for length in range(0, len(whole) - 2 * 512, 512):
        backup.path.write_bytes(whole[:length])
        with pytest.raises(Damaged):
            step(backup.task, backup.paths)


@pytest.mark.parametrize("step", [files.read, files.restore], ids=["read", "restored"])
def test_another_content_is_damage(backup: Backup, step: object) -> None:
    whole = backup.path.read_bytes()
    backup.path.write_bytes(whole.replace(b"1111", b"1121", 1))
    with pytest.raises(Damaged, match="not what was backed up"):
        step(backup.task, backup.paths)


def test_a_disk_that_is_too_small_says_nothing_of_the_backup(backup: Backup) -> None:
    backup.task.manifest.origin["bytes"] = 10**18
    with pytest.raises(ComposeOpsError, match="free") as raised:
        files.restore(backup.task, backup.paths)
    assert not isinstance(raised.value, Damaged)


def test_a_disk_that_fails_says_nothing_of_the_backup(backup: Backup, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_arguments: object, **_options: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "one")

    monkeypatch.setattr(shutil, "copyfileobj", full)
    with pytest.raises(ComposeOpsError, match="was not unpacked: No space left on device") as raised:
        files.restore(backup.task, backup.paths)
    assert not isinstance(raised.value, Damaged)


def test_files_need_no_image(backup: Backup) -> None:
    files.read(backup.task, backup.paths)
    files.restore(backup.task, backup.paths)
    assert files.VERIFIER.image(backup.task) == ""
    assert backup.task.runner.calls == []
    assert archive.ARCHIVE.startswith("files.tar")
