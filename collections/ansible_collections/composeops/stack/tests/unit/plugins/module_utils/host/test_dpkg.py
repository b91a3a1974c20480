# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.host import dpkg

STATUS = """\
Package: base-files
Essential: yes
Status: install ok installed
Description: has a line
 Package: not-a-package

Package: nginx
Status: install ok installed
Version: 1.26

Package: removed
Status: deinstall ok config-files
"""


def stanza(name: str, status: str) -> str:
    return f"Package: {name}\nStatus: {status}\nVersion: 1\n\n"


def test_installed_packages_are_found_and_removed_ones_are_not() -> None:
    assert dpkg.parse(STATUS) == dpkg.Database(frozenset({"base-files", "nginx"}), interrupted=False)


@pytest.mark.parametrize(
    ("status", "interrupted"),
    [
        ("install ok installed", False),
        ("deinstall ok config-files", False),
        ("hold ok installed", False),
        ("install ok half-configured", True),
        ("install ok unpacked", True),
        ("install reinstreq half-installed", True),
        ("install ok triggers-pending", True),
    ],
)
def test_a_killed_installation_shows(status: str, interrupted: bool) -> None:
    assert dpkg.parse(STATUS + "\n" + stanza("late", status)).interrupted is interrupted


@pytest.mark.parametrize(("journal", "interrupted"), [([], False), (["0001"], True), (["tmp.i"], False)])
def test_a_killed_dpkg_leaves_its_journal(tmp_path: Path, journal: list[str], interrupted: bool) -> None:
    (tmp_path / "status").write_text(STATUS)
    (tmp_path / "updates").mkdir()
    for name in journal:
        (tmp_path / "updates" / name).touch()
    assert dpkg.read(str(tmp_path)).interrupted is interrupted
