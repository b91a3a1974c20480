# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether something may be restarted now, and if not, why; pure.

Three things stand against a restart: a hold (a deployment runs, an operator stopped the stack), the time that the last
restart needs to show its effect, and the number of restarts within an hour.
"""

from __future__ import annotations

from dataclasses import dataclass

from ansible_collections.composeops.stack.plugins.module_utils.monitor import words
from ansible_collections.composeops.stack.plugins.module_utils.monitor.model import Policy, TargetState

HOUR = 3600.0


@dataclass(frozen=True)
class Verdict:
    """Whether a target is restarted now; ``clause`` says what an alert says of it."""

    restart: bool
    clause: str
    limited: bool = False
    """The number of restarts within an hour stands against it."""


def judge(policy: Policy, target: TargetState, name: str, at: float) -> Verdict:
    """Judge whether the target ``name``, whose checks failed often enough, is restarted."""
    if policy.restarts_per_hour == 0:
        return Verdict(False, f"{name} is not restarted: restarts are switched off", limited=True)
    past = recent(target, at)
    if len(past) >= policy.restarts_per_hour:
        possible = words.clock(past[-policy.restarts_per_hour] + HOUR)
        limit = f"it was restarted {words.times(len(past))} within the last hour, which is the limit"
        clause = f"{name} is not restarted: {limit}; the next restart is possible at {possible}"
        return Verdict(False, clause, limited=True)
    if past and at < past[-1] + backoff(policy, target.tries):
        earliest = words.clock(past[-1] + backoff(policy, target.tries))
        return Verdict(False, f"{name} is not restarted before {earliest}")
    ordinal = f"restart {len(past) + 1} of at most {policy.restarts_per_hour} within an hour"
    return Verdict(True, f"{name} is being restarted ({ordinal})")


def recent(target: TargetState, at: float) -> tuple[float, ...]:
    """Return the restarts of the last hour; one in the future, which a clock set back leaves, is none of them."""
    return tuple(moment for moment in target.restarts if 0 <= at - moment < HOUR)


def starting(target: TargetState, at: float) -> bool:
    """Say whether a target was restarted just now, so that failures prove nothing yet."""
    return bool(recent(target, at)) and at < target.quiet_until


def backoff(policy: Policy, tries: int) -> float:
    """Return how many seconds after its last restart a target may be restarted that was so ``tries`` times in vain."""
    return min(HOUR, policy.backoff * 2.0 ** (min(tries, 32) - 1)) if tries else 0.0
