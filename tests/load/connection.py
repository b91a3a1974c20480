"""One HTTPS connection to the edge, seen from as far away as asked for."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from tests.load import observations
from tests.load.http1 import Answer, AnswerParser, MalformedAnswer

CONNECT_TIMEOUT = 10.0
TLS_SHUTDOWN_TIMEOUT = 1.0


@dataclass(frozen=True)
class Way:
    """How clients reach the edge."""

    address: str
    port: int
    tls: ssl.SSLContext
    one_way: float
    """Seconds that anything takes to get there, or back."""


class RequestFailed(Exception):
    """A request had no answer; the argument is a class of errors from observations.py."""


class Connection(asyncio.Protocol):
    """Requests, one after the other.

    With a distance, what the client does reaches the connection ``one_way`` seconds later, and what happens there
    reaches the client as late. Only so does a close cross a request in numbers worth testing: on one machine the two
    meet within less than a millisecond. The handshakes are not delayed.
    """

    def __init__(self, one_way: float) -> None:
        self._one_way = one_way
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._parser: AnswerParser | None = None
        self._answer: asyncio.Future[Answer] | None = None
        self._answers = 0
        self.idle_since = self._loop.time()
        self.usable = False
        """Whether, as far as the client knows, another request can be sent."""

    @classmethod
    async def open(cls, way: Way, host: str) -> Connection:
        """Connect and shake hands, or raise RequestFailed."""
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT):
                _, connection = await asyncio.get_running_loop().create_connection(
                    lambda: cls(way.one_way),
                    way.address,
                    way.port,
                    ssl=way.tls,
                    server_hostname=host,
                    ssl_shutdown_timeout=TLS_SHUTDOWN_TIMEOUT,
                )
        except OSError as error:
            raise RequestFailed(f"{observations.NOT_CONNECTED}: {_reason(error)}") from error
        return connection

    async def request(self, payload: bytes, timeout: float) -> Answer:
        """Send a request and return its answer, or raise RequestFailed; nothing is ever sent twice."""
        self._parser = AnswerParser()
        self._answer = self._loop.create_future()
        self._after_distance(self._write, payload)
        try:
            async with asyncio.timeout(timeout):
                answer = await self._answer
        except TimeoutError as error:
            self.close()
            raise RequestFailed(observations.TIMED_OUT) from error
        finally:
            self._answer = None
        self._answers += 1
        self.idle_since = self._loop.time()
        if not answer.keeps_connection:
            self.close()
        return answer

    def close(self) -> None:
        self.usable = False
        if self._transport is not None:
            self._transport.close()

    def attach(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self.usable = True

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.attach(cast(asyncio.Transport, transport))

    def data_received(self, data: bytes) -> None:
        self._after_distance(self._receive, data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._after_distance(self._lose, exc)

    # The same, when it has come the distance.

    def _after_distance(self, happen: Callable[[Any], None], what: object) -> None:
        if self._one_way:
            self._loop.call_later(self._one_way, happen, what)
        else:
            happen(what)

    def _write(self, payload: bytes) -> None:
        # A connection that was closed meanwhile swallows what comes: the client hears of the close in its time.
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(payload)

    def _receive(self, data: bytes) -> None:
        if self._parser is None or self._answer is None or self._answer.done():
            self.close()
            return
        try:
            answer = self._parser.feed(data)
        except MalformedAnswer:
            self._answer.set_exception(RequestFailed(observations.MALFORMED))
            self.close()
            return
        if answer is not None:
            self._answer.set_result(answer)

    def _lose(self, _error: Exception | None) -> None:
        self.usable = False
        if self._parser is None or self._answer is None or self._answer.done():
            return
        answer = self._parser.end()
        if answer is not None:
            self._answer.set_result(answer)
        else:
            self._answer.set_exception(RequestFailed(self._loss(self._parser)))

    def _loss(self, parser: AnswerParser) -> str:
        if parser.begun:
            return observations.CUT_OFF
        return observations.KEEP_ALIVE_RACE if self._answers else observations.CLOSED_BEFORE_ANSWER


def _reason(error: OSError) -> str:
    if isinstance(error, ssl.SSLError):
        return "TLS handshake"
    if isinstance(error, TimeoutError):
        return "timed out"
    return type(error).__name__.removesuffix("Error").removeprefix("Connection").lower() or "error"
