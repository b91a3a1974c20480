"""WebSocket clients as devices are: each holds one open, says something now and then, comes back when it is closed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException

from tests.load import observations
from tests.load.connection import CONNECT_TIMEOUT, Way
from tests.load.observations import Session
from tests.load.systems import Target

ECHO_TIMEOUT = 10.0
PAUSE = 1.0
"""Seconds before another attempt after one that failed; a close is followed by an attempt at once."""


class Sockets:
    """``clients`` WebSockets, reopened until they are told to stop."""

    def __init__(
        self, way: Way, target: Target | None, *, clients: int, echo_every: float, clock: Callable[[], float]
    ) -> None:
        self._way = way
        self._target = target
        self._clients = clients
        self._echo_every = echo_every
        self._clock = clock
        self._stopping = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._open = 0
        self.sessions: list[Session] = []

    @property
    def all_open(self) -> bool:
        return self._open == (self._clients if self._target else 0)

    def start(self) -> None:
        if self._target:
            held = [self._hold(self._target, number) for number in range(self._clients)]
            self._tasks = [asyncio.create_task(hold) for hold in held]

    async def stop(self) -> None:
        self._stopping.set()
        await asyncio.gather(*self._tasks)

    async def _hold(self, target: Target, client: int) -> None:
        while not self._stopping.is_set():
            session = await self._session(target, client)
            self.sessions.append(session)
            if session.error:
                await self._wait(PAUSE)

    async def _session(self, target: Target, client: int) -> Session:
        asked = self._clock()
        try:
            socket = await connect(
                f"wss://{target.host}{target.path}",
                ssl=self._way.tls,
                host=self._way.address,
                port=self._way.port,
                proxy=None,
                open_timeout=CONNECT_TIMEOUT,
                ping_interval=None,
                close_timeout=2,
            )
        except (OSError, WebSocketException) as error:
            return Session(client, asked, None, self._clock(), "", 0, None, "", _refusal(error))
        opened = self._clock()
        self._open += 1
        try:
            return await self._talk(socket, client, asked, opened)
        finally:
            self._open -= 1

    async def _talk(self, socket: ClientConnection, client: int, asked: float, opened: float) -> Session:
        version, echoes, error = "", 0, ""
        try:
            async with asyncio.timeout(ECHO_TIMEOUT):
                version = str(await socket.recv())
            while not await self._closed_or_waited(socket):
                async with asyncio.timeout(ECHO_TIMEOUT):
                    said = f"{client}-{echoes}"
                    await socket.send(said)
                    if await socket.recv() != said:
                        error = observations.NO_ECHO
                        break
                    echoes += 1
        except TimeoutError:
            error = observations.NO_ECHO
        except ConnectionClosed:
            pass
        by_us = socket.close_code is None
        await socket.close()
        return Session(
            client=client,
            asked=asked,
            opened=opened,
            ended=self._clock(),
            version=version,
            echoes=echoes,
            close_code=observations.CLOSED_BY_US if by_us else socket.close_code,
            close_reason="" if by_us else (socket.close_reason or ""),
            error=error,
        )

    async def _closed_or_waited(self, socket: ClientConnection) -> bool:
        """Wait until the next echo is due; return whether there is to be none."""
        closing = asyncio.ensure_future(socket.wait_closed())
        stopping = asyncio.ensure_future(self._stopping.wait())
        done, pending = await asyncio.wait(
            {closing, stopping}, timeout=self._echo_every, return_when=asyncio.FIRST_COMPLETED
        )
        for task in pending:
            task.cancel()
        return bool(done)

    async def _wait(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            return


def _refusal(error: Exception) -> str:
    if isinstance(error, InvalidStatus):
        return f"status {error.response.status_code}"
    return f"{observations.NOT_CONNECTED}: {type(error).__name__}"
