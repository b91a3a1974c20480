"""How often something may be restarted."""

from __future__ import annotations

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.monitor.model import Policy, TargetState
from ansible_collections.composeops.stack.plugins.module_utils.monitor.restraint import backoff, judge, starting

NOW = 10_000.0


@pytest.mark.parametrize(
    ("tries", "seconds"), [(0, 0), (1, 60), (2, 120), (3, 240), (6, 1920), (7, 3600), (8, 3600), (10_000, 3600)]
)
def test_wait_doubles_up_to_an_hour(tries: int, seconds: float) -> None:
    assert backoff(Policy(backoff=60), tries) == seconds


@pytest.mark.parametrize(
    ("restarts", "tries", "restart", "words"),
    [
        ((), 0, True, "restart 1 of at most 2 within an hour"),
        ((NOW - 3600,), 0, True, "restart 1 of at most 2"),
        ((NOW - 3599,), 0, True, "restart 2 of at most 2"),
        ((NOW - 59,), 1, False, "a is not restarted before 02:46:41 UTC"),
        ((NOW - 60,), 1, True, "restart 2 of at most 2"),
        ((NOW - 3000, NOW - 2000), 2, False, "twice within the last hour, which is the limit"),
        ((NOW + 5,), 1, True, "restart 1 of at most 2"),
    ],
    ids=["first", "an-hour-ago", "within-the-hour", "too-soon", "soon-enough", "limit", "future"],
)
def test_restart_is_judged_by_those_before(restarts: tuple[float, ...], tries: int, restart: bool, words: str) -> None:
    verdict = judge(Policy(restarts_per_hour=2, backoff=60), TargetState(restarts, tries), "a", NOW)
    assert verdict.restart is restart
    assert words in verdict.clause


def test_starting_ends_with_the_grace_and_with_a_clock_set_back() -> None:
    target = TargetState((NOW,), 1, quiet_until=NOW + 60)
    assert starting(target, NOW + 59)
    assert not starting(target, NOW + 60)
    assert not starting(target, NOW - 1)
