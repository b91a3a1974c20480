"""The whole load against a small server with TLS, on this machine."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.load import generator, observations
from tests.load.bed import Edge
from tests.load.generator import Generator, NotServing
from tests.load.mix import Kind, Mix, schedule
from tests.load.observations import Request
from tests.load.tls_server import certificate

RATES = {Kind.FRESH: 20.0, Kind.KEEP_ALIVE: 60.0, Kind.POST: 20.0, Kind.SLOW: 10.0}


class Server:
    """Answers like the sample application; a test can make it pause, refuse, or close what is idle."""

    def __init__(self) -> None:
        self.connections: list[asyncio.StreamWriter] = []
        self.pets: list[str] = []
        self.delay = 0.0
        self.status = 200
        self.slow_seconds = 0.3

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections.append(writer)
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                path = head.split(b" ", 2)[1].decode()
                length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0] or 0)
                body = await self._body(path, await reader.readexactly(length))
                closing = b"\r\nconnection: close" in head.lower()
                writer.write(
                    f"HTTP/1.1 {self.status} X\r\nContent-Length: {len(body)}\r\nX-App-Version: 1.0.0\r\n"
                    f"Connection: {'close' if closing else 'keep-alive'}\r\n\r\n{body}".encode()
                )
                if closing:
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        writer.close()

    async def _body(self, path: str, sent: bytes) -> str:
        await asyncio.sleep(self.slow_seconds if "slow" in path else self.delay)
        if sent:
            self.pets.append(json.loads(sent)["request_id"])
            return json.dumps({"id": len(self.pets)})
        return "1.0.0"

    def close_all(self) -> None:
        for writer in self.connections:
            writer.transport.abort()


@asynccontextmanager
async def serving(directory: Path) -> AsyncIterator[tuple[Server, Edge]]:
    ca, tls = certificate(directory)
    server = Server()
    listener = await asyncio.start_server(server.serve, "127.0.0.1", 0, ssl=tls)
    yield server, Edge("127.0.0.1", ca, listener.sockets[0].getsockname()[1])
    listener.close()


Meanwhile = Callable[[Server], Coroutine[None, None, None]]


def load(directory: Path, meanwhile: Meanwhile, *, round_trip: float = 0.0) -> tuple[Generator, Server]:
    """Put a small load on the server for as long as ``meanwhile`` runs."""

    async def scenario() -> tuple[Generator, Server]:
        async with serving(directory) as (server, edge):
            clients = Generator(edge, Mix(rates=RATES, websockets=0), round_trip=round_trip)
            await clients.warm_up()
            stop, started = asyncio.Event(), asyncio.Event()
            sending = asyncio.create_task(clients.send(stop, started.set))
            await started.wait()
            await meanwhile(server)
            stop.set()
            await sending
            return clients, server

    return asyncio.run(scenario())


async def wait(_server: Server) -> None:
    await asyncio.sleep(0.8)


@pytest.fixture(autouse=True)
def small_load(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few connections, so that they are used again soon; and no long beginning."""
    monkeypatch.setattr(generator, "CONNECTIONS", 2)
    monkeypatch.setattr(generator, "FULL_AFTER", 0.2)


def errors(requests: list[Request]) -> Counter[str]:
    return Counter(request.error for request in requests if request.error)


def test_every_kind_is_sent_answered_and_recorded(tmp_path: Path) -> None:
    sent, server = load(tmp_path, wait)
    assert not errors(sent.requests)
    counts = Counter(request.kind for request in sent.requests)
    assert set(counts) == set(RATES)
    assert {request.version for request in sent.requests} == {"1.0.0"}
    posts = [name for name in server.pets if name.startswith(sent.prefix)]
    assert len(posts) == len(set(posts)) == counts[Kind.POST]
    assert set(sent.acknowledged) == set(posts)
    assert not sent.unanswered


def test_kept_connections_are_used_again_and_fresh_ones_are_not(tmp_path: Path) -> None:
    sent, server = load(tmp_path, wait)
    counts = Counter(request.kind for request in sent.requests)
    alone = counts[Kind.FRESH] + counts[Kind.SLOW]
    assert alone < len(server.connections) < alone + (counts[Kind.KEEP_ALIVE] + counts[Kind.POST]) / 2


def test_sending_goes_on_while_nothing_is_answered(tmp_path: Path) -> None:
    async def freeze(server: Server) -> None:
        server.delay = 1.0
        await asyncio.sleep(0.7)
        server.delay = 0.0

    sent, _ = load(tmp_path, freeze)
    due = sorted(request.scheduled for request in sent.requests)
    assert due == [slot.at for slot in itertools.islice(schedule(Mix(rates=RATES)), len(due))]
    assert max(request.ended - request.sent for request in sent.requests) >= 1
    assert max(request.sent - request.scheduled for request in sent.requests) < 1


def test_what_fails_is_recorded_with_its_status(tmp_path: Path) -> None:
    async def fail(server: Server) -> None:
        server.status = 502
        await asyncio.sleep(0.3)
        server.status = 200
        await asyncio.sleep(0.3)

    sent, _ = load(tmp_path, fail)
    assert set(errors(sent.requests)) == {"status 502"}
    # The version that failed, where the answer tells; that of the frontend is in the body of a good one.
    failed = {(request.service, request.version) for request in sent.requests if request.error}
    assert failed == {("backend", "1.0.0"), ("mobile-backend", "1.0.0"), ("customer-portal", "1.0.0"), ("frontend", "")}
    assert sent.unanswered
    assert not sent.unanswered & set(sent.acknowledged)


def test_idle_connections_closed_from_afar_are_races(tmp_path: Path) -> None:
    async def close_idle_ones(server: Server) -> None:
        server.close_all()
        await asyncio.sleep(0.5)

    sent, _ = load(tmp_path, close_idle_ones, round_trip=0.1)
    found = errors(sent.requests)
    assert found[observations.KEEP_ALIVE_RACE] > 0
    assert sent.requests[-1].ok


def test_a_server_that_refuses_is_not_loaded(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with serving(tmp_path) as (server, edge):
            server.status = 503
            clients = Generator(edge, Mix(websockets=0), round_trip=0.0)
            with pytest.raises(NotServing, match="answers 503"):
                await clients.warm_up()

    asyncio.run(scenario())
