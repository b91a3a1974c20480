# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import grp
import os
import stat
from pathlib import Path

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.edge.passwords import Passwords
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError

GROUP = grp.getgrgid(os.getegid()).gr_name


@pytest.fixture
def passwords(tmp_path: Path) -> Passwords:
    return Passwords(str(tmp_path / "passwords"), GROUP, owner=os.geteuid())


def test_files_are_written_once_and_removed_when_nothing_names_them(passwords: Passwords, tmp_path: Path) -> None:
    path = tmp_path / "passwords/a.test-0123"
    wanted = {str(path): "alice:hash\n"}
    assert passwords.sentences(wanted) == ["write the passwords of site a.test"]
    passwords.write(wanted)
    assert (path.read_text(), stat.S_IMODE(path.stat().st_mode)) == ("alice:hash\n", 0o640)
    assert passwords.sentences(wanted) == []
    assert passwords.sentences({}) == ["remove passwords of site a.test that are used no more"]
    passwords.prune({})
    assert not path.exists()


def test_what_was_changed_by_hand_is_written_again(passwords: Passwords, tmp_path: Path) -> None:
    path = tmp_path / "passwords/a.test-0123"
    wanted = {str(path): "alice:hash\n"}
    passwords.write(wanted)
    path.chmod(0o644)
    assert passwords.missing(wanted) == [str(path)]
    passwords.write(wanted)
    path.write_text("mallory:hash\n")
    assert passwords.missing(wanted) == [str(path)]


def test_without_the_group_of_the_proxy_nothing_is_written(tmp_path: Path) -> None:
    nobody = Passwords(str(tmp_path / "passwords"), "no-such-group")
    with pytest.raises(ComposeOpsError, match="There is no group no-such-group"):
        nobody.write({str(tmp_path / "passwords/a"): "x"})
    assert not (tmp_path / "passwords").exists()
