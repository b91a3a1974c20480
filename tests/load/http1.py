"""HTTP/1.1 as far as a load needs it: render a request, parse its answer as the bytes come. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

_HEAD_END = b"\r\n\r\n"
_LINE_END = b"\r\n"
_WITHOUT_BODY = {204, 304}
_CONTINUE_BELOW = 200


class MalformedAnswer(Exception):
    """The bytes are not an HTTP/1.1 response."""


@dataclass(frozen=True)
class Answer:
    """A complete response; header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def keeps_connection(self) -> bool:
        return self.headers.get("connection", "").lower() != "close"


def request(method: str, host: str, path: str, *, body: bytes = b"", close: bool = False) -> bytes:
    """Render a request; a body is JSON."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", "User-Agent: load"]
    if body:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    if close:
        lines.append("Connection: close")
    return "\r\n".join([*lines, "", ""]).encode() + body


class AnswerParser:
    """Takes the bytes of one response in any pieces."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._head: tuple[int, dict[str, str]] | None = None

    @property
    def begun(self) -> bool:
        """Whether anything at all has come."""
        return bool(self._buffer) or self._head is not None

    def feed(self, data: bytes) -> Answer | None:
        """Return the answer once it is complete."""
        self._buffer += data
        while self._head is None:
            end = self._buffer.find(_HEAD_END)
            if end < 0:
                return None
            head = _parse_head(bytes(self._buffer[:end]))
            del self._buffer[: end + len(_HEAD_END)]
            # Interim responses (100, 103) come before the one that counts.
            self._head = head if head[0] >= _CONTINUE_BELOW else None
        body = self._body(*self._head)
        return None if body is None else Answer(*self._head, body)

    def end(self) -> Answer | None:
        """Return the answer that the closing of the connection completed, if it did."""
        if self._head is None:
            return None
        status, headers = self._head
        if "content-length" in headers or "transfer-encoding" in headers:
            return None
        return Answer(status, headers, bytes(self._buffer))

    def _body(self, status: int, headers: Mapping[str, str]) -> bytes | None:
        if status in _WITHOUT_BODY:
            return b""
        if headers.get("transfer-encoding", "").lower() == "chunked":
            return _dechunk(bytes(self._buffer))
        length = headers.get("content-length")
        if length is None:
            return None
        if not length.isdecimal():
            raise MalformedAnswer(f"Content-Length {length!r}")
        return bytes(self._buffer[: int(length)]) if len(self._buffer) >= int(length) else None


def _parse_head(head: bytes) -> tuple[int, dict[str, str]]:
    first, *lines = head.decode("latin-1").split("\r\n")
    parts = first.split(" ", 2)
    if len(parts) < 2 or not parts[0].startswith("HTTP/1.") or not parts[1].isdecimal():
        raise MalformedAnswer(f"status line {first!r}")
    fields = (line.partition(":") for line in lines)
    return int(parts[1]), {name.strip().lower(): value.strip() for name, _, value in fields}


def _dechunk(data: bytes) -> bytes | None:
    """Return the body once its last chunk is there."""
    body = bytearray()
    position = 0
    while (end := data.find(_LINE_END, position)) >= 0:
        size_text = data[position:end].partition(b";")[0].strip()
        try:
            size = int(size_text, 16)
        except ValueError as error:
            raise MalformedAnswer(f"chunk size {size_text!r}") from error
        if size == 0:
            # No trailers are asked for, so an empty line follows at once.
            return bytes(body) if data[end + 2 : end + 4] == _LINE_END else None
        start = end + len(_LINE_END)
        if len(data) < start + size + len(_LINE_END):
            return None
        body += data[start : start + size]
        position = start + size + len(_LINE_END)
    return None
