"""`sample work`: takes items out of a queue in Redis, one at a time, and records each in MongoDB.

At least once: an item counts as taken until it is recorded, and what a dead worker had taken is given back at the next
start. SIGTERM ends it after the item in hand.
"""

from __future__ import annotations

import asyncio
import json
import logging
import signal
import time
from pathlib import Path
from typing import Any

from sample import cache, documents
from sample.cache import Cache
from sample.config import Config
from sample.documents import Documents
from sample.environment import ConfigError

log = logging.getLogger(__name__)

ALIVE = Path("/tmp/sample-worker-alive")  # the container's own
STALE = 30.0
ERRORS = (*cache.ERRORS, *documents.ERRORS)


async def work(config: Config) -> int:
    if config.redis is None or config.mongo is None:
        raise ConfigError("a worker needs REDIS_HOST and MONGO_HOST")
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    worker = Worker(config, Cache(config.redis), Documents(config.mongo))
    try:
        await worker.run(stopping)
    finally:
        await worker.close()
    log.info("stopped")
    return 0


class Worker:
    def __init__(self, config: Config, queue: Cache, store: Documents) -> None:
        self._config = config
        self._queue = queue
        self._store = store
        self._given_back = False

    async def close(self) -> None:
        await self._queue.close()
        await self._store.close()

    async def run(self, stopping: asyncio.Event) -> None:
        log.info("%s %s works on the queue %s", self._config.service, self._config.version, self._config.queue)
        while not stopping.is_set():
            try:
                await self._step()
            except ERRORS as error:
                log.warning("waiting: %s: %s", type(error).__name__, error)
                # What was in hand is still taken.
                self._given_back = False
                await asyncio.sleep(1)
            else:
                ALIVE.touch()

    async def _step(self) -> None:
        if not self._given_back:
            count = await self._queue.give_back(self._config.queue)
            self._given_back = True
            if count:
                log.info("gave back %d items that nobody finished", count)
        item = await self._queue.take(self._config.queue)
        if item is None:
            return
        number, seconds = parse(item)
        if number:
            await asyncio.sleep(seconds)
            await self._store.record_work(number, self._config.version)
        else:
            log.error("an item is not understood and is dropped: %r", item[:200])
        await self._queue.done(self._config.queue, item)


def parse(item: bytes) -> tuple[str, float]:
    """The id and the seconds that it takes; no id for what is not understood."""
    try:
        content: Any = json.loads(item)
        return str(content["id"]), min(30.0, max(0.0, float(content.get("seconds", 0))))
    except (ValueError, KeyError, TypeError, AttributeError):
        return "", 0.0


def failure() -> str:
    """Why the worker of this container is not healthy; empty when it is."""
    try:
        age = time.time() - ALIVE.stat().st_mtime
    except FileNotFoundError:
        return "it has not reached its stores yet"
    return "" if age < STALE else f"it has finished nothing for {age:.0f} s"
