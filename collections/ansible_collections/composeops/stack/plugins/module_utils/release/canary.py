# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Judges a canary: whether what the new release answered is worse than what the old one did meanwhile; pure.

Some requests always fail, and some are always slow. With few of them, a release that is just as good as the one before
looks worse by accident. So a difference counts when it is above what the policy allows, and when a release like the
one before would hardly ever look that bad.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from ansible_collections.composeops.stack.plugins.module_utils.errors import InvalidInput
from ansible_collections.composeops.stack.plugins.module_utils.release.active import SHARES
from ansible_collections.composeops.stack.plugins.module_utils.release.model import CanaryPolicy, RolloutPolicy
from ansible_collections.composeops.stack.plugins.module_utils.release.traffic import Sample

LEAST_FAILURES = 2
"""One failed request may be an accident, whatever its share."""
LEAST_DIFFERENCE = 0.020
"""Seconds; where answers take 3 ms, 5 ms is no reason to stop."""
DOUBT = 0.01
"""A release as good as the one before would look this bad in one canary of a hundred; more often is no proof."""
CLEAR = 0.001
"""The same for what is looked at every second, and so has many occasions to look bad."""

Judgement = Literal["good", "too few", "worse"]


@dataclass(frozen=True)
class Verdict:
    """What a step of a canary came to."""

    judgement: Judgement
    sentence: str
    """The figures that it was judged by, without a full stop."""


@dataclass(frozen=True)
class Pair:
    """What both releases answered in the same time, and what their colours are called."""

    new: Sample
    old: Sample
    colour: str
    before: str


def check(rollout: RolloutPolicy, stack: str) -> None:
    """Raise where what the inventory says about the canary of a stack cannot be done."""
    policy = rollout.canary
    if not policy.steps:
        return
    where = f"Stack {stack}, rollout.canary"
    steps = list(policy.steps)
    if rollout.strategy != "blue_green":
        raise InvalidInput(
            f"{where}: a release that replaces containers in place cannot share the requests with the one before.",
            "Set rollout.strategy to blue_green, or leave canary.steps empty.",
        )
    if steps != sorted(set(steps)) or not all(0 < step < SHARES for step in steps):
        raise InvalidInput(
            f"{where}: steps {steps} are not percentages from 1 to 99 of which each is above the one before.",
            "Write them like [5, 25, 50]; all requests move when the last step was good.",
        )
    for name, value, least in (
        ("requests", policy.requests, 1),
        ("errors", policy.errors, 0),
        ("latency", policy.latency, 1),
    ):
        if value < least:
            raise InvalidInput(f"{where}: {name} is {value:g}; it must be at least {least}.")
    if policy.hold <= 0:
        raise InvalidInput(f"{where}: hold is {policy.hold:g} seconds; it must be more than 0.")


def clearly_worse(pair: Pair, policy: CanaryPolicy) -> Verdict | None:
    """Return a verdict in the middle of a step, where more requests would hardly change it."""
    new, old = pair.new, pair.old
    allowed = old.failure_rate + policy.errors / 100
    if new.failed >= LEAST_FAILURES and new.failure_rate > allowed:
        return Verdict("worse", failures(pair)) if chance(new.failed, new.requests, allowed) < CLEAR else None
    return None


def judge(pair: Pair, policy: CanaryPolicy) -> Verdict:
    """Return the verdict at the end of a step."""
    new, old = pair.new, pair.old
    clear = clearly_worse(pair, policy)
    if clear:
        return clear
    if new.requests < policy.requests:
        return Verdict("too few", f"{pair.colour} answered {_count(new.requests)}, and {policy.requests} are needed")
    above = new.failed >= LEAST_FAILURES and new.failure_rate - old.failure_rate > policy.errors / 100
    if above and chance(new.failed, new.requests, old.failure_rate) < DOUBT:
        return Verdict("worse", failures(pair))
    if above and old.requests < policy.requests:
        needed = f"{policy.requests} are needed to compare with"
        return Verdict("too few", f"{failures(pair)}; {pair.before} answered {_count(old.requests)}, and {needed}")
    if _slower(pair, policy):
        return Verdict("worse", latencies(pair))
    return Verdict("good", f"{failures(pair)}; {latencies(pair)}")


def chance(seen: int, requests: int, share: float) -> float:
    """Return how likely ``seen`` or more of ``requests`` are hit, when each is with the probability ``share``."""
    if seen <= 0 or share >= 1:
        return 1.0
    if seen > requests or share <= 0:
        return 0.0
    odds = share / (1 - share)
    # The binomial distribution, from the first term on: factorials of millions need logarithms.
    term = math.exp(
        math.lgamma(requests + 1)
        - math.lgamma(seen + 1)
        - math.lgamma(requests - seen + 1)
        + seen * math.log(share)
        + (requests - seen) * math.log1p(-share)
    )
    total = 0.0
    for number in range(seen, requests + 1):
        total += term
        term *= (requests - number) / (number + 1) * odds
        if number > requests * share and term < total * 1e-9:
            break
    return min(1.0, total)


def _slower(pair: Pair, policy: CanaryPolicy) -> bool:
    """Whether the new release is slower than allowed, and by more answers than is likely for one that is not.

    Where most answers take 10 ms and one of twenty takes 5 s, the 95th percentile is one or the other by accident.
    """
    new, old = pair.new, pair.old
    if min(new.timed, old.timed) < policy.requests:
        return False
    allowed = max(old.p95 * policy.latency, old.p95 + LEAST_DIFFERENCE)
    late = new.slower_than(allowed)
    if new.p95 <= allowed or late < LEAST_FAILURES:
        return False
    return chance(late, new.timed, old.slower_than(allowed) / old.timed) < DOUBT


def failures(pair: Pair) -> str:
    """Return the failures of both colours in words."""
    return f"{_failures(pair.new)} failed in {pair.colour}{_percent(pair.new)}, {_failed_of_old(pair)}"


def latencies(pair: Pair) -> str:
    """Return the times of both colours in words."""
    return f"95 of 100 answers took up to {_time(pair.new)} in {pair.colour}, {_time(pair.old)} in {pair.before}"


def _failed_of_old(pair: Pair) -> str:
    return f"{pair.old.failed:,} of {pair.old.requests:,} in {pair.before}{_percent(pair.old)}"


def _failures(sample: Sample) -> str:
    return f"{sample.failed:,} of {_count(sample.requests)}"


def _percent(sample: Sample) -> str:
    return f" ({100 * sample.failure_rate:.1f} %)" if sample.requests else ""


def _count(requests: int) -> str:
    return f"{requests:,} request{'' if requests == 1 else 's'}"


def _time(sample: Sample) -> str:
    return f"{sample.p95 * 1000:,.0f} ms" if sample.timed else "no time at all"
