"""The WebSocket client: frames as in RFC 6455, and an independent server (the `websockets` library) as its peer."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.checks.websocket import (
    CLOSE,
    TEXT,
    Frame,
    accept_key,
    decode,
    echo,
    encode,
)
from ansible_collections.composeops.stack.plugins.module_utils.io.http import ConnectionFailed
from ansible_collections.composeops.stack.tests.unit.support.servers import (
    Authority,
    free_port,
    http_server,
    tcp_server,
)
from websockets.sync.server import ServerConnection, serve


@contextlib.contextmanager
def websocket_server(handler: Callable[[ServerConnection], None], **options: object) -> Iterator[int]:
    with serve(handler, "127.0.0.1", 0, **options) as server:  # type: ignore[arg-type]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.socket.getsockname()[1]


def returning(connection: ServerConnection) -> None:
    for message in connection:
        connection.send(message)


def test_accept_key_is_that_of_the_rfc() -> None:
    assert accept_key("dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


def test_masked_frame_is_that_of_the_rfc() -> None:
    assert encode(Frame(TEXT, b"Hello"), bytes.fromhex("37fa213d")) == bytes.fromhex("818537fa213d7f9f4d5158")


def test_unmasked_frame_is_that_of_the_rfc() -> None:
    assert decode(bytes.fromhex("810548656c6c6f")) == (Frame(TEXT, b"Hello"), b"")


@pytest.mark.parametrize(
    ("size", "length"),
    [
        (125, b"\xfd"),
        (126, b"\xfe\x00\x7e"),
        (65_535, b"\xfe\xff\xff"),
        (65_536, b"\xff" + (65_536).to_bytes(8, "big")),
    ],
    ids=["one-byte", "two-bytes", "two-bytes-full", "eight-bytes"],
)
def test_length_takes_the_shortest_form(size: int, length: bytes) -> None:
    assert encode(Frame(TEXT, bytes(size)), bytes(4))[1 : 1 + len(length)] == length


@pytest.mark.parametrize(
    ("size", "length"),
    [
        (0, b"\x00"),
        (125, b"\x7d"),
        (126, b"\x7e\x00\x7e"),
        (65_535, b"\x7e\xff\xff"),
        (65_536, b"\x7f\0\0\0\0\0\x01\0\0"),
    ],
)
def test_frame_is_whole_only_with_its_last_byte(size: int, length: bytes) -> None:
    wire = b"\x81" + length + b"x" * size
    assert decode(wire[:-1]) is None
    assert decode(wire + b"rest") == (Frame(TEXT, b"x" * size), b"rest")


def test_frame_that_is_too_large_is_refused() -> None:
    with pytest.raises(ValueError, match="larger than a probe reads"):
        decode(b"\x81\x7f" + (1 << 40).to_bytes(8, "big"))


@pytest.mark.parametrize("message", ["composeops", "żółw" * 20, "x" * 70_000], ids=["short", "medium", "long"])
def test_message_comes_back(message: str) -> None:
    with websocket_server(returning) as port:
        assert echo(f"ws://127.0.0.1:{port}/ws", message, timeout=5).text == message


def test_message_comes_back_through_tls(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    with websocket_server(returning, ssl=authority.server_context("mobile.example")) as port:
        result = echo("wss://mobile.example/ws", "hello", connect_to=f"127.0.0.1:{port}", ca=authority.pem, timeout=5)
    assert result.text == "hello"
    assert result.certificate is not None
    assert result.certificate.names == ("mobile.example",)


def test_ping_is_answered_before_the_echo() -> None:
    def pinging(connection: ServerConnection) -> None:
        message = connection.recv()
        assert connection.ping().wait(5)
        connection.send(message)

    with websocket_server(pinging) as port:
        assert echo(f"ws://127.0.0.1:{port}/", "hello", timeout=5).text == "hello"


def test_headers_are_sent() -> None:
    def header(connection: ServerConnection) -> None:
        connection.recv()
        assert connection.request is not None
        connection.send(connection.request.headers["X-Token"])

    with websocket_server(header) as port:
        assert echo(f"ws://127.0.0.1:{port}/", "hello", headers={"X-Token": "abc"}, timeout=5).text == "abc"


def test_close_without_an_echo_is_said() -> None:
    def closing(connection: ServerConnection) -> None:
        connection.recv()
        connection.close()

    with websocket_server(closing) as port, pytest.raises(ConnectionFailed, match="closed the WebSocket before"):
        echo(f"ws://127.0.0.1:{port}/", "hello", timeout=5)


def test_plain_http_answer_is_said_with_its_status() -> None:
    with (
        http_server(lambda handler: handler.send_error(404)) as port,
        pytest.raises(ConnectionFailed, match=r"did not open a WebSocket; it answered: HTTP/1\.0 404"),
    ):
        echo(f"ws://127.0.0.1:{port}/", "hello", timeout=5)


def test_answer_to_another_handshake_is_refused() -> None:
    def replay(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(b"HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: bm9uc2Vuc2U=\r\n\r\n")
        connection.recv(4096)

    with tcp_server(replay) as port, pytest.raises(ConnectionFailed, match="not to this handshake"):
        echo(f"ws://127.0.0.1:{port}/", "hello", timeout=5)


def test_silent_server_is_given_up_in_time() -> None:
    def silent(connection: ServerConnection) -> None:
        for _message in connection:
            pass

    began = time.monotonic()
    with websocket_server(silent) as port, pytest.raises(ConnectionFailed, match=r"did not answer within 0\.3 s"):
        echo(f"ws://127.0.0.1:{port}/", "hello", timeout=0.3)
    assert time.monotonic() - began < 2


def test_nothing_listening_is_said() -> None:
    with pytest.raises(ConnectionFailed, match="Nothing listens"):
        echo(f"ws://127.0.0.1:{free_port()}/", "hello", timeout=1)


def test_close_frame_is_decoded() -> None:
    assert decode(b"\x88\x02\x03\xe8") == (Frame(CLOSE, b"\x03\xe8"), b"")
