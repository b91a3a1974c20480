"""WebSockets: echo, and an orderly end when the container stops."""

from __future__ import annotations

import asyncio
import contextlib

from fastapi import WebSocket
from starlette.websockets import WebSocketDisconnect

SERVICE_RESTART = 1012


class Sockets:
    def __init__(self) -> None:
        self._open: set[WebSocket] = set()

    async def echo(self, socket: WebSocket, version: str) -> None:
        await socket.accept()
        self._open.add(socket)
        # Either end may close at any moment.
        with contextlib.suppress(WebSocketDisconnect, RuntimeError):
            if socket.query_params.get("hello") == "1":
                await socket.send_text(version)
            await self._answer(socket)
        self._open.discard(socket)

    async def close(self) -> int:
        """1012, service restart: the client is told to come back at once."""
        found = tuple(self._open)
        self._open.clear()
        await asyncio.gather(*(self._restart(socket) for socket in found))
        return len(found)

    @staticmethod
    async def _answer(socket: WebSocket) -> None:
        while (message := await socket.receive())["type"] == "websocket.receive":
            if message.get("text") is not None:
                await socket.send_text(message["text"])
            else:
                await socket.send_bytes(message["bytes"])

    @staticmethod
    async def _restart(socket: WebSocket) -> None:
        with contextlib.suppress(WebSocketDisconnect, RuntimeError):
            await socket.close(SERVICE_RESTART, "service restart")
