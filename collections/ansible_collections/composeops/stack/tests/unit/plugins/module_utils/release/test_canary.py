# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.errors import InvalidInput
from ansible_collections.composeops.stack.plugins.module_utils.release import canary
from ansible_collections.composeops.stack.plugins.module_utils.release.canary import Pair
from ansible_collections.composeops.stack.plugins.module_utils.release.model import CanaryPolicy, RolloutPolicy
from ansible_collections.composeops.stack.plugins.module_utils.release.traffic import Sample

POLICY = CanaryPolicy(steps=(5, 25), requests=20, errors=1.0, latency=1.5)


def pair(new: Sample, old: Sample) -> Pair:
    return Pair(new, old, "green", "blue")


def answers(requests: int, failed: int = 0, milliseconds: int = 10) -> Sample:
    return Sample(requests, failed, {milliseconds: requests} if requests else {})


def mixed(**milliseconds: int) -> Sample:
    """Return answers by their times: ``ms10=5`` are five of 10 ms."""
    times = {int(name.removeprefix("ms")): number for name, number in milliseconds.items()}
    return Sample(sum(times.values()), 0, times)


FAILURES = {
    "none fail": (answers(180), answers(3400), "good"),
    "many fail": (answers(180, 12), answers(3400), "worse"),
    "two of twenty fail": (answers(20, 2), answers(400), "worse"),
    "two are not above what is allowed": (answers(200, 2), answers(400), "good"),
    "two are just above what is allowed": (answers(199, 2), answers(400), "worse"),
    "one failure is an accident, whatever its share": (answers(20, 1), answers(400), "good"),
    "both fail alike": (answers(200, 60), answers(4000, 1200), "good"),
    "the old one fails more": (answers(200, 4), answers(4000, 400), "good"),
    "as some always fail, a few more are an accident": (answers(180, 6), answers(3400, 68), "good"),
    "as some always fail, many more are none": (answers(180, 18), answers(3400, 68), "worse"),
    "all fail": (answers(20, 20), answers(400), "worse"),
    "nothing is wrong, but there is little": (answers(19), answers(400), "too few"),
    "one of a few fails": (answers(3, 1), answers(400), "too few"),
    "all of a few fail": (answers(2, 2), answers(400), "worse"),
    "nobody came": (answers(0), answers(0), "too few"),
    "all is well, and the old one has no requests any more": (answers(500), answers(0), "good"),
    "some fail, and the old one has no requests any more": (answers(500, 20), answers(0), "worse"),
    "some fail, and the old one had too few to compare with": (answers(20, 10), answers(3, 1), "too few"),
    "many requests": (answers(2_000_000, 24_000), answers(38_000_000, 200_000), "good"),
    "many requests, and a few too many failures": (answers(2_000_000, 34_000), answers(38_000_000, 200_000), "worse"),
}


@pytest.mark.parametrize(("new", "old", "expected"), FAILURES.values(), ids=FAILURES.keys())
def test_sag_07_failures_are_compared_with_the_release_before(new: Sample, old: Sample, expected: str) -> None:
    assert canary.judge(pair(new, old), POLICY).judgement == expected


LATENCIES = {
    "alike": (answers(100, 0, 100), answers(1000, 0, 100), "good"),
    "as much slower as it may be": (answers(100, 0, 150), answers(1000, 0, 100), "good"),
    "slower than it may be": (answers(100, 0, 151), answers(1000, 0, 100), "worse"),
    "three times as long, but of next to nothing": (answers(100, 0, 9), answers(1000, 0, 3), "good"),
    "20 ms more of next to nothing": (answers(100, 0, 23), answers(1000, 0, 3), "good"),
    "more than that": (answers(100, 0, 24), answers(1000, 0, 3), "worse"),
    "faster": (answers(100, 0, 10), answers(1000, 0, 900), "good"),
    "the old one has too few to compare with": (answers(100, 0, 900), answers(19, 0, 10), "good"),
    "one slow answer of twenty": (mixed(ms10=19, ms900=1), answers(1000, 0, 10), "good"),
    "two slow answers of twenty": (mixed(ms10=18, ms900=2), answers(1000, 0, 10), "worse"),
    "as many slow answers as ever, by accident on the other side": (
        mixed(ms10=188, ms5000=12),
        mixed(ms10=3820, ms5000=180),
        "good",
    ),
    "many more slow answers than ever": (mixed(ms10=160, ms5000=40), mixed(ms10=3820, ms5000=180), "worse"),
    "WebSockets alone have no time": (Sample(100, 0, {}), answers(1000), "good"),
}


@pytest.mark.parametrize(("new", "old", "expected"), LATENCIES.values(), ids=LATENCIES.keys())
def test_sag_07_times_are_compared_at_the_95th_percentile(new: Sample, old: Sample, expected: str) -> None:
    assert canary.judge(pair(new, old), POLICY).judgement == expected


CLEAR = {
    "none fail": (answers(3), False),
    "the first two fail": (answers(2, 2), True),
    "the first one fails": (answers(1, 1), False),
    "two of ten fail": (answers(10, 2), False),
    "five of forty fail": (answers(40, 5), True),
    "a little above what is allowed may still get better": (answers(400, 6), False),
    "slow answers may get faster": (answers(100, 0, 2000), False),
}


@pytest.mark.parametrize(("new", "expected"), CLEAR.values(), ids=CLEAR.keys())
def test_a_step_ends_early_only_where_time_would_change_nothing(new: Sample, expected: bool) -> None:
    found = canary.clearly_worse(pair(new, answers(1000)), POLICY)
    assert (found is not None and found.judgement == "worse") is expected


def test_an_outage_of_both_does_not_end_a_step_early() -> None:
    assert canary.clearly_worse(pair(answers(10, 10), answers(90, 90)), POLICY) is None


def test_no_failure_more_can_be_asked_for() -> None:
    strict = replace(POLICY, errors=0.0)
    assert canary.judge(pair(answers(10_000, 2), answers(90_000)), strict).judgement == "worse"
    assert canary.judge(pair(answers(10_000), answers(90_000)), strict).judgement == "good"


def test_the_sentence_has_the_figures() -> None:
    worse = canary.judge(pair(answers(180, 12), answers(3400)), POLICY)
    assert worse.sentence == "12 of 180 requests failed in green (6.7 %), 0 of 3,400 in blue (0.0 %)"
    slow = canary.judge(pair(answers(180, 0, 1200), answers(3400, 0, 100)), POLICY)
    assert slow.sentence == "95 of 100 answers took up to 1,200 ms in green, 100 ms in blue"
    few = canary.judge(pair(answers(1), answers(3400)), POLICY)
    assert few.sentence == "green answered 1 request, and 20 are needed"
    nothing_old = canary.judge(pair(answers(20), answers(0)), POLICY)
    assert nothing_old.sentence == (
        "0 of 20 requests failed in green (0.0 %), 0 of 0 in blue; "
        "95 of 100 answers took up to 10 ms in green, no time at all in blue"
    )
    unsure = canary.judge(pair(answers(20, 10), answers(3, 1)), POLICY)
    assert unsure.sentence == (
        "10 of 20 requests failed in green (50.0 %), 1 of 3 in blue (33.3 %); "
        "blue answered 3 requests, and 20 are needed to compare with"
    )


@pytest.mark.parametrize(
    ("seen", "requests", "share"),
    [(2, 20, 0.05), (1, 7, 0.5), (6, 180, 0.02), (12, 180, 0.01), (20, 20, 0.9), (3, 3, 0.1)],
)
def test_chance_is_the_binomial_distribution(seen: int, requests: int, share: float) -> None:
    expected = sum(
        math.comb(requests, number) * share**number * (1 - share) ** (requests - number)
        for number in range(seen, requests + 1)
    )
    assert canary.chance(seen, requests, share) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(
    ("seen", "requests", "share", "expected"),
    [(0, 10, 0.1, 1.0), (3, 10, 0.0, 0.0), (3, 10, 1.0, 1.0), (11, 10, 0.5, 0.0), (0, 0, 0.0, 1.0)],
)
def test_chance_at_its_ends(seen: int, requests: int, share: float, expected: float) -> None:
    assert canary.chance(seen, requests, share) == expected


def test_chance_of_millions() -> None:
    assert canary.chance(1_000_000, 10_000_000, 0.1) == pytest.approx(0.5, abs=0.01)
    assert canary.chance(1_010_000, 10_000_000, 0.1) < 1e-20


def rollout(strategy: Any = "blue_green", **changes: Any) -> RolloutPolicy:
    return RolloutPolicy(strategy=strategy, canary=replace(POLICY, **changes))


@pytest.mark.parametrize("steps", [(), (1,), (99,), (5, 25, 50)])
def test_steps_that_can_be_taken(steps: tuple[int, ...]) -> None:
    canary.check(rollout(steps=steps), "shop")


WRONG = {
    "0 %": (rollout(steps=(0, 5)), r"rollout\.canary: steps \[0, 5\] are not percentages from 1 to 99"),
    "100 %": (rollout(steps=(5, 100)), r"steps \[5, 100\] are not percentages .* Write them like"),
    "falling": (rollout(steps=(25, 5)), "of which each is above the one before"),
    "repeated": (rollout(steps=(5, 5)), "of which each is above the one before"),
    "in place": (rollout("in_place"), r"Stack shop, rollout\.canary: .* Set rollout\.strategy to blue_green"),
    "no time": (rollout(hold=0), "hold is 0 seconds; it must be more than 0"),
    "no requests": (rollout(requests=0), "requests is 0; it must be at least 1"),
    "less than no failures": (rollout(errors=-0.5), "errors is -0.5; it must be at least 0"),
    "faster than before": (rollout(latency=0.9), "latency is 0.9; it must be at least 1"),
}


@pytest.mark.parametrize(("policy", "message"), WRONG.values(), ids=WRONG.keys())
def test_what_cannot_be_done_is_refused_before_anything_changes(policy: RolloutPolicy, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        canary.check(policy, "shop")


def test_without_steps_nothing_else_matters() -> None:
    canary.check(rollout("in_place", steps=(), hold=0), "shop")
