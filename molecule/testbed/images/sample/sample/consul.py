"""Consul: this instance is registered there, its configuration comes from there, and others are found there."""

from __future__ import annotations

import asyncio
import logging
import random
import socket
import time
from typing import Any
from urllib.parse import quote, urlsplit

import aiohttp

from sample import registration
from sample.config import ConsulConfig

log = logging.getLogger(__name__)

ERRORS = (aiohttp.ClientError, asyncio.TimeoutError)
TIMEOUT = 2.0
# Consul may have forgotten us: it was replaced, or we were not healthy for a minute.
LOOK_AGAIN = 5.0
WAIT = 30


class Consul:
    def __init__(self, config: ConsulConfig, service: str, version: str, port: int) -> None:
        self._config = config
        self._service = service
        self._version = version
        self._port = port
        self._container = socket.gethostname()
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TIMEOUT))
        self._tasks: list[asyncio.Task[None]] = []
        self.configuration: str | None = None
        """The value of the watched key; None while there is none."""

    def start(self) -> None:
        """Begin to be found; called when requests can be answered."""
        self._tasks = [asyncio.create_task(self._stay_registered()), asyncio.create_task(self._watch())]

    async def discover(self, name: str) -> tuple[list[registration.Instance], float]:
        """Return the healthy instances of a service, in no order, and how many milliseconds it took to learn them."""
        began = time.perf_counter()
        async with self._session.get(f"{self._config.url}/v1/health/service/{quote(name)}?passing=true") as answer:
            answer.raise_for_status()
            found = registration.instances(await answer.json())
        milliseconds = (time.perf_counter() - began) * 1000
        random.shuffle(found)
        return found, milliseconds

    async def leave(self) -> None:
        """Be found no more; called before requests are refused."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        own = registration.identifier(self._service, self._container)
        try:
            async with self._session.put(f"{self._config.url}/v1/agent/service/deregister/{quote(own)}") as answer:
                answer.raise_for_status()
            log.info("deregistered from Consul")
        except (*ERRORS, OSError) as error:
            log.warning("cannot deregister from Consul: %s", error or type(error).__name__)

    async def close(self) -> None:
        await self._session.close()

    async def _stay_registered(self) -> None:
        own = registration.identifier(self._service, self._container)
        trouble = ""
        while True:
            try:
                async with self._session.get(f"{self._config.url}/v1/agent/service/{quote(own)}") as answer:
                    known = answer.status == 200
                if not known:
                    await self._register()
                trouble = ""
            except (*ERRORS, OSError) as error:
                said = str(error) or type(error).__name__
                # Once for each trouble: an outage would fill the disk with the same line.
                if said != trouble:
                    log.warning("cannot register with Consul: %s", said)
                trouble = said
            await asyncio.sleep(LOOK_AGAIN)

    async def _register(self) -> None:
        address = await asyncio.to_thread(self._own_address)
        document = registration.service(self._service, self._container, self._version, address, self._port)
        async with self._session.put(f"{self._config.url}/v1/agent/service/register", json=document) as answer:
            answer.raise_for_status()
        log.info("registered with Consul as %s at %s", document["ID"], address)

    def _own_address(self) -> str:
        """Of several networks the one in which Consul is: there it can ask for our health. Nothing is sent."""
        parts = urlsplit(self._config.url)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect((parts.hostname or "", parts.port or 80))
            return str(probe.getsockname()[0])

    async def _watch(self) -> None:
        index = 0
        while True:
            try:
                index = await self._next_value(index)
            except (*ERRORS, OSError, ValueError):
                # The last value stays: an application keeps its configuration while Consul is away.
                await asyncio.sleep(LOOK_AGAIN)

    async def _next_value(self, index: int) -> int:
        """Wait for another value than that of ``index``; Consul answers at once when there is one."""
        url = f"{self._config.url}/v1/kv/{quote(self._config.key)}?index={index}&wait={WAIT}s"
        # It adds up to a sixteenth to the wait.
        async with self._session.get(url, timeout=aiohttp.ClientTimeout(total=WAIT + WAIT / 8 + TIMEOUT)) as answer:
            if answer.status not in (200, 404):
                answer.raise_for_status()
            entries: Any = await answer.json() if answer.status == 200 else None
            self.configuration = registration.value(entries)
            return registration.next_index(index, answer.headers.get("X-Consul-Index", ""))
