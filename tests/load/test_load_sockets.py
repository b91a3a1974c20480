"""WebSocket clients against a small server on this machine."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from websockets.asyncio.server import ServerConnection, serve

from tests.load import observations, sockets
from tests.load.connection import Way
from tests.load.observations import Session
from tests.load.sockets import Sockets
from tests.load.systems import PETCARE
from tests.load.tls_server import certificate


async def echo(socket: ServerConnection) -> None:
    await socket.send("1.0.0")
    async for said in socket:
        await socket.send(said)


async def mumble(socket: ServerConnection) -> None:
    await socket.send("1.0.0")
    async for _ in socket:
        await socket.send("what?")


Handler = Callable[[ServerConnection], Awaitable[None]]


async def all_open(clients: Sockets) -> None:
    async with asyncio.timeout(5):
        while not clients.all_open:
            await asyncio.sleep(0.01)


def hold(directory: Path, handler: Handler, *, restart: bool = False) -> list[Session]:
    """Hold two WebSockets, and restart the server meanwhile when told so."""

    async def scenario() -> list[Session]:
        ca, tls = certificate(directory)
        server = await serve(handler, "127.0.0.1", 0, ssl=tls)
        port = server.sockets[0].getsockname()[1]
        way = Way("127.0.0.1", port, ssl.create_default_context(cadata=ca), 0.0)
        clients = Sockets(way, PETCARE.socket, clients=2, echo_every=0.02, clock=asyncio.get_running_loop().time)
        clients.start()
        await all_open(clients)
        await asyncio.sleep(0.2)
        if restart:
            server.close(code=1012, reason="service restart")
            await server.wait_closed()
            await asyncio.sleep(0.1)
            server = await serve(handler, "127.0.0.1", port, ssl=tls)
            await all_open(clients)
        await clients.stop()
        server.close()
        return clients.sessions

    return asyncio.run(scenario())


@pytest.fixture(autouse=True)
def short_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "PAUSE", 0.02)


def test_a_websocket_is_held_open_until_the_end(tmp_path: Path) -> None:
    sessions = hold(tmp_path, echo)
    assert sorted(session.client for session in sessions) == [0, 1]
    for session in sessions:
        assert (session.version, session.close_code, session.error) == ("1.0.0", observations.CLOSED_BY_US, "")
        assert session.echoes > 1


def test_a_close_is_recorded_with_its_code_and_the_client_comes_back(tmp_path: Path) -> None:
    sessions = hold(tmp_path, echo, restart=True)
    for client in (0, 1):
        first, *refused, last = [session for session in sessions if session.client == client]
        assert (first.close_code, first.close_reason, first.error) == (1012, "service restart", "")
        assert last.close_code == observations.CLOSED_BY_US
        assert all(session.opened is None and session.close_code is None for session in refused)
        assert {session.error for session in refused} <= {"not connected: ConnectionRefusedError"}


def test_a_wrong_echo_is_an_error(tmp_path: Path) -> None:
    sessions = hold(tmp_path, mumble)
    assert next(session.error for session in sessions if session.client == 0) == observations.NO_ECHO
