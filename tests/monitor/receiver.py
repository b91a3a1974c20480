"""A real HTTP receiver of alerts that takes what Slack and Discord take and refuses what they refuse."""

from __future__ import annotations

import http.server
import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

DISCORD_MEMBERS = {"content", "username", "avatar_url", "tts", "embeds", "allowed_mentions"}


@dataclass(frozen=True)
class Received:
    """One alert that arrived."""

    path: str
    body: dict[str, Any]
    at: float

    @property
    def text(self) -> str:
        """Everything a person reads in it."""
        parts = [self.body.get("text"), self.body.get("title")]
        parts += [attachment.get("text") for attachment in self.body.get("attachments", [])]
        for embed in self.body.get("embeds", []):
            parts += [embed.get("title"), embed.get("description")]
        return "\n".join(part for part in parts if part)


@dataclass
class Receiver:
    """Listens on a port of its own; ``/slack/...``, ``/discord/...`` and ``/json/...`` are the services."""

    address: str = "127.0.0.1"
    port: int = 0
    """0 is any that is free."""

    received: list[Received] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    failing: bool = False
    """Answer 503 instead of taking anything."""
    retry_after: str = ""

    def __post_init__(self) -> None:
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                receiver._take(self)

            def log_message(self, format: str, *args: object) -> None:
                """Tests print nothing."""

        self._server = http.server.ThreadingHTTPServer((self.address, self.port), Handler)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def url(self, service: str) -> str:
        return f"http://{self.address}:{self.port}/{service}/T000/very-secret-token"

    def wait_for(self, wanted: Callable[[Received], bool], what: str, timeout: float = 30) -> Received:
        """Return the first alert that is wanted."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            for alert in list(self.received):
                if wanted(alert):
                    return alert
            time.sleep(0.02)
        raise AssertionError(f"no {what} within {timeout:g} s; received: {[alert.text for alert in self.received]}")

    def _take(self, handler: http.server.BaseHTTPRequestHandler) -> None:
        length = int(handler.headers["Content-Length"])
        content = handler.rfile.read(length)
        if len(content) < length:  # a monitor that was stopped while it sent
            return
        if self.failing:
            self._answer(handler, 503, b"down")
            return
        service = handler.path.split("/")[1]
        try:
            assert handler.headers["Content-Type"] == "application/json", "content type"
            body = json.loads(content)
            {"slack": slack_accepts, "discord": discord_accepts, "json": lambda _body: None}[service](body)
        except (AssertionError, ValueError, KeyError) as error:
            self.refused.append(f"{service}: {error}: {content[:300]!r}")
            self._answer(handler, 400, b"invalid_payload")
            return
        self.received.append(Received(handler.path, body, time.time()))
        self._answer(handler, 204 if service == "discord" else 200, b"" if service == "discord" else b"ok")

    def _answer(self, handler: http.server.BaseHTTPRequestHandler, status: int, body: bytes) -> None:
        handler.send_response(status)
        if self.retry_after:
            handler.send_header("Retry-After", self.retry_after)
        if status != 204:
            handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)


def slack_accepts(body: dict[str, Any]) -> None:
    """Refuse what an incoming webhook of Slack refuses, and what it would show otherwise than meant."""
    assert isinstance(body.get("text"), str) and body["text"], "no_text"
    assert len(body.get("attachments", [])) <= 20, "too many attachments"
    for text in (body["text"], *(attachment["text"] for attachment in body.get("attachments", []))):
        assert "<" not in text and ">" not in text, "control characters are not escaped"


def discord_accepts(body: dict[str, Any]) -> None:
    """Refuse what a webhook of Discord refuses."""
    assert set(body) <= DISCORD_MEMBERS, "unknown member"
    assert body.get("content") or body.get("embeds"), "empty message (50006)"
    assert len(body.get("content", "")) <= 2000, "content too long"
    assert len(body.get("embeds", [])) <= 10, "too many embeds"
    for embed in body.get("embeds", []):
        assert 0 < len(embed["title"]) <= 256, "title"
        assert 0 < len(embed["description"]) <= 4096, "description"
        assert isinstance(embed["color"], int) and 0 <= embed["color"] <= 0xFFFFFF, "color"
        time.strptime(embed["timestamp"][:19], "%Y-%m-%dT%H:%M:%S")
    assert body["allowed_mentions"] == {"parse": []}, "mentions"
