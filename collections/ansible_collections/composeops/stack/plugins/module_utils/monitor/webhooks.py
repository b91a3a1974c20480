# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Posts an alert to a webhook."""

from __future__ import annotations

from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.io import http
from ansible_collections.composeops.stack.plugins.module_utils.monitor import payloads, queue
from ansible_collections.composeops.stack.plugins.module_utils.monitor.model import Alert, Webhook
from ansible_collections.composeops.stack.plugins.module_utils.monitor.queue import Outcome

TIMEOUT = 10.0


def post(webhook: Webhook, alert: Alert, ca: str = "") -> Outcome:
    """Send one alert once and return what became of it; the URL is in no message."""
    try:
        response = http.request(
            webhook.url,
            method="POST",
            headers={"Content-Type": "application/json"},
            body=payloads.body(webhook.format, alert),
            ca=ca,
            timeout=TIMEOUT,
        )
    except ComposeOpsError as error:
        return Outcome(False, error.message.rstrip("."))
    said = _said(response.body) if response.status >= 400 else ""  # noqa: PLR2004 (the statuses of refusal)
    return queue.outcome(response.status, response.headers.get("retry-after", ""), said)


def _said(body: bytes) -> str:
    return body[:200].decode("utf-8", "replace")
