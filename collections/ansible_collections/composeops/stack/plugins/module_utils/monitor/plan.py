# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a result of a check leads to: alerts, a restart, or patience. Pure: state and observation in, both out again."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ansible_collections.composeops.stack.plugins.module_utils.monitor import restraint, words
from ansible_collections.composeops.stack.plugins.module_utils.monitor.model import (
    Alert,
    CheckState,
    Failed,
    Rule,
    Settings,
    State,
    Target,
    TargetState,
)
from ansible_collections.composeops.stack.plugins.module_utils.monitor.restraint import Verdict


@dataclass(frozen=True)
class Seen:
    """A check that was carried out: whether it passed, why not, and when."""

    check: str
    ok: bool
    at: float
    reason: str = ""
    hold: str = ""
    """Why nothing may be restarted now, such as a deployment of the stack; empty where nothing stands against it."""


@dataclass(frozen=True)
class Decision:
    """What follows: what is remembered from now on, who is told what, and what is restarted."""

    state: State
    alerts: tuple[Alert, ...] = ()
    restart: Target | None = None


def decide(settings: Settings, state: State, seen: Seen) -> Decision:
    """Decide what one result leads to."""
    rule = settings.rules[seen.check]
    return _passed(settings, state, rule, seen) if seen.ok else _failed(settings, state, rule, seen)


def restart_ended(settings: Settings, state: State, target: Target, at: float) -> State:
    """Return the state after a restart ended: from now on the program has time to start."""
    quiet_until = at + settings.policy.grace
    return _with_target(
        _without_strikes(settings, state, target), target, replace(_of(state, target), quiet_until=quiet_until)
    )


def restart_failed(settings: Settings, state: State, failed: Failed) -> Decision:
    """Return what follows when a restart was tried and did not work; it counts as one, so that tries have an end."""
    return Decision(restart_ended(settings, state, failed.target, failed.at), (words.restart_failed(failed),))


def restart_prevented(settings: Settings, state: State, failed: Failed) -> Decision:
    """Return what follows when something took hold of the stack just before the restart: it was none."""
    before = _of(state, failed.target)
    undone = replace(
        before,
        restarts=before.restarts[:-1],
        tries=max(0, before.tries - 1),
        quiet_until=0,
        restarts_total=max(0, before.restarts_total - 1),
    )
    state = _with_target(_without_strikes(settings, state, failed.target), failed.target, undone)
    return Decision(state, (words.restart_failed(failed),))


def _passed(settings: Settings, state: State, rule: Rule, seen: Seen) -> Decision:
    before = state.checks.get(rule.name, CheckState())
    state = _with_check(state, rule.name, CheckState(failures_total=before.failures_total))
    if rule.target is None:
        return Decision(state, (words.recovered(rule, before, 0, seen.at),) if before.alerted else ())
    target = _of(state, rule.target)
    alerts = (words.recovered(rule, before, target.tries, seen.at),) if before.alerted else ()
    sharing = _sharing(settings, rule.target)
    if target.tries and not any(state.checks.get(name, CheckState()).failures for name in sharing):
        state = _with_target(state, rule.target, replace(target, tries=0))
    return Decision(state, alerts)


def _failed(settings: Settings, state: State, rule: Rule, seen: Seen) -> Decision:
    before = state.checks.get(rule.name, CheckState())
    target = _of(state, rule.target) if rule.target else TargetState()
    seen = replace(seen, hold=seen.hold or _missing(state, rule))
    counts = not seen.hold and not restraint.starting(target, seen.at)
    after = replace(
        before,
        failures=before.failures + 1,
        failures_total=before.failures_total + 1,
        strikes=before.strikes + 1 if counts else 0,
        since=before.since if before.failures else seen.at,
        reason=seen.reason,
    )
    verdict = _verdict(settings, rule, target, after, seen)
    if verdict.restart and rule.target:
        # The count of everything that this restart answers begins anew.
        after = replace(after, strikes=0)
        state = _with_target(
            _without_strikes(settings, state, rule.target), rule.target, _restarted(settings, target, seen.at)
        )
    alerts, after = _alerts(rule, after, verdict, seen.at)
    return Decision(_with_check(state, rule.name, after), alerts, rule.target if verdict.restart else None)


def _missing(state: State, rule: Rule) -> str:
    """Return which check of what this one stands on fails, too, as the end of a sentence; empty where none does."""
    return next((f"{name} fails, too" for name in rule.needs if state.checks.get(name, CheckState()).failures), "")


def _verdict(settings: Settings, rule: Rule, target: TargetState, after: CheckState, seen: Seen) -> Verdict:
    if rule.target is None:
        return Verdict(False, "nothing is restarted for this check")
    name = rule.target.name
    if seen.hold:
        return Verdict(False, f"{name} is not restarted: {seen.hold}")
    if restraint.starting(target, seen.at):
        ago = words.span(seen.at - target.restarts[-1])
        return Verdict(False, f"{name} was restarted {ago} ago and gets time to start")
    if after.strikes < rule.failures:
        return Verdict(False, f"{name} is restarted when it goes on")
    return restraint.judge(settings.policy, target, name, seen.at)


def _alerts(rule: Rule, after: CheckState, verdict: Verdict, at: float) -> tuple[tuple[Alert, ...], CheckState]:
    """Return what people are told, and the state that knows it: a thing is said once until it changes."""
    if after.failures >= rule.failures and not after.alerted:
        alert = words.failing(rule, after, verdict.clause, at)
        return (alert,), replace(after, alerted=True, limit_told=verdict.limited)
    if verdict.restart:
        return (words.restarted_again(rule, after, verdict.clause, at),), replace(after, limit_told=False)
    if verdict.limited and not after.limit_told:
        return (words.limit_reached(rule, after, verdict.clause, at),), replace(after, limit_told=True)
    return (), after


def _restarted(settings: Settings, target: TargetState, at: float) -> TargetState:
    return TargetState(
        restarts=(*restraint.recent(target, at), at),
        tries=target.tries + 1,
        quiet_until=at + settings.policy.grace,
        restarts_total=target.restarts_total + 1,
    )


def _sharing(settings: Settings, target: Target) -> list[str]:
    """Return the checks whose failures restart ``target``."""
    return [name for name, rule in settings.rules.items() if rule.target == target]


def _without_strikes(settings: Settings, state: State, target: Target) -> State:
    for name in _sharing(settings, target):
        if name in state.checks:
            state = _with_check(state, name, replace(state.checks[name], strikes=0))
    return state


def _of(state: State, target: Target) -> TargetState:
    return state.targets.get(target.name, TargetState())


def _with_check(state: State, name: str, check: CheckState) -> State:
    return replace(state, checks={**state.checks, name: check})


def _with_target(state: State, target: Target, remembered: TargetState) -> State:
    return replace(state, targets={**state.targets, target.name: remembered})
