# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError, InvalidInput
from ansible_collections.composeops.stack.plugins.module_utils.release import active


@pytest.fixture
def directory(tmp_path: Path) -> str:
    return str(tmp_path / "active")


def chosen(directory: str, share: int, stack: str = "shop") -> str:
    """Return the colour of a request of that share, by looking where nginx looks, in its order."""
    link = Path(active.canary(stack, directory))
    for colour in ("blue", "green"):
        if (link / f"{colour}-{share}").is_file():
            return colour
    return "green" if Path(active.flag(stack, directory)).is_file() else "blue"


def to(directory: str, colour: str) -> int:
    return sum(chosen(directory, share) == colour for share in range(100))


def test_blue_serves_until_somebody_switches(directory: str) -> None:
    assert active.serving("shop", directory) == "blue"
    active.switch("shop", "blue", directory)
    assert active.serving("shop", directory) == "blue"


def test_a_switch_concerns_one_stack_and_can_be_repeated(directory: str) -> None:
    for _ in range(2):
        active.switch("shop", "green", directory)
        assert (active.serving("shop", directory), active.serving("blog", directory)) == ("green", "blue")
    for _ in range(2):
        active.switch("shop", "blue", directory)
        assert active.serving("shop", directory) == "blue"


def test_the_workers_of_nginx_can_see_it(directory: str) -> None:
    before = os.umask(0o077)
    try:
        active.switch("shop", "green", directory)
        active.weigh("shop", "blue", 3, directory)
    finally:
        os.umask(before)
    modes = {
        os.path.relpath(os.path.join(parent, name), directory): stat.S_IMODE(
            os.stat(os.path.join(parent, name)).st_mode
        )
        for parent, directories, names in os.walk(os.path.dirname(directory))
        for name in (*directories, *names)
    }
    assert modes == {
        ".": 0o755,
        "shop.green": 0o644,
        "shop.canary": 0o755,
        "shop.shares": 0o755,
        "shop.shares/blue-3-none": 0o755,
        **{f"shop.shares/blue-3-none/{name}": 0o644 for name in ("by-request", "blue-0", "blue-1", "blue-2")},
    }


@pytest.mark.parametrize(("flag", "colour"), [("blue", "green"), ("green", "blue")])
@pytest.mark.parametrize("percent", [1, 25, 99, 100])
def test_sag_07_a_canary_gets_its_share_and_the_others_stay(
    directory: str, flag: str, colour: str, percent: int
) -> None:
    active.switch("shop", flag, directory)
    active.weigh("shop", colour, percent, directory)
    assert to(directory, colour) == percent
    assert active.weights("shop", directory) == {colour: percent}
    assert active.serving("shop", directory) == flag
    assert active.weights("blog", directory) == {}


def test_who_is_in_the_canary_stays_there_when_the_weight_rises(directory: str) -> None:
    inside: set[int] = set()
    for percent in (1, 5, 25, 60, 99):
        active.weigh("shop", "green", percent, directory)
        now = {share for share in range(100) if chosen(directory, share) == "green"}
        assert inside <= now
        inside = now


@pytest.mark.parametrize(
    ("sticky", "mark"), [("none", "by-request"), ("address", "by-address"), ("cookie", "by-cookie")]
)
def test_one_file_says_by_what_requests_are_told_apart(directory: str, sticky: Any, mark: str) -> None:
    active.weigh("shop", "green", 2, directory, "none")
    active.weigh("shop", "green", 2, directory, sticky)
    assert sorted(os.listdir(active.canary("shop", directory))) == [mark, "green-0", "green-1"]


@pytest.mark.parametrize("percent", [-1, 101])
def test_a_share_that_there_is_not_is_refused(directory: str, percent: int) -> None:
    with pytest.raises(InvalidInput, match=f"{percent} % of the requests cannot go to 'green'"):
        active.weigh("shop", "green", percent, directory)


def test_no_percent_ends_a_canary(directory: str) -> None:
    active.weigh("shop", "green", 5, directory)
    active.weigh("shop", "green", 0, directory)
    assert (active.weights("shop", directory), os.listdir(directory)) == ({}, [])


def test_clearing_leaves_nothing_behind_and_can_be_repeated(directory: str) -> None:
    active.clear_weights("shop", directory)
    active.weigh("shop", "green", 5, directory)
    active.weigh("blog", "green", 7, directory)
    for _ in range(2):
        active.clear_weights("shop", directory)
        assert sorted(os.listdir(directory)) == ["blog.canary", "blog.shares"]
    assert active.weights("blog", directory) == {"green": 7}


@pytest.mark.parametrize("colour", ["blue", "green"])
@pytest.mark.parametrize("canary", ["blue", "green"])
def test_a_switch_ends_a_canary_to_either_colour(directory: str, colour: str, canary: str) -> None:
    active.weigh("shop", canary, 50, directory)
    active.switch("shop", colour, directory)
    assert to(directory, colour) == 100
    assert active.weights("shop", directory) == {}


@pytest.mark.parametrize(("before", "after"), [("blue", "green"), ("green", "blue")])
def test_a_switch_moves_nobody_back_for_a_moment(
    directory: str, before: str, after: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the weights go away, the flag already says the same."""
    active.switch("shop", before, directory)
    active.weigh("shop", after, 25, directory)
    seen: list[tuple[str, int]] = []
    clear = active.clear_weights

    def noted(stack: str, where: str) -> None:
        seen.append((active.serving(stack, where), to(where, after)))
        clear(stack, where)

    monkeypatch.setattr(active, "clear_weights", noted)
    active.switch("shop", after, directory)
    assert seen == [(after, 100)]


def test_a_weight_is_whole_at_every_moment(directory: str, monkeypatch: pytest.MonkeyPatch) -> None:
    active.weigh("shop", "green", 10, directory)
    seen: list[int] = []
    replace = os.replace

    def noted(source: str, target: str) -> None:
        seen.append(to(directory, "green"))
        replace(source, target)
        seen.append(to(directory, "green"))

    monkeypatch.setattr(os, "replace", noted)
    active.weigh("shop", "green", 40, directory)
    assert seen == [10, 40]


def test_what_a_killed_run_left_half_done_is_in_nobodys_way(directory: str) -> None:
    active.weigh("shop", "green", 10, directory)
    shares = Path(directory, "shop.shares")
    (shares / "green-40-none.partial").mkdir()
    Path(directory, "shop.canary.new").symlink_to("nowhere")
    active.weigh("shop", "green", 40, directory)
    assert active.weights("shop", directory) == {"green": 40}
    assert sorted(path.name for path in shares.iterdir()) == ["green-10-none", "green-40-none"]


def test_a_link_into_nowhere_is_no_canary(directory: str) -> None:
    os.makedirs(directory)
    os.symlink("shop.shares/gone", active.canary("shop", directory))
    assert active.weights("shop", directory) == {}
    active.clear_weights("shop", directory)
    assert os.listdir(directory) == []


def test_a_weight_that_cannot_be_written_says_where_requests_go(
    directory: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    active.weigh("shop", "green", 10, directory)

    def full(source: str, target: str) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "symlink", full)
    with pytest.raises(ComposeOpsError, match=r"shop\.canary was not written: No space left .* go where they went"):
        active.weigh("shop", "green", 20, directory)
    assert active.weights("shop", directory) == {"green": 10}


def test_a_flag_that_cannot_be_removed_is_an_error_of_ours(directory: str, monkeypatch: pytest.MonkeyPatch) -> None:
    active.switch("shop", "green", directory)

    def refused(path: str) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(os, "unlink", refused)
    with pytest.raises(ComposeOpsError, match=r"shop\.green was not removed: Read-only file system"):
        active.switch("shop", "blue", directory)
