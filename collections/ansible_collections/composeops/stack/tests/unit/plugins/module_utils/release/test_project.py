# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import stat
from pathlib import Path

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.release.model import StackFile
from ansible_collections.composeops.stack.plugins.module_utils.release.project import ProjectDirectory, ProjectFiles

SCRIPT = StackFile("files/bin/hook.sh", b"#!/bin/sh\n", executable=True)
CONFIG = StackFile("files/app.conf", b"a\n")
FIRST = ProjectFiles("{}", "A=1\n", (CONFIG, SCRIPT))


@pytest.fixture
def project(tmp_path: Path) -> ProjectDirectory:
    return ProjectDirectory(str(tmp_path / "shop"))


def test_reads_back_what_was_written(project: ProjectDirectory) -> None:
    project.write(FIRST)
    assert project.read([SCRIPT.path, CONFIG.path, "files/never"]) == FIRST


def test_modes(project: ProjectDirectory) -> None:
    project.write(FIRST)
    root = Path(project.path)
    modes = {name: stat.S_IMODE((root / name).stat().st_mode) for name in ("compose.json", "environment")}
    assert modes == {"compose.json": 0o600, "environment": 0o600}
    assert stat.S_IMODE(root.stat().st_mode) == 0o750
    assert stat.S_IMODE((root / CONFIG.path).stat().st_mode) == 0o644
    assert stat.S_IMODE((root / SCRIPT.path).stat().st_mode) == 0o755


def test_an_unchanged_file_is_not_written_again(project: ProjectDirectory) -> None:
    """A mounted file keeps its inode, which a running container holds."""
    project.write(FIRST)
    path = Path(project.path) / CONFIG.path
    inode = path.stat().st_ino
    project.write(ProjectFiles('{"b": 1}', "A=1\n", FIRST.files))
    assert path.stat().st_ino == inode


def test_obsolete_files_go_with_their_empty_directories_and_others_stay(project: ProjectDirectory) -> None:
    project.write(FIRST)
    (Path(project.path) / "files/data").mkdir()
    (Path(project.path) / "files/data/row").write_text("x")
    project.write(ProjectFiles("{}", "A=1\n", (CONFIG,)), [SCRIPT.path, CONFIG.path])
    assert not (Path(project.path) / "files/bin").exists()
    assert (Path(project.path) / "files/data/row").read_text() == "x"
    assert (Path(project.path) / CONFIG.path).exists()


def test_the_previous_release_is_kept_whole(project: ProjectDirectory) -> None:
    project.write(FIRST)
    project.keep_previous(FIRST)
    project.write(ProjectFiles('{"b": 1}', "B=2\n"), [SCRIPT.path, CONFIG.path])
    assert project.read_previous() == FIRST


def test_what_an_interrupted_run_kept_is_not_replaced_by_its_half_written_files(project: ProjectDirectory) -> None:
    project.write(FIRST)
    project.keep_previous(FIRST)
    project.keep_previous(ProjectFiles("half", "half"))
    assert project.read_previous() == FIRST


def test_a_half_made_copy_does_not_count(project: ProjectDirectory) -> None:
    project.write(FIRST)
    partial = Path(project.path) / "previous.partial"
    partial.mkdir()
    (partial / "compose.json").write_text("half")
    assert project.read_previous() is None
    project.keep_previous(FIRST)
    assert project.read_previous() == FIRST


def test_removing_leaves_what_it_did_not_write(project: ProjectDirectory) -> None:
    project.write(FIRST)
    (Path(project.path) / "files/data").mkdir()
    (Path(project.path) / "files/data/row").write_text("x")
    project.remove([SCRIPT.path, CONFIG.path])
    assert [path.name for path in Path(project.path).rglob("*") if path.is_file()] == ["row"]


def test_removing_everything_removes_the_directory(project: ProjectDirectory) -> None:
    project.write(FIRST)
    project.keep_previous(FIRST)
    project.remove([SCRIPT.path, CONFIG.path])
    assert not Path(project.path).exists()


def test_changes_are_named() -> None:
    second = ProjectFiles("{}", "A=2\n", (StackFile(CONFIG.path, b"b\n"), StackFile("files/new", b"")))
    assert second.changed_from(FIRST) == ["environment", "files/app.conf", "files/bin/hook.sh", "files/new"]
    assert FIRST.changed_from(FIRST) == []
    assert ProjectFiles("{}", "").changed_from(None) == ["compose.json", "environment"]


def test_a_change_of_mode_alone_is_a_change() -> None:
    second = ProjectFiles("{}", "A=1\n", (CONFIG, StackFile(SCRIPT.path, SCRIPT.content)))
    assert second.changed_from(FIRST) == [SCRIPT.path]
