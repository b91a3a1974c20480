# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""As much of a WebSocket client (RFC 6455) as sends a text and waits for it to come back.

A library would have to be installed on every host, in a version whose interface differs between Debian releases; what
a probe needs of the protocol is below.
"""

from __future__ import annotations

import base64
import hashlib
import os
import struct
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ansible_collections.composeops.stack.plugins.module_utils.io.http import (
    Certificate,
    Connection,
    ConnectionFailed,
    connected,
    failed,
    parse_url,
)

_ACCEPT_SUFFIX = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
"""A constant of the protocol: a server that can repeat the hash of it understood that a WebSocket was asked for."""

TEXT, CLOSE, PING, PONG = 0x1, 0x8, 0x9, 0xA
_SWITCHING_PROTOCOLS = 101
_HEAD_LIMIT = 65_536
_FRAME_LIMIT = 1_000_000
_SHORT_LENGTH = 126
_LONG_LENGTH = 127


@dataclass(frozen=True)
class Frame:
    """One message, or one control frame; a probe's messages are not fragmented."""

    opcode: int
    payload: bytes


@dataclass(frozen=True)
class Echo:
    """The text that came back."""

    text: str
    seconds: float
    certificate: Certificate | None


def encode(frame: Frame, mask: bytes) -> bytes:
    """Return a client's frame on the wire; a client masks with four random bytes."""
    size = len(frame.payload)
    if size < _SHORT_LENGTH:
        length = struct.pack("!B", 0x80 | size)
    elif size < 1 << 16:
        length = struct.pack("!BH", 0x80 | _SHORT_LENGTH, size)
    else:
        length = struct.pack("!BQ", 0x80 | _LONG_LENGTH, size)
    masked = bytes(byte ^ mask[index % 4] for index, byte in enumerate(frame.payload))
    return bytes([0x80 | frame.opcode]) + length + mask + masked


def decode(data: bytes) -> tuple[Frame, bytes] | None:
    """Return a server's first frame in ``data`` and what follows it, or None while it is not whole."""
    if len(data) < 2:  # noqa: PLR2004 (opcode and length)
        return None
    size, begin = data[1] & 0x7F, 2
    if size in (_SHORT_LENGTH, _LONG_LENGTH):
        form, width = ("!H", 2) if size == _SHORT_LENGTH else ("!Q", 8)
        if len(data) < begin + width:
            return None
        (size,) = struct.unpack_from(form, data, begin)
        begin += width
    if size > _FRAME_LIMIT:
        raise ValueError(f"a frame of {size} bytes is larger than a probe reads")
    if len(data) < begin + size:
        return None
    return Frame(data[0] & 0x0F, data[begin : begin + size]), data[begin + size :]


def accept_key(key: str) -> str:
    """Return what a server answers to ``key``."""
    return base64.b64encode(hashlib.sha1((key + _ACCEPT_SUFFIX).encode(), usedforsecurity=False).digest()).decode()


def echo(
    url: str,
    message: str,
    *,
    connect_to: str = "",
    headers: Mapping[str, str] | None = None,
    ca: str = "",
    timeout: float,
) -> Echo:
    """Open a WebSocket, send ``message`` and return the first text that comes back."""
    endpoint = parse_url(url, connect_to)
    place = f"{endpoint.address}:{endpoint.address_port}"
    began = time.monotonic()
    with connected(endpoint, ca=ca, timeout=timeout) as connection:
        try:
            key = base64.b64encode(os.urandom(16)).decode()
            lines = [f"GET {endpoint.path} HTTP/1.1", f"Host: {endpoint.authority}", "Upgrade: websocket"]
            lines += ["Connection: Upgrade", f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13"]
            lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
            connection.socket.sendall("\r\n".join([*lines, "", ""]).encode())
            rest = _opened(connection, key, place)
            connection.socket.sendall(encode(Frame(TEXT, message.encode()), os.urandom(4)))
            for frame in _frames(connection, rest):
                if frame.opcode == TEXT:
                    text = frame.payload.decode("utf-8", "replace")
                    connection.socket.sendall(encode(Frame(CLOSE, struct.pack("!H", 1000)), os.urandom(4)))
                    return Echo(text, time.monotonic() - began, connection.certificate)
                if frame.opcode == PING:
                    connection.socket.sendall(encode(Frame(PONG, frame.payload), os.urandom(4)))
                if frame.opcode == CLOSE:
                    raise ConnectionFailed(
                        f"{place} closed the WebSocket before it sent anything back.", "Look at the service's log."
                    )
            raise ConnectionResetError
        except ValueError as error:
            raise ConnectionFailed(
                f"{place} broke the WebSocket protocol: {error}.", "Look what serves there."
            ) from error
        except OSError as error:
            raise failed(endpoint, TimeoutError() if connection.expired.is_set() else error, timeout) from error


def _opened(connection: Connection, key: str, place: str) -> bytes:
    """Read the answer to the handshake and return what came behind it."""
    data = b""
    while b"\r\n\r\n" not in data:
        received = connection.socket.recv(4096)
        if not received:
            raise ConnectionResetError
        data += received
        if len(data) > _HEAD_LIMIT:
            raise ValueError("its answer has no end")
    head, _, rest = data.partition(b"\r\n\r\n")
    status_line, *lines = head.decode("latin-1").split("\r\n")
    parts = status_line.split(" ", 2)
    if len(parts) < 2 or parts[1] != str(_SWITCHING_PROTOCOLS):  # noqa: PLR2004 (protocol and status)
        raise ConnectionFailed(
            f"{place} did not open a WebSocket; it answered: {status_line}.",
            "Set websocket: true on the site's route, and look whether the service has this path.",
        )
    fields = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    if fields.get("sec-websocket-accept") != accept_key(key):
        raise ValueError("its answer is not to this handshake")
    return rest


def _frames(connection: Connection, data: bytes) -> Iterator[Frame]:
    """Yield the server's frames until it closes the connection."""
    while True:
        decoded = decode(data)
        if decoded is not None:
            frame, data = decoded
            yield frame
            continue
        received = connection.socket.recv(65_536)
        if not received:
            return
        data += received
