# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import itertools
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.edge import draining
from ansible_collections.composeops.stack.plugins.module_utils.edge.draining import drained, end, was_left


@pytest.fixture
def flag(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(draining, "POLL", 0.0)
    monkeypatch.setattr(draining, "seen_after", lambda now: 0.0)
    return tmp_path / "run/edge.draining"


def counted(flag: Path, *answers: int | None) -> Callable[[], int | None]:
    """Return an nginx that answers so many idle connections, one answer after the other, once the flag is there."""
    left = list(answers)

    def answer() -> int | None:
        assert flag.exists()
        return left.pop(0)

    return answer


@pytest.mark.parametrize(
    "answers",
    [(3, 1, 0, 0, 0), (0, 0, 0), (0, 1, 0, 0, 0), (None,)],
    ids=["some", "none", "one that was answered meanwhile", "nginx does not run"],
)
def test_a_reload_comes_when_no_connection_is_idle_and_none_becomes_so_meanwhile(
    flag: Path, answers: tuple[int | None, ...]
) -> None:
    idle = counted(flag, *answers)
    with drained(idle, str(flag)):
        assert flag.exists()
        with pytest.raises(IndexError):
            idle()
    assert not flag.exists()


def test_clients_that_never_go_are_not_waited_for_longer_than_a_connection_may_be_idle(
    flag: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(draining, "IDLE", 0)
    with drained(counted(flag, 5, 5), str(flag)):
        assert flag.exists()


def test_calm_says_nothing_before_nginx_has_seen_the_flag(flag: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = itertools.count()
    monkeypatch.setattr(draining, "seen_after", lambda now: 8)
    monkeypatch.setattr(draining.time, "monotonic", lambda: next(clock))
    answers = [0] * 9
    with drained(answers.pop, str(flag)):
        # It looks twice at the clock each time.
        assert len(answers) == 9 - (8 / 2 + draining.CALM - 1)


def test_nginx_can_open_the_flag_whatever_the_umask_is(flag: Path) -> None:
    before = os.umask(0o077)
    try:
        with drained(counted(flag, 0, 0, 0), str(flag)):
            assert flag.stat().st_mode & 0o777 == 0o644
    finally:
        os.umask(before)


def test_a_reload_that_fails_leaves_no_flag(flag: Path) -> None:
    with pytest.raises(RuntimeError), drained(counted(flag, 0, 0, 0), str(flag)):
        raise RuntimeError
    assert not flag.exists()


def test_the_flag_of_a_run_that_was_killed_is_seen_and_taken_away(flag: Path) -> None:
    flag.parent.mkdir()
    for content in ("", "2147483647\n", "nobody"):
        flag.write_text(content)
        assert was_left(str(flag))
    end(str(flag))
    end(str(flag))
    assert not was_left(str(flag))


def test_who_reloads_while_another_lets_clients_go_neither_waits_nor_ends_it(flag: Path) -> None:
    with drained(counted(flag, 0, 0, 0), str(flag)):
        assert flag.read_text() == f"{os.getpid()}\n"
        assert not was_left(str(flag))
        with drained(counted(flag), str(flag)):
            assert flag.exists()
        assert flag.exists()
    assert not flag.exists()
