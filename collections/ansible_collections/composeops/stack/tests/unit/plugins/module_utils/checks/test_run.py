"""Attempts, pauses and order of a run."""

from __future__ import annotations

import threading
from collections.abc import Iterator

from ansible_collections.composeops.stack.plugins.module_utils.checks.model import Check, RedisCheck
from ansible_collections.composeops.stack.plugins.module_utils.checks.observation import Observation, Replied
from ansible_collections.composeops.stack.plugins.module_utils.checks.run import run_check, run_checks


def replies(*texts: str) -> Iterator[Observation]:
    return iter([Replied(text) for text in texts])


def test_check_that_passes_is_asked_once() -> None:
    pauses: list[float] = []
    seen = replies("PONG", "never asked")
    result = run_check(RedisCheck("r", attempts=3), lambda check: next(seen), pauses.append)
    assert (result.ok, result.attempts, pauses) == (True, 1, [])


def test_check_is_tried_again_after_its_interval() -> None:
    pauses: list[float] = []
    seen = replies("LOADING", "LOADING", "PONG")
    result = run_check(RedisCheck("r", attempts=3, interval=2), lambda check: next(seen), pauses.append)
    assert (result.ok, result.attempts, pauses) == (True, 3, [2, 2])


def test_last_attempt_counts_and_no_pause_follows_it() -> None:
    pauses: list[float] = []
    seen = replies("LOADING", "no", "PONG")
    result = run_check(RedisCheck("r", attempts=2, interval=2), lambda check: next(seen), pauses.append)
    assert (result.ok, result.attempts, pauses) == (False, 2, [2])
    assert result.verdict.reason == "it said 'no'."


def test_results_come_in_the_order_of_the_checks_whoever_ends_first() -> None:
    second_ended = threading.Event()

    def probe(check: Check) -> Observation:
        if check.name == "first":
            assert second_ended.wait(10), "the second check did not run beside the first"
        else:
            second_ended.set()
        return Replied("PONG")

    results = run_checks([RedisCheck("first"), RedisCheck("second")], probe)
    assert [result.check.name for result in results] == ["first", "second"]
    assert all(result.ok for result in results)


def test_no_checks_no_results() -> None:
    assert run_checks([], lambda check: Replied("")) == []
