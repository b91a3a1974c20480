"""Kept connections to one host, as a browser or another service keeps them."""

from __future__ import annotations

from collections import deque

from tests.load.connection import Connection, Way

LONGEST_IDLE = 45.0
"""Seconds; nginx closes idle connections after 75, and a client should be the first."""


class Pool:
    """Connections, used in turn, so that each is idle for as long as possible between two requests."""

    def __init__(self, way: Way, host: str, size: int) -> None:
        self._way = way
        self._host = host
        self._size = size
        self._idle: deque[Connection] = deque()
        self._busy = 0

    async def take(self, now: float) -> Connection:
        """Return a connection for one request: a new one as long as there are fewer than wanted, or none is idle."""
        self._drop_dead(now)
        self._busy += 1
        if self._idle and self._busy + len(self._idle) > self._size:
            return self._idle.popleft()
        try:
            return await Connection.open(self._way, self._host)
        except BaseException:
            self._busy -= 1
            raise

    def give_back(self, connection: Connection) -> None:
        self._busy -= 1
        if connection.usable:
            self._idle.append(connection)

    def close(self) -> None:
        while self._idle:
            self._idle.pop().close()

    def _drop_dead(self, now: float) -> None:
        alive: deque[Connection] = deque()
        for connection in self._idle:
            if connection.usable and now - connection.idle_since < LONGEST_IDLE:
                alive.append(connection)
            elif connection.usable:
                connection.close()
        self._idle = alive
