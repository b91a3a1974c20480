# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The sentences of alerts; pure."""

from __future__ import annotations

from datetime import datetime, timezone

from ansible_collections.composeops.stack.plugins.module_utils.monitor.model import Alert, CheckState, Failed, Rule

REASON_SHOWN = 500
MINUTE = 60
HOUR = 3600


def failing(rule: Rule, state: CheckState, clause: str, at: float) -> Alert:
    """Say that a check failed often enough to tell people, and what is done about it."""
    text = f"{_failures(rule, state)} {_sentence(clause)}."
    return Alert("failing", rule.name, f"{rule.name} is failing", text, at)


def restarted_again(rule: Rule, state: CheckState, clause: str, at: float) -> Alert:
    """Say that an outage that people were told of leads to a restart now."""
    text = f"{_failures(rule, state)} {_sentence(clause)}."
    return Alert("restart", rule.name, f"{rule.name} is still failing", text, at)


def limit_reached(rule: Rule, state: CheckState, clause: str, at: float) -> Alert:
    """Say that restarts did not help and what has to happen now."""
    text = f"{_failures(rule, state)} {_sentence(clause)}. Somebody has to look at it."
    return Alert("limit", rule.name, f"{rule.name} is still failing and is not restarted", text, at)


def recovered(rule: Rule, state: CheckState, restarts: int, at: float) -> Alert:
    """Say that a check passes again."""
    helped = f" {rule.target.name} was restarted {times(restarts)}." if rule.target and restarts else ""
    text = f"The {rule.check.type} check of {rule.check.target} passes again after {span(at - state.since)}.{helped}"
    return Alert("recovered", rule.name, f"{rule.name} recovered", text, at)


def restart_failed(failed: Failed) -> Alert:
    """Say that a restart was tried and what stood against it."""
    name = failed.target.name
    text = f"{name} was to be restarted and could not be: {_first_line(failed.reason)}"
    return Alert("restart_failed", failed.check, f"{name} could not be restarted", text, failed.at)


def resource(name: str, percent: float, threshold: float, lasted: float, at: float) -> Alert:
    """Say that a resource of the host is used more than it should be."""
    since = f" for {span(lasted)}" if lasted > 0 else ""
    text = f"{percent:.0f} % of {name} is in use, and it was above {threshold:g} %{since}."
    return Alert("resource", name, f"{name} is running short", text, at)


def resource_recovered(name: str, percent: float, threshold: float, lasted: float, at: float) -> Alert:
    """Say that a resource of the host is there again."""
    text = f"{percent:.0f} % of {name} is in use; it was above {threshold:g} % for {span(lasted)}."
    return Alert("resource_recovered", name, f"{name} recovered", text, at)


def span(seconds: float) -> str:
    """Return a length of time as people say it."""
    whole = max(0, round(seconds))
    if whole < MINUTE:
        return f"{whole} s"
    if whole < HOUR:
        return f"{whole // MINUTE} min {whole % MINUTE} s" if whole % MINUTE else f"{whole // MINUTE} min"
    return f"{whole // HOUR} h {whole % HOUR // MINUTE} min"


def clock(at: float) -> str:
    """Return a moment as the time of a day, in UTC, because alerts are read in more than one time zone."""
    return f"{datetime.fromtimestamp(at, timezone.utc):%H:%M:%S} UTC"


def times(count: int) -> str:
    """Return a number of repetitions in words."""
    return {1: "once", 2: "twice"}.get(count, f"{count} times")


def _failures(rule: Rule, state: CheckState) -> str:
    count = "once" if state.failures == 1 else f"{times(state.failures)} in a row"
    what = f"The {rule.check.type} check of {rule.check.target} failed {count}"
    return f"{what}: {_sentence(_first_line(state.reason))}"


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _first_line(text: str) -> str:
    """Return what fits into a message; a reason may end with the lines of a log."""
    return (text.strip().splitlines() or ["no reason is known."])[0][:REASON_SHOWN]
