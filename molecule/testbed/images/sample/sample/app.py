"""The application: the routes, wrapped in what every request goes through."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable

from aiohttp import web

from sample import cache, consul, database, documents
from sample.broker import BrokerError
from sample.chaos import Chaos
from sample.config import Config
from sample.handlers import Handlers, problem

log = logging.getLogger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
UNAVAILABLE = (*database.ERRORS, *cache.ERRORS, *consul.ERRORS, *documents.ERRORS, BrokerError)


class InFlight:
    """Counts the requests that are being answered, so that a stop can wait for them."""

    def __init__(self) -> None:
        self.count = 0
        self._idle = asyncio.Event()
        self._idle.set()

    def __enter__(self) -> None:
        self.count += 1
        self._idle.clear()

    def __exit__(self, *_: object) -> None:
        self.count -= 1
        if not self.count:
            self._idle.set()

    async def wait_until_idle(self) -> None:
        await self._idle.wait()


def build(
    handlers: Handlers, chaos: Chaos, in_flight: InFlight, stopping: asyncio.Event, config: Config
) -> web.Application:
    @web.middleware
    async def count(request: web.Request, handler: Handler) -> web.StreamResponse:
        # A WebSocket is not waited for: it is closed, see `sockets.py`.
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await handler(request)
        with in_flight:
            return await handler(request)

    @web.middleware
    async def fail(request: web.Request, handler: Handler) -> web.StreamResponse:
        # The switches themselves stay usable, or nobody could throw them back.
        if request.path.endswith("/faults"):
            return await handler(request)
        seconds = chaos.faults.seconds_added(request.path)
        if seconds:
            await asyncio.sleep(seconds)
        roll = random.random()  # noqa: S311  # a share of failures, not a secret
        if chaos.faults.fails(request.path, roll):
            return web.json_response({"error": "told to fail"}, status=500)
        return await handler(request)

    @web.middleware
    async def dependencies(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except UNAVAILABLE as error:
            # Without the traceback: an outage would fill the disk with the same one.
            log.warning("%s %s: %s", request.method, request.path, database.describe(error))
            raise problem(web.HTTPServiceUnavailable, type(error).__name__) from error

    @web.middleware
    async def trust(request: web.Request, handler: Handler) -> web.StreamResponse:
        if config.allowed_hosts and request.url.host not in config.allowed_hosts:
            raise problem(web.HTTPBadRequest, "this host name is not served here")
        return await handler(request)

    async def headers(request: web.Request, response: web.StreamResponse) -> None:
        response.headers["X-App-Version"] = handlers.version
        origin = request.headers.get("Origin", "")
        if origin in config.cors_origins:
            response.headers["Access-Control-Allow-Origin"] = origin
            response.headers["Vary"] = "Origin"
        if stopping.is_set():
            # The header as well: at this point aiohttp has already decided on it.
            response.headers["Connection"] = "close"
            response.force_close()

    app = web.Application(middlewares=[count, trust, fail, dependencies])
    app.add_routes(handlers.routes())
    app.on_response_prepare.append(headers)
    return app
