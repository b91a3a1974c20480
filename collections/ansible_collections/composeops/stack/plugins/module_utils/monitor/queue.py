# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""When an alert is sent, sent again or given up; pure.

The alerts of one webhook are sent in their order, so that a recovery never arrives before what it is a recovery from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ansible_collections.composeops.stack.plugins.module_utils.monitor.model import (
    Alert,
    Delivery,
    State,
    Webhook,
    WebhookState,
)

FIRST_RETRY = 5.0
LONGEST_RETRY = 300.0
LONGEST_WAIT = 3600.0
"""What a service may ask for at most."""
GIVE_UP = 86_400.0
"""Seconds after which an alert is news no more."""
MOST_WAITING = 200
"""Alerts that wait for one webhook; the oldest give way."""
REQUEST_TIMEOUT = 408
TOO_MANY_REQUESTS = 429
SERVER_ERROR = 500


@dataclass(frozen=True)
class Outcome:
    """What a webhook made of an alert."""

    ok: bool
    reason: str = ""
    permanent: bool = False
    """Sending the same again would end the same."""
    retry_after: float = 0
    """Seconds that the service asks to be left alone for."""


def outcome(status: int, retry_after: str = "", said: str = "") -> Outcome:
    """Read an answer. Slack answers 200, Discord 204; either asks for patience with 429 and Retry-After."""
    if 200 <= status < 300:  # noqa: PLR2004 (the statuses of success)
        return Outcome(True)
    temporary = status >= SERVER_ERROR or status in (REQUEST_TIMEOUT, TOO_MANY_REQUESTS)
    words = " ".join(said.split())[:100]
    reason = f"it answered {status}" + (f" ({words})" if words else "")
    return Outcome(False, reason, not temporary, _seconds(retry_after))


def enqueue(state: State, webhooks: Sequence[Webhook], alerts: Sequence[Alert]) -> State:
    """Put each alert into the queue of each webhook."""
    for webhook in webhooks:
        added = tuple(Delivery(webhook.name, alert, due=alert.at) for alert in alerts)
        own = [delivery for delivery in (*state.queue, *added) if delivery.webhook == webhook.name]
        others = tuple(delivery for delivery in state.queue if delivery.webhook != webhook.name)
        state = replace(state, queue=(*others, *own[-MOST_WAITING:]))
        if len(own) > MOST_WAITING:
            state = _count(state, webhook.name, dropped=len(own) - MOST_WAITING)
    return state


def first(state: State, webhook: str) -> Delivery | None:
    """Return what is to be sent to a webhook next."""
    return next((delivery for delivery in state.queue if delivery.webhook == webhook), None)


def forget_unknown(state: State, webhooks: Sequence[Webhook]) -> State:
    """Drop what waits for a webhook that is not configured any more."""
    names = {webhook.name for webhook in webhooks}
    return replace(state, queue=tuple(delivery for delivery in state.queue if delivery.webhook in names))


def wait(delivery: Delivery, now: float) -> float:
    """Return how many seconds to wait before the next attempt; a clock that was set back makes none longer."""
    seconds = delivery.due - now
    return seconds if 0 < seconds <= LONGEST_WAIT else 0.0


def sent(state: State, delivery: Delivery, result: Outcome, now: float) -> State:
    """Return the state after an attempt to send ``delivery``, the first of its webhook."""
    rest = tuple(other for other in state.queue if other is not delivery)
    if result.ok:
        return _count(replace(state, queue=rest), delivery.webhook, delivered=1)
    if hopeless(delivery, result, now):
        return _count(replace(state, queue=rest), delivery.webhook, dropped=1)
    wait = max(result.retry_after, min(LONGEST_RETRY, FIRST_RETRY * 2.0 ** min(delivery.attempts, 16)))
    again = replace(delivery, attempts=delivery.attempts + 1, due=now + wait)
    return replace(state, queue=tuple(again if other is delivery else other for other in state.queue))


def hopeless(delivery: Delivery, result: Outcome, now: float) -> bool:
    """Say whether an attempt that failed was the last."""
    return not result.ok and (result.permanent or now - delivery.alert.at > GIVE_UP)


def _count(state: State, webhook: str, *, delivered: int = 0, dropped: int = 0) -> State:
    before = state.webhooks.get(webhook, WebhookState())
    after = WebhookState(before.delivered + delivered, before.dropped + dropped)
    return replace(state, webhooks={**state.webhooks, webhook: after})


def _seconds(text: str) -> float:
    """Read a Retry-After header; a date, which neither service sends, counts as none."""
    try:
        seconds = float(text)
    except ValueError:
        return 0.0
    return min(LONGEST_WAIT, seconds) if seconds >= 0 else 0.0
