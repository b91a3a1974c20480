"""WebSockets: echo, and an orderly end when the process stops."""

from __future__ import annotations

import asyncio

from aiohttp import WSCloseCode, WSMsgType, web

# Shorter than proxies wait for an idle connection (nginx: 60 s).
HEARTBEAT = 25.0
CLOSE_TIMEOUT = 5.0


class Sockets:
    def __init__(self) -> None:
        self._open: set[web.WebSocketResponse] = set()
        self._closing = False

    @property
    def count(self) -> int:
        return len(self._open)

    async def echo(self, request: web.Request, version: str) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(heartbeat=HEARTBEAT, timeout=CLOSE_TIMEOUT)
        await socket.prepare(request)
        self._open.add(socket)
        try:
            if self._closing:
                await self._restart(socket)
            if request.query.get("hello") == "1":
                await socket.send_str(version)
            async for message in socket:
                if message.type == WSMsgType.TEXT:
                    await socket.send_str(message.data)
                elif message.type == WSMsgType.BINARY:
                    await socket.send_bytes(message.data)
            if self._closing:
                # `close` wakes this loop before it sends its code; returning would send 1000 first.
                await self._restart(socket)
        except ConnectionResetError:
            # The client went away between its message and our answer.
            pass
        finally:
            self._open.discard(socket)
        return socket

    async def close(self) -> None:
        """1012, service restart: the client is told to come back at once."""
        self._closing = True
        await asyncio.gather(*(self._restart(socket) for socket in tuple(self._open)))

    @staticmethod
    async def _restart(socket: web.WebSocketResponse) -> None:
        await socket.close(code=WSCloseCode.SERVICE_RESTART, message=b"service restart")
