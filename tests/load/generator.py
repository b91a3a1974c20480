"""Sends what is due when it is due, whatever became of what was sent before."""

from __future__ import annotations

import asyncio
import json
import os
import ssl
from collections.abc import Callable
from dataclasses import replace

from tests.load import http1, observations
from tests.load.bed import Edge
from tests.load.connection import Connection, RequestFailed, Way
from tests.load.http1 import Answer
from tests.load.mix import Kind, Mix, Slot, schedule
from tests.load.observations import Request, Session
from tests.load.pool import Pool
from tests.load.sockets import Sockets
from tests.load.systems import Target

ANSWER_TIMEOUT = 15.0
CONNECTIONS = 20
"""Kept to each host; at the default rate each is idle for about half a second between two requests."""
FULL_AFTER = 1.0
"""Seconds after its begin at which every kind of request is under way."""
_SUCCESS = range(200, 300)


class NotServing(Exception):
    """The host does not answer as it should before any load was put on it."""


class Generator:
    """The clients of one run."""

    def __init__(self, edge: Edge, mix: Mix, *, round_trip: float) -> None:
        self._mix = mix
        self._way = Way(edge.address, edge.port, ssl.create_default_context(cadata=edge.ca), round_trip / 2)
        self._loop = asyncio.get_running_loop()
        self._start = self._loop.time()
        self._pools = {host: Pool(self._way, host, CONNECTIONS) for host in mix.system.hosts}
        self._posts = 0
        self.prefix = f"load-{os.urandom(6).hex()}-"
        """Begins every request_id of this run."""
        self.requests: list[Request] = []
        self.acknowledged: dict[str, int] = {}
        self.unanswered: set[str] = set()
        self._sockets = Sockets(
            self._way,
            mix.system.socket,
            clients=mix.websockets,
            echo_every=mix.echo_every,
            clock=self._loop.time,
        )

    def clock(self) -> float:
        """Seconds since the first request was due."""
        return self._loop.time() - self._start

    @property
    def sessions(self) -> list[Session]:
        """The WebSockets of the run; the first of each client was opened before it, at a negative time."""
        return [
            replace(
                session,
                asked=session.asked - self._start,
                opened=None if session.opened is None else session.opened - self._start,
                ended=session.ended - self._start,
            )
            for session in self._sockets.sessions
        ]

    async def warm_up(self) -> int:
        """See that everything answers, and open the WebSockets; return the id of a first write, below all of ours."""
        for target in self._mix.system.targets:
            answer = await self.ask(target)
            if answer.status not in _SUCCESS or not _version(answer, target):
                raise NotServing(f"https://{target.host}{target.path} answers {answer.status}: {answer.body[:200]!r}")
        first = await self._first_write(self._mix.system.write) if self._mix.system.write else 0
        self._sockets.start()
        while not self._sockets.all_open:
            if self._sockets.sessions:
                raise NotServing(f"a WebSocket cannot be held open: {self._sockets.sessions[-1]}")
            await asyncio.sleep(0.01)
        return first

    async def _first_write(self, write: Target) -> int:
        answer = await self.ask(write, "POST", _pet(f"warm-up-{self.prefix}"))
        first = _pet_id(answer)
        if first is None:
            raise NotServing(f"https://{write.host}{write.path} answers {answer.status}: {answer.body[:200]!r}")
        return first

    async def ask(self, target: Target, method: str = "GET", body: bytes = b"") -> Answer:
        """Send one request outside of the load, on a connection of its own."""
        try:
            connection = await Connection.open(replace(self._way, one_way=0), target.host)
            payload = http1.request(method, target.host, target.path, body=body, close=True)
            return await connection.request(payload, ANSWER_TIMEOUT)
        except RequestFailed as error:
            raise NotServing(f"https://{target.host}{target.path} at {self._way.address}: {error}") from error

    async def send(self, stop: asyncio.Event, started: Callable[[], None]) -> float:
        """Send until told to stop, wait for what is under way, and return how long was sent.

        ``started`` is called when the load is full.
        """
        self._start = self._loop.time()
        self._loop.call_later(FULL_AFTER, started)
        async with asyncio.TaskGroup() as under_way:
            for slot in schedule(self._mix):
                # Even when behind: without this the answers would never be read.
                await asyncio.sleep(max(slot.at - self.clock(), 0))
                if stop.is_set():
                    break
                under_way.create_task(self._carry_out(slot))
            seconds = self.clock()
            await self._sockets.stop()
        for pool in self._pools.values():
            pool.close()
        return seconds

    async def _carry_out(self, slot: Slot) -> None:
        sent = self.clock()
        target = slot.target
        status, version, error = None, "", ""
        request_id = ""
        if slot.kind is Kind.POST:
            self._posts += 1
            request_id = f"{self.prefix}{self._posts}"
            self.unanswered.add(request_id)
        try:
            answer = await self._exchange(slot, request_id)
        except RequestFailed as failure:
            error = str(failure)
        else:
            status, version = answer.status, _version(answer, target)
            error = "" if status in _SUCCESS else f"status {status}"
            if request_id and not error:
                error = self._acknowledge(request_id, answer)
        self.requests.append(Request(slot.kind, target.service, slot.at, sent, self.clock(), status, version, error))

    async def _exchange(self, slot: Slot, request_id: str) -> Answer:
        host, path = slot.target.host, slot.target.path
        if slot.kind in {Kind.FRESH, Kind.SLOW}:
            connection = await Connection.open(self._way, host)
            return await connection.request(http1.request("GET", host, path, close=True), ANSWER_TIMEOUT)
        pool = self._pools[host]
        connection = await pool.take(self._loop.time())
        try:
            if request_id:
                payload = http1.request("POST", host, path, body=_pet(request_id))
            else:
                payload = http1.request("GET", host, path)
            return await connection.request(payload, ANSWER_TIMEOUT)
        finally:
            pool.give_back(connection)

    def _acknowledge(self, request_id: str, answer: Answer) -> str:
        number = _pet_id(answer)
        if number is None:
            return observations.NOT_ACKNOWLEDGED
        self.unanswered.discard(request_id)
        self.acknowledged[request_id] = number
        return ""


def _version(answer: Answer, target: Target) -> str:
    if target.version_in_body:
        return answer.body.decode("latin-1").strip() if answer.status in _SUCCESS else ""
    # Of a failure too: it tells which version it was that failed.
    return answer.headers.get("x-app-version", "")


def _pet(request_id: str) -> bytes:
    return json.dumps({"name": "Load", "species": "test", "request_id": request_id}).encode()


def _pet_id(answer: Answer) -> int | None:
    try:
        number = json.loads(answer.body)["id"]
    except (ValueError, KeyError, TypeError):
        return None
    return number if isinstance(number, int) else None
