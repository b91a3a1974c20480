"""The proxy delays each direction by what it is asked for, loses nothing, and does not make the path narrow."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from benchmarks.converge.proxied import delayed

ONE_WAY = 0.05


@pytest.fixture
def echo() -> Iterator[int]:
    """A server that greets and then repeats what it is sent, until that ends."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    connection.sendall(b"hello")
                    while data := connection.recv(65536):
                        connection.sendall(data)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


@pytest.fixture
def connection(echo: int) -> Iterator[tuple[socket.socket, float]]:
    """A connection through the proxy, and the time it was asked for."""
    with delayed("127.0.0.1", echo, ONE_WAY) as port:
        start = time.monotonic()
        with socket.create_connection(("127.0.0.1", port), timeout=10) as opened:
            yield opened, start


def exactly(connection: socket.socket, size: int) -> bytes:
    received = bytearray()
    while len(received) < size:
        data = connection.recv(size - len(received))
        assert data, f"the connection ended after {len(received)} of {size} bytes"
        received += data
    return bytes(received)


def test_greeting_comes_after_two_round_trips(connection: tuple[socket.socket, float]) -> None:
    opened, start = connection
    assert exactly(opened, 5) == b"hello"
    assert 4 * ONE_WAY <= time.monotonic() - start < 4 * ONE_WAY + 0.5


def test_an_answer_takes_one_round_trip(connection: tuple[socket.socket, float]) -> None:
    opened, _ = connection
    exactly(opened, 5)
    start = time.monotonic()
    opened.sendall(b"ping")
    assert exactly(opened, 4) == b"ping"
    assert 2 * ONE_WAY <= time.monotonic() - start < 2 * ONE_WAY + 0.5


def test_much_data_arrives_whole_and_late_only_once(connection: tuple[socket.socket, float]) -> None:
    opened, _ = connection
    exactly(opened, 5)
    sent = bytes(range(256)) * 4 * 8192  # 8 MiB, over a hundred reads: delayed one by one they would take 10 s
    start = time.monotonic()
    sender = threading.Thread(target=opened.sendall, args=(sent,))
    sender.start()
    assert exactly(opened, len(sent)) == sent
    sender.join()
    assert time.monotonic() - start < 5


def test_the_end_of_one_direction_is_passed_on(connection: tuple[socket.socket, float]) -> None:
    opened, _ = connection
    exactly(opened, 5)
    opened.sendall(b"last words")
    opened.shutdown(socket.SHUT_WR)
    assert exactly(opened, 10) == b"last words"
    assert opened.recv(1) == b""
