"""What results of checks lead to: when people are told, when something is restarted, and when it is not."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.checks.model import TcpCheck
from ansible_collections.composeops.stack.plugins.module_utils.monitor import plan
from ansible_collections.composeops.stack.plugins.module_utils.monitor.model import (
    Alert,
    CheckState,
    Failed,
    Policy,
    Rule,
    Settings,
    State,
    Target,
)
from ansible_collections.composeops.stack.plugins.module_utils.monitor.plan import Seen
from hypothesis import given
from hypothesis import strategies as st

BACKEND = Target("docker", stack="shop", service="backend")
NOON = 1_700_000_000.0


def rule(name: str, target: Target | None = BACKEND, failures: int = 3) -> Rule:
    return Rule(TcpCheck(name=name, host="h", port=1), target=target, failures=failures)


def settings(*rules: Rule, **policy: Any) -> Settings:
    wanted = {"restarts_per_hour": 3, "backoff": 60, "grace": 60, **policy}
    return Settings("host", {one.name: one for one in rules}, policy=Policy(**wanted))


@dataclass
class Story:
    """Results one after the other, and what they led to."""

    settings: Settings
    state: State = field(default_factory=State)
    alerts: list[Alert] = field(default_factory=list)
    restarts: list[float] = field(default_factory=list)
    at: float = NOON

    def see(self, ok: bool, *, check: str = "api", after: float = 30, hold: str = "", at: float | None = None) -> None:
        self.at = self.at + after if at is None else at
        seen = Seen(check, ok, self.at, "" if ok else "Nothing listens.", hold)
        decision = plan.decide(self.settings, self.state, seen)
        self.state = decision.state
        self.alerts += decision.alerts
        if decision.restart:
            self.restarts.append(self.at)

    def see_all(self, results: str, **more: Any) -> None:
        """Take ``.`` as a pass and ``x`` as a failure."""
        for result in results:
            self.see(result == ".", **more)

    @property
    def kinds(self) -> list[str]:
        return [alert.kind for alert in self.alerts]

    def check(self, name: str = "api") -> CheckState:
        return self.state.checks[name]


@pytest.mark.parametrize(
    ("results", "kinds", "restarts"),
    [
        (".....", [], 0),
        ("xx.xx.xx", [], 0),
        ("xxx", ["failing"], 1),
        ("xxx.", ["failing", "recovered"], 1),
        ("xxx.xx.", ["failing", "recovered"], 1),
        ("xxx.xxx", ["failing", "recovered", "failing"], 2),
        # After the grace of 30 s three more have to fail.
        ("xxxxxx", ["failing", "restart"], 2),
        ("xxxxx", ["failing"], 1),
    ],
)
def test_int_04_third_failure_in_a_row_alerts_and_restarts(results: str, kinds: list[str], restarts: int) -> None:
    story = Story(settings(rule("api"), grace=30, backoff=60))
    story.see_all(results)
    assert (story.kinds, len(story.restarts)) == (kinds, restarts)


def test_number_of_failures_is_configurable() -> None:
    story = Story(settings(rule("api", failures=1)))
    story.see(False)
    assert story.kinds == ["failing"]
    assert len(story.restarts) == 1


def test_alert_says_what_failed_why_and_what_is_done() -> None:
    story = Story(settings(rule("api")))
    story.see_all("xxx")
    assert story.alerts[0].title == "api is failing"
    assert story.alerts[0].text == (
        "The tcp check of h:1 failed 3 times in a row: Nothing listens."
        " Shop/backend is being restarted (restart 1 of at most 3 within an hour)."
    )


def test_recovery_resets_the_count_and_says_how_long_it_took() -> None:
    story = Story(settings(rule("api")))
    story.see_all("xxx.")
    assert (
        story.alerts[1].text == "The tcp check of h:1 passes again after 1 min 30 s. shop/backend was restarted once."
    )
    assert story.check() == CheckState(failures_total=3)
    assert story.state.targets["shop/backend"].tries == 0
    assert story.state.targets["shop/backend"].restarts_total == 1


def test_check_without_a_target_only_alerts() -> None:
    story = Story(settings(rule("api", target=None)))
    story.see_all("xxxxxxx.")
    assert story.kinds == ["failing", "recovered"]
    assert "Nothing is restarted for this check." in story.alerts[0].text
    assert story.alerts[1].text == "The tcp check of h:1 passes again after 3 min 30 s."
    assert story.restarts == []


def test_failures_right_after_a_restart_do_not_count() -> None:
    story = Story(settings(rule("api"), grace=100, backoff=1))
    story.see_all("xxx" + "xxx" + "xx")
    assert len(story.restarts) == 1
    story.see(False)
    assert len(story.restarts) == 2


def test_nothing_is_restarted_during_a_hold_and_the_alert_says_why() -> None:
    story = Story(settings(rule("api")))
    for _ in range(5):
        story.see(False, hold="an operator stopped stack shop")
    assert story.restarts == []
    assert story.kinds == ["failing"]
    assert "Shop/backend is not restarted: an operator stopped stack shop." in story.alerts[0].text


def test_failures_during_a_hold_do_not_count_when_it_is_over() -> None:
    story = Story(settings(rule("api")))
    for _ in range(5):
        story.see(False, hold="a deployment runs")
    story.see_all("xx")
    assert story.restarts == []
    story.see(False)
    assert len(story.restarts) == 1
    assert story.kinds == ["failing", "restart"]
    assert story.alerts[1].text == (
        "The tcp check of h:1 failed 8 times in a row: Nothing listens."
        " Shop/backend is being restarted (restart 1 of at most 3 within an hour)."
    )


def test_hold_in_between_begins_the_count_anew() -> None:
    story = Story(settings(rule("api")))
    story.see_all("xx")
    story.see(False, hold="a deployment runs")
    story.see_all("xx")
    assert story.restarts == []


def test_nothing_is_restarted_while_what_it_needs_fails_too() -> None:
    story = Story(settings(replace(rule("api"), needs=("database",)), rule("database", target=None)))
    for _ in range(4):
        story.see(False, check="database", after=15)
        story.see(False, check="api", after=15)
    assert story.restarts == []
    assert "Shop/backend is not restarted: database fails, too." in story.alerts[1].text
    story.see(True, check="database")
    story.see_all("xx")
    assert story.restarts == []
    story.see(False)
    assert len(story.restarts) == 1


def test_restarts_come_ever_slower_and_stop_at_the_limit() -> None:
    story = Story(settings(rule("api"), grace=0, backoff=120))
    story.see_all("x" * 60)
    waits = [later - former for former, later in zip(story.restarts, story.restarts[1:], strict=False)]
    assert waits == [120, 240]
    assert story.kinds == ["failing", "restart", "restart", "limit"]
    assert story.alerts[3].title == "api is still failing and is not restarted"
    assert (
        "Shop/backend is not restarted: it was restarted 3 times within the last hour, which is the limit;"
        " the next restart is possible at 23:14:50 UTC. Somebody has to look at it."
    ) in story.alerts[3].text


def test_after_the_limit_one_restart_an_hour_is_tried() -> None:
    story = Story(settings(rule("api"), grace=0, backoff=60))
    story.see_all("x" * 2 * 60 * 12)
    waits = [later - former for former, later in zip(story.restarts, story.restarts[1:], strict=False)]
    assert waits[-8:] == [3600] * 8


def test_limit_of_none_switches_restarts_off_and_says_so_once() -> None:
    story = Story(settings(rule("api"), restarts_per_hour=0))
    story.see_all("x" * 20)
    assert story.kinds == ["failing"]
    assert "Shop/backend is not restarted: restarts are switched off." in story.alerts[0].text


def test_flapping_service_meets_the_limit_too() -> None:
    story = Story(settings(rule("api"), grace=0, backoff=0))
    story.see_all("xxx." * 10)
    assert len(story.restarts) == 3
    assert story.kinds.count("failing") == 10
    assert "which is the limit" in story.alerts[6].text


def test_two_checks_of_one_target_restart_it_once() -> None:
    story = Story(settings(rule("api"), rule("socket")))
    for _ in range(3):
        story.see(False, check="api", after=15)
        story.see(False, check="socket", after=15)
    assert len(story.restarts) == 1
    assert story.kinds == ["failing", "failing"]
    assert "Shop/backend was restarted 15 s ago and gets time to start." in story.alerts[1].text


def test_tries_are_forgotten_when_all_checks_of_the_target_pass() -> None:
    story = Story(settings(rule("api"), rule("socket")))
    story.see(False, check="socket")
    story.see_all("xxx.")
    assert story.state.targets["shop/backend"].tries == 1
    story.see(True, check="socket")
    assert story.state.targets["shop/backend"].tries == 0


def test_failed_restart_is_told_and_counts() -> None:
    story = Story(settings(rule("api")))
    story.see_all("xxx")
    failed = Failed(BACKEND, "api", "docker is gone.\nmore", story.at + 10)
    decision = plan.restart_failed(story.settings, story.state, failed)
    assert decision.alerts[0].text == "shop/backend was to be restarted and could not be: docker is gone."
    assert decision.state.targets["shop/backend"].restarts_total == 1
    assert decision.state.targets["shop/backend"].quiet_until == story.at + 70


def test_prevented_restart_is_told_and_does_not_count() -> None:
    story = Story(settings(rule("api")))
    story.see_all("xxx")
    failed = Failed(BACKEND, "api", "Stack shop is held by a deploy.", story.at)
    decision = plan.restart_prevented(story.settings, story.state, failed)
    target = decision.state.targets["shop/backend"]
    assert (target.restarts, target.tries, target.restarts_total, target.quiet_until) == ((), 0, 0, 0)
    assert "Stack shop is held by a deploy." in decision.alerts[0].text
    story.state = decision.state
    story.see_all("xxx")
    assert len(story.restarts) == 2


def test_time_to_start_begins_when_the_restart_has_ended() -> None:
    story = Story(settings(rule("api"), grace=60, backoff=0))
    story.see_all("xxx")
    story.state = plan.restart_ended(story.settings, story.state, BACKEND, story.at + 100)
    story.see_all("xxxxx")  # until 150 s after the restart began, 50 after it ended
    assert story.check().strikes == 0
    story.see(False)
    assert story.check().strikes == 1


def test_clock_that_is_set_back_does_not_stop_restarts() -> None:
    story = Story(settings(rule("api")))
    story.see_all("xxx")
    story.see(False, at=NOON - 86400)
    story.see_all("xx")
    assert len(story.restarts) == 2
    assert story.state.targets["shop/backend"].restarts == (story.restarts[1],)


def test_reason_of_a_log_is_one_line_in_an_alert() -> None:
    story = Story(settings(rule("api", failures=1)))
    decision = plan.decide(story.settings, State(), Seen("api", False, NOON, "It failed. Its log:\nsecond line"))
    assert "second line" not in decision.alerts[0].text


events = st.lists(
    st.tuples(
        st.sampled_from(["api", "socket", "other"]),
        st.booleans(),
        st.floats(0, 900),
        st.sampled_from(["", "", "a deployment runs"]),
    ),
    max_size=120,
)
policies = st.fixed_dictionaries(
    {"restarts_per_hour": st.integers(0, 4), "grace": st.floats(0, 300), "backoff": st.floats(0, 600)}
)


@given(events, policies, st.integers(1, 4))
def test_whatever_happens(seen: list[tuple[str, bool, float, str]], policy: dict[str, float], failures: int) -> None:
    """Properties of every story."""
    story = Story(
        settings(
            rule("api", failures=failures),
            rule("socket", failures=failures),
            rule("other", target=None, failures=failures),
            **policy,
        )
    )
    row: dict[str, int] = {}
    open_alerts: set[str] = set()
    for check, ok, after, hold in seen:
        told, restarted = len(story.alerts), len(story.restarts)
        story.see(ok, check=check, after=after, hold=hold)
        row[check] = 0 if ok else row.get(check, 0) + 1
        # What is remembered of failures is what was seen.
        assert story.check(check).failures == row[check]
        assert story.check(check).strikes <= row[check]
        if len(story.restarts) > restarted:
            assert not ok and not hold and check != "other" and row[check] >= failures
        for alert in story.alerts[told:]:
            # Each outage is told once, and its end once.
            if alert.kind == "failing":
                assert check not in open_alerts and row[check] >= failures
                open_alerts.add(check)
            elif alert.kind == "recovered":
                assert ok and check in open_alerts
                open_alerts.discard(check)
            else:
                assert check in open_alerts
        assert (check in open_alerts) == (row[check] >= failures or story.check(check).alerted)
    for moment in story.restarts:
        within = [other for other in story.restarts if 0 <= moment - other < 3600]
        assert len(within) <= policy["restarts_per_hour"]
    assert story.state.targets.get("shop/backend", plan.TargetState()).restarts_total == len(story.restarts)
