# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.certificates import incomplete
from ansible_collections.composeops.stack.tests.unit.support import letsencrypt


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    letsencrypt.issue(tmp_path, "a.test")
    return tmp_path


def test_what_is_whole_or_not_there_is_left_alone(directory: Path) -> None:
    assert incomplete.put_aside("a.test", str(directory)) == []
    assert incomplete.put_aside("b.test", str(directory)) == []
    assert (directory / "live/a.test/privkey.pem").exists()
    assert not (directory / "incomplete").exists()


@pytest.mark.parametrize(
    ("damage", "left"),
    [
        (lambda root: (root / "renewal/a.test.conf").unlink(), ["archive", "live"]),
        (lambda root: (root / "renewal/a.test.conf").write_text("version = 4.0.0\n"), ["archive", "live", "renewal"]),
        (lambda root: (root / "live/a.test/chain.pem").unlink(), ["archive", "live", "renewal"]),
    ],
    ids=["killed-before-its-settings", "settings-cut-off", "a-file-is-missing"],
)
def test_what_is_not_whole_is_out_of_certbots_sight(
    directory: Path, damage: Callable[[Path], object], left: list[str]
) -> None:
    damage(directory)
    for _time in (1, 2):
        assert "what certbot had begun and not finished" in incomplete.put_aside("a.test", str(directory))[0]
        aside = directory / "incomplete/a.test"
        assert sorted(path.name for path in aside.iterdir()) == left
        assert stat.S_IMODE(aside.stat().st_mode) == 0o700
        assert incomplete.put_aside("a.test", str(directory)) == []
        letsencrypt.issue(directory, "a.test")
        damage(directory)
