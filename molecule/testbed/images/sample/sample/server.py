"""The life of the process: wait, listen, stop in order."""

from __future__ import annotations

import asyncio
import logging
import signal
from contextlib import AsyncExitStack

from aiohttp import web

from sample.app import InFlight, build
from sample.broker import Broker
from sample.cache import Cache
from sample.chaos import Chaos
from sample.config import Config
from sample.consul import Consul
from sample.database import Database
from sample.documents import Documents
from sample.environment import ConfigError
from sample.faults import Faults
from sample.handlers import Handlers
from sample.logs import ACCESS

log = logging.getLogger(__name__)

# What is left of requests after the drain gets this long before it is cut.
CUT_AFTER = 1.0


async def serve(config: Config, faults: Faults, faults_after: float) -> int:
    stopping = asyncio.Event()
    chaos = Chaos()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, _stop, stopping, chaos)
    # Before the delay, so that a process can also be told to die while it starts.
    chaos.start(faults, faults_after)
    if config.start_delay:
        log.info("starting: not listening for %g s", config.start_delay)
        if await _within(stopping, config.start_delay):
            return 0
    async with AsyncExitStack() as stack:
        await _run(config, chaos, stopping, stack)
    log.info("stopped")
    return 0


async def _run(config: Config, chaos: Chaos, stopping: asyncio.Event, stack: AsyncExitStack) -> None:
    database = cache = broker = consul = None
    if config.database:
        database = await Database.open(config.database)
        stack.push_async_callback(database.close)
    if config.redis:
        cache = Cache(config.redis)
        stack.push_async_callback(cache.close)
    documents = None
    if config.mongo:
        documents = Documents(config.mongo)
        stack.push_async_callback(documents.close)
    if config.mqtt:
        broker = Broker(config.mqtt)
        stack.push_async_callback(broker.close)

    if config.consul:
        consul = Consul(config.consul, config.service, config.version, config.ports[0])
        stack.push_async_callback(consul.close)

    handlers = Handlers(config, chaos, database, cache, broker, consul=consul, documents=documents)
    in_flight = InFlight()
    runner = web.AppRunner(
        build(handlers, chaos, in_flight, stopping, config),
        keepalive_timeout=config.keepalive_timeout,
        access_log=logging.getLogger(ACCESS) if config.access_log else None,
        access_log_format='%a "%r" %s %b %Tf',
    )
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    listeners = [await _listen(runner, config.host, port) for port in config.ports]
    if database:
        preparing = asyncio.create_task(database.prepare_schema(config.migrate_on_start))
        stack.push_async_callback(_end, preparing)
    log.info("%s %s listens on %s", config.service, config.version, ", ".join(map(str, config.ports)))

    if consul:
        consul.start()

    await stopping.wait()
    if consul:
        # First, so that nobody is sent here any more.
        await consul.leave()
    # Our own listeners instead of aiohttp's sites: stopping a site also ends its connections, and
    # cancels the request bodies that are still arriving.
    for listener in listeners:
        listener.close()
    log.info("stopping: %d requests and %d WebSockets to finish", in_flight.count, handlers.sockets.count)
    await handlers.sockets.close()
    try:
        await asyncio.wait_for(in_flight.wait_until_idle(), config.drain_timeout)
    except asyncio.TimeoutError:
        log.warning("cutting %d requests: not finished within %g s", in_flight.count, config.drain_timeout)
    if runner.server is not None:
        await runner.server.shutdown(CUT_AFTER)


async def _listen(runner: web.AppRunner, host: str, port: int) -> asyncio.AbstractServer:
    assert runner.server is not None
    try:
        return await asyncio.get_running_loop().create_server(runner.server, host, port, backlog=512)
    except OSError as error:
        raise ConfigError(f"cannot listen on {host} port {port}: {error.strerror}") from error


async def _end(task: asyncio.Task[None]) -> None:
    """Waited for, so that it has let go of its connection before the pool closes."""
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def _stop(stopping: asyncio.Event, chaos: Chaos) -> None:
    if chaos.faults.ignore_sigterm:
        log.warning("ignoring the signal, as told")
        return
    stopping.set()


async def _within(event: asyncio.Event, seconds: float) -> bool:
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except asyncio.TimeoutError:
        return False
    return True
