# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Alerts as Slack, Discord and other programs take them; pure.

Slack: https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks and its page on formatting text.
Discord: https://discord.com/developers/docs/resources/webhook#execute-webhook and its pages on embeds.
"""

from __future__ import annotations

import json
import re
from datetime import datetime, timezone
from typing import Any

from ansible_collections.composeops.stack.plugins.module_utils.monitor.model import Alert, Format

RED, GREEN = 0xCC0000, 0x2EB67D

# What the services refuse to take more of.
SLACK_TEXT = 3000
DISCORD_TITLE = 256
DISCORD_TEXT = 4096

_DISCORD_MARKS = re.compile(r"([\\*_~`|>\[\]()#<-])")


def body(form: Format, alert: Alert) -> bytes:
    """Return what is sent, in JSON."""
    make = {"slack": _slack, "discord": _discord, "json": _plain}[form]
    return json.dumps(make(alert)).encode()


def _slack(alert: Alert) -> dict[str, Any]:
    """``text`` is what notifications show; the attachment adds the colour."""
    title, text = _slack_text(f"{_mark(alert)} {_heading(alert)}"), _slack_text(alert.text)
    colour = f"#{GREEN if alert.good else RED:06X}"
    shown = _cut(text, SLACK_TEXT)
    return {
        "text": f"*{title}*",
        "attachments": [{"color": colour, "fallback": shown, "text": shown, "mrkdwn_in": [], "ts": int(alert.at)}],
    }


def _discord(alert: Alert) -> dict[str, Any]:
    """Nobody is mentioned, whatever the text says; without that, an answer with @everyone in it would call everyone."""
    return {
        "username": "composeops",
        "embeds": [
            {
                "title": _cut(_discord_text(f"{_mark(alert)} {_heading(alert)}"), DISCORD_TITLE),
                "description": _cut(_discord_text(alert.text), DISCORD_TEXT),
                "color": GREEN if alert.good else RED,
                "timestamp": _iso(alert.at),
            }
        ],
        "allowed_mentions": {"parse": []},
    }


def _plain(alert: Alert) -> dict[str, Any]:
    return {
        "version": 1,
        "kind": alert.kind,
        "good": alert.good,
        "host": alert.host,
        "subject": alert.subject,
        "title": alert.title,
        "text": alert.text,
        "at": _iso(alert.at),
    }


def _heading(alert: Alert) -> str:
    return f"{alert.host}: {alert.title}" if alert.host else alert.title


def _mark(alert: Alert) -> str:
    return "\N{WHITE HEAVY CHECK MARK}" if alert.good else "\N{POLICE CARS REVOLVING LIGHT}"


def _slack_text(text: str) -> str:
    """Escape the three characters that Slack reads as control, among them the < of <!channel>."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _discord_text(text: str) -> str:
    """Escape what Discord's Markdown would swallow, such as the underscores of a name."""
    return _DISCORD_MARKS.sub(r"\\\1", text)


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 1]}\N{HORIZONTAL ELLIPSIS}"


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
