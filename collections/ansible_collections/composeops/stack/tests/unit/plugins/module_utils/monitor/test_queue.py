"""Alerts on their way: in their order, again after a failure, and not for ever."""

from __future__ import annotations

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.monitor import queue
from ansible_collections.composeops.stack.plugins.module_utils.monitor.model import (
    Alert,
    Delivery,
    State,
    Webhook,
    WebhookState,
)
from ansible_collections.composeops.stack.plugins.module_utils.monitor.queue import Outcome
from hypothesis import given
from hypothesis import strategies as st

OPS = Webhook("ops", "slack", "https://hooks.invalid/x")
TEAM = Webhook("team", "discord", "https://hooks.invalid/y")
NOW = 1000.0


def alert(name: str, at: float = NOW) -> Alert:
    return Alert("failing", name, f"{name} is failing", "text", at)


def waiting(state: State, webhook: str) -> list[str]:
    return [delivery.alert.subject for delivery in state.queue if delivery.webhook == webhook]


def test_every_webhook_gets_every_alert_in_order() -> None:
    state = queue.enqueue(State(), [OPS, TEAM], [alert("a"), alert("b")])
    state = queue.enqueue(state, [OPS, TEAM], [alert("c")])
    assert waiting(state, "ops") == waiting(state, "team") == ["a", "b", "c"]
    first = queue.first(state, "ops")
    assert first is not None
    assert first.alert.subject == "a"


def test_alert_that_was_taken_leaves_the_queue_of_its_webhook_alone() -> None:
    state = queue.enqueue(State(), [OPS, TEAM], [alert("a"), alert("b")])
    state = queue.sent(state, state.queue[0], Outcome(True), NOW)
    assert waiting(state, "ops") == ["b"]
    assert waiting(state, "team") == ["a", "b"]
    assert state.webhooks == {"ops": WebhookState(delivered=1)}


def test_failed_alert_stays_first_and_waits_longer_each_time() -> None:
    state = queue.enqueue(State(), [OPS], [alert("a"), alert("b")])
    waits = []
    for _ in range(9):
        first = queue.first(state, "ops")
        assert first is not None
        assert first.alert.subject == "a"
        state = queue.sent(state, first, Outcome(False, "down"), NOW)
        again = queue.first(state, "ops")
        assert again is not None
        waits.append(again.due - NOW)
    assert waits == [5, 10, 20, 40, 80, 160, 300, 300, 300]


def test_service_that_asks_for_patience_gets_it() -> None:
    state = queue.enqueue(State(), [OPS], [alert("a")])
    state = queue.sent(state, state.queue[0], queue.outcome(429, "77"), NOW)
    assert state.queue[0].due == NOW + 77


@pytest.mark.parametrize(
    ("due", "seconds"), [(NOW - 5, 0), (NOW, 0), (NOW + 5, 5), (NOW + 3600, 3600), (NOW + 86_400, 0)]
)
def test_wait_is_no_longer_than_anybody_asked_for(due: float, seconds: float) -> None:
    assert queue.wait(Delivery("ops", alert("a"), due=due), NOW) == seconds


@pytest.mark.parametrize(
    ("status", "ok", "permanent"),
    [
        (200, True, False),
        (204, True, False),
        (302, False, True),
        (400, False, True),
        (403, False, True),
        (404, False, True),
        (408, False, False),
        (410, False, True),
        (429, False, False),
        (500, False, False),
        (503, False, False),
    ],
)
def test_answers_of_services(status: int, ok: bool, permanent: bool) -> None:
    outcome = queue.outcome(status, said="invalid_payload\n" if status == 400 else "")
    assert (outcome.ok, outcome.permanent) == (ok, permanent)
    if status == 400:
        assert outcome.reason == "it answered 400 (invalid_payload)"


@pytest.mark.parametrize(
    ("header", "seconds"), [("3", 3), ("0.5", 0.5), ("", 0), ("soon", 0), ("-1", 0), ("1e9", 3600), ("nan", 0)]
)
def test_retry_after_is_read_with_care(header: str, seconds: float) -> None:
    assert queue.outcome(429, header).retry_after == seconds


def test_refused_alert_is_dropped_and_counted() -> None:
    state = queue.enqueue(State(), [OPS], [alert("a"), alert("b")])
    state = queue.sent(state, state.queue[0], queue.outcome(404), NOW)
    assert waiting(state, "ops") == ["b"]
    assert state.webhooks["ops"] == WebhookState(dropped=1)


def test_alert_of_yesterday_is_given_up() -> None:
    state = queue.enqueue(State(), [OPS], [alert("a")])
    late = queue.sent(state, state.queue[0], Outcome(False, "down"), NOW + queue.GIVE_UP + 1)
    assert late.queue == ()
    assert late.webhooks["ops"].dropped == 1


def test_oldest_give_way_when_too_many_wait() -> None:
    state = queue.enqueue(State(), [OPS], [alert(str(number)) for number in range(queue.MOST_WAITING + 3)])
    assert waiting(state, "ops")[0] == "3"
    assert len(state.queue) == queue.MOST_WAITING
    assert state.webhooks["ops"].dropped == 3


def test_what_waits_for_a_webhook_that_is_gone_is_forgotten() -> None:
    state = queue.enqueue(State(), [OPS, TEAM], [alert("a")])
    assert waiting(queue.forget_unknown(state, [TEAM]), "ops") == []
    assert waiting(queue.forget_unknown(state, [TEAM]), "team") == ["a"]


@given(st.lists(st.one_of(st.just("new"), st.sampled_from([200, 400, 500, 429])), max_size=80))
def test_alerts_arrive_in_their_order_and_none_is_lost_unnoticed(steps: list[str | int]) -> None:
    state, made, arrived = State(), 0, []
    for step in steps:
        first = queue.first(state, "ops")
        if isinstance(step, str):
            state = queue.enqueue(state, [OPS], [alert(str(made))])
            made += 1
        elif first:
            if step == 200:
                arrived.append(int(first.alert.subject))
            state = queue.sent(state, first, queue.outcome(step), NOW)
    counted = state.webhooks.get("ops", WebhookState())
    assert arrived == sorted(arrived)
    assert counted.delivered == len(arrived)
    assert counted.delivered + counted.dropped + len(state.queue) == made
