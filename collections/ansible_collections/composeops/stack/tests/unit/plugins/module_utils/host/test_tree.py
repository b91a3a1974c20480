# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import grp
import os
import pwd
from pathlib import Path

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.host import tree
from ansible_collections.composeops.stack.plugins.module_utils.host.model import Directory, File, Link
from ansible_collections.composeops.stack.plugins.module_utils.io.runner import CommandRunner

ME = pwd.getpwuid(os.getuid()).pw_name
MY_GROUP = grp.getgrgid(os.getgid()).gr_name


def file(path: Path, content: bytes = b"new\n", **options: object) -> File:
    return File(str(path), content, owner=ME, group=MY_GROUP, **options)  # type: ignore[arg-type]


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def test_a_file_is_written_with_its_mode(tmp_path: Path) -> None:
    tree.write_file(file(tmp_path / "a", b"\xff\x00", mode=0o640), CommandRunner())
    assert (tmp_path / "a").read_bytes() == b"\xff\x00"
    assert (tmp_path / "a").stat().st_mode & 0o7777 == 0o640


def test_a_validator_sees_the_candidate_beside_the_target(tmp_path: Path) -> None:
    validate = ("sh", "-c", 'grep -q new "$1" && test "${1%/*}" = "$2"', "sh", "%s", str(tmp_path))
    tree.write_file(file(tmp_path / "a", validate=validate), CommandRunner())
    assert names(tmp_path) == ["a"]


def test_what_a_validator_refuses_never_takes_the_place(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("old\n")
    validate = ("sh", "-c", 'echo "$1: line 1: nonsense" >&2; exit 1', "sh", "%s")
    with pytest.raises(ComposeOpsError, match=f"still there: .*{tmp_path}/a: line 1: nonsense"):
        tree.write_file(file(tmp_path / "a", validate=validate), CommandRunner())
    assert (tmp_path / "a").read_text() == "old\n"
    assert names(tmp_path) == ["a"]


def test_a_link_at_the_target_is_followed_and_stays(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "a").symlink_to("real/a")
    tree.write_file(file(tmp_path / "a"), CommandRunner())
    assert (tmp_path / "a").is_symlink()
    assert (tmp_path / "real/a").read_text() == "new\n"
    assert names(tmp_path / "real") == ["a"]


@pytest.mark.parametrize(
    ("owner", "group", "message"),
    [("nobody-has-this", MY_GROUP, "no account"), (ME, "nobody-has-this", "no group")],
    ids=["owner", "group"],
)
def test_an_unknown_owner_is_named(tmp_path: Path, owner: str, group: str, message: str) -> None:
    with pytest.raises(ComposeOpsError, match=message):
        tree.write_file(File(str(tmp_path / "a"), owner=owner, group=group), CommandRunner())
    assert names(tmp_path) == []


def test_a_directory_is_made_with_its_parents(tmp_path: Path) -> None:
    tree.make_directory(Directory(str(tmp_path / "a/b"), 0o750, ME, MY_GROUP))
    assert (tmp_path / "a/b").stat().st_mode & 0o7777 == 0o750


def test_a_directory_is_removed_without_following_links(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept/file").touch()
    (tmp_path / "gone").mkdir()
    (tmp_path / "gone/link").symlink_to(tmp_path / "kept")
    tree.remove_directory(str(tmp_path / "gone"))
    assert names(tmp_path) == ["kept"]
    assert names(tmp_path / "kept") == ["file"]


def test_a_link_is_repointed_in_one_step(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("old")
    tree.make_link(Link(str(tmp_path / "a"), "new"))
    assert os.readlink(tmp_path / "a") == "new"
    assert names(tmp_path) == ["a"]
