"""What becomes of a request when the connection does this or that."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import cast

import pytest

from tests.load import observations
from tests.load.connection import Connection, RequestFailed

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
LAST_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"


class Wire:
    """Stands in for a transport; the test is the server."""

    def __init__(self) -> None:
        self.written = b""
        self.closed = False

    def write(self, data: bytes) -> None:
        self.written += data

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed


def connected(one_way: float = 0.0) -> tuple[Connection, Wire]:
    connection, wire = Connection(one_way), Wire()
    connection.attach(cast(asyncio.Transport, wire))
    return connection, wire


async def outcome(sending: Awaitable[object]) -> str:
    try:
        await sending
    except RequestFailed as error:
        return str(error)
    return "answered"


async def send(connection: Connection, server: Callable[[], None], timeout: float = 5.0) -> str:
    """Send a request, let the server do something about it, and return how it ended."""
    sending = asyncio.create_task(outcome(connection.request(b"GET", timeout)))
    await asyncio.sleep(0)
    server()
    return await sending


def test_an_answer_leaves_the_connection_usable() -> None:
    async def scenario() -> None:
        connection, wire = connected()
        assert await send(connection, lambda: connection.data_received(ANSWER)) == "answered"
        assert connection.usable
        assert wire.written == b"GET"

    asyncio.run(scenario())


def test_a_last_answer_does_not() -> None:
    async def scenario() -> None:
        connection, wire = connected()
        assert await send(connection, lambda: connection.data_received(LAST_ANSWER)) == "answered"
        assert wire.closed
        assert not connection.usable

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("earlier_answers", "received", "ended"),
    [
        pytest.param(1, b"", observations.KEEP_ALIVE_RACE, id="kept-connection-closed"),
        pytest.param(0, b"", observations.CLOSED_BEFORE_ANSWER, id="fresh-connection-closed"),
        pytest.param(1, ANSWER[:-1], observations.CUT_OFF, id="cut-in-the-body"),
        pytest.param(0, ANSWER[:5], observations.CUT_OFF, id="cut-in-the-head"),
        pytest.param(0, b"HTTP/1.1 200 OK\r\n\r\nall", "answered", id="ended-by-the-close"),
        pytest.param(0, b"nonsense\r\n\r\n", observations.MALFORMED, id="not-http"),
    ],
)
def test_a_closed_connection_ends_a_request_as_what_it_was(earlier_answers: int, received: bytes, ended: str) -> None:
    async def scenario() -> None:
        connection, _ = connected()
        for _ in range(earlier_answers):
            assert await send(connection, lambda: connection.data_received(ANSWER)) == "answered"

        def close() -> None:
            if received:
                connection.data_received(received)
            connection.connection_lost(ConnectionResetError())

        assert await send(connection, close) == ended
        assert not connection.usable

    asyncio.run(scenario())


def test_a_request_without_an_answer_times_out_and_gives_the_connection_up() -> None:
    async def scenario() -> None:
        connection, wire = connected()
        assert await send(connection, lambda: None, timeout=0.01) == observations.TIMED_OUT
        assert wire.closed

    asyncio.run(scenario())


def test_a_close_that_is_known_of_leaves_the_connection_unused() -> None:
    async def scenario() -> None:
        connection, _ = connected()
        connection.connection_lost(None)
        assert not connection.usable

    asyncio.run(scenario())


def test_over_a_distance_a_close_is_known_of_later_and_meets_a_request() -> None:
    async def scenario() -> None:
        connection, wire = connected(one_way=0.02)
        first = asyncio.create_task(outcome(connection.request(b"GET", 5.0)))
        while not wire.written:
            await asyncio.sleep(0.001)
        connection.data_received(ANSWER)
        assert not first.done()
        assert await first == "answered"

        wire.closed = True
        connection.connection_lost(None)
        assert connection.usable
        assert await outcome(connection.request(b"POST", 5.0)) == observations.KEEP_ALIVE_RACE
        assert wire.written == b"GET"
        assert not connection.usable

    asyncio.run(scenario())


def test_bytes_that_nobody_asked_for_end_the_connection() -> None:
    async def scenario() -> None:
        connection, wire = connected()
        connection.data_received(ANSWER)
        assert wire.closed
        assert not connection.usable

    asyncio.run(scenario())
