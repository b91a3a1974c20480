# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import stat
from pathlib import Path

from ansible_collections.composeops.stack.plugins.module_utils.release import active


def test_blue_serves_until_somebody_switches(tmp_path: Path) -> None:
    directory = str(tmp_path / "active")
    assert active.serving("shop", directory) == "blue"
    active.switch("shop", "blue", directory)
    assert active.serving("shop", directory) == "blue"


def test_a_switch_concerns_one_stack_and_can_be_repeated(tmp_path: Path) -> None:
    directory = str(tmp_path / "active")
    for _ in range(2):
        active.switch("shop", "green", directory)
        assert (active.serving("shop", directory), active.serving("blog", directory)) == ("green", "blue")
    for _ in range(2):
        active.switch("shop", "blue", directory)
        assert active.serving("shop", directory) == "blue"


def test_the_workers_of_nginx_can_see_it(tmp_path: Path) -> None:
    directory = tmp_path / "active"
    active.switch("shop", "green", str(directory))
    assert stat.S_IMODE(directory.stat().st_mode) == 0o755
    assert [path.name for path in directory.iterdir()] == ["shop.green"]
