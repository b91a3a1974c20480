"""Posting alerts to a real server."""

from __future__ import annotations

import http.server
import json
import threading

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.monitor import webhooks
from ansible_collections.composeops.stack.plugins.module_utils.monitor.model import Alert, Webhook
from ansible_collections.composeops.stack.tests.unit.support.servers import free_port, http_server

ALERT = Alert("failing", "api", "api is failing", "It failed.", 1_700_000_000.0, "h")


def hook(port: int) -> Webhook:
    return Webhook("ops", "json", f"http://127.0.0.1:{port}/services/secret")


def test_alert_is_posted_as_json() -> None:
    seen: list[tuple[str, str, str, dict[str, object]]] = []

    def answer(handler: http.server.BaseHTTPRequestHandler) -> None:
        body = json.loads(handler.rfile.read(int(handler.headers["Content-Length"])))
        seen.append((handler.command, handler.path, handler.headers["Content-Type"], body))
        handler.send_response(204)
        handler.end_headers()

    with http_server(answer) as port:
        assert webhooks.post(hook(port), ALERT).ok
    assert seen[0][:3] == ("POST", "/services/secret", "application/json")
    assert seen[0][3]["title"] == "api is failing"


@pytest.mark.parametrize(
    ("status", "permanent", "reason"),
    [(404, True, "it answered 404 (no_service)"), (503, False, "it answered 503 (no_service)")],
)
def test_answer_that_is_no_success(status: int, permanent: bool, reason: str) -> None:
    def answer(handler: http.server.BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        handler.send_header("Retry-After", "7")
        handler.end_headers()
        handler.wfile.write(b"no_service")

    with http_server(answer) as port:
        outcome = webhooks.post(hook(port), ALERT)
    assert (outcome.ok, outcome.permanent, outcome.retry_after, outcome.reason) == (False, permanent, 7, reason)


def test_service_that_does_not_answer_is_left_after_the_time_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks, "TIMEOUT", 0.2)
    left = threading.Event()
    with http_server(lambda handler: left.wait(30)) as port:
        outcome = webhooks.post(hook(port), ALERT)
        # Only now does the service go on, so it was left before it answered.
        left.set()
    assert not outcome.ok
    assert not outcome.permanent
    assert "did not answer within 0.2 s" in outcome.reason


def test_url_is_in_no_reason() -> None:
    outcome = webhooks.post(hook(free_port()), ALERT)
    assert "Nothing listens on 127.0.0.1" in outcome.reason
    assert "secret" not in outcome.reason
