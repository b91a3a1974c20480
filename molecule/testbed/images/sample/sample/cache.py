"""Redis: keys and values as the client sent them."""

from __future__ import annotations

from redis.asyncio import Redis
from redis.exceptions import RedisError

from sample import health
from sample.config import RedisConfig

ERRORS = (RedisError, OSError)


class Cache:
    def __init__(self, config: RedisConfig) -> None:
        self._redis = Redis(
            host=config.host,
            port=config.port,
            password=config.password or None,
            socket_timeout=5,
            socket_connect_timeout=5,
        )

    async def get(self, key: str) -> bytes | None:
        value: bytes | None = await self._redis.get(key)
        return value

    async def put(self, key: str, value: bytes) -> None:
        await self._redis.set(key, value)

    async def state(self) -> str:
        try:
            await self._redis.ping()
        except ERRORS:
            return health.DISCONNECTED
        return health.CONNECTED

    async def push(self, queue: str, item: bytes) -> None:
        await self._redis.lpush(queue, item)

    async def take(self, queue: str) -> bytes | None:
        """The oldest item, or None after a second without one. Until `done` it is kept as taken."""
        item: bytes | None = await self._redis.brpoplpush(queue, taken(queue), timeout=1)
        return item

    async def done(self, queue: str, item: bytes) -> None:
        await self._redis.lrem(taken(queue), 1, item)

    async def give_back(self, queue: str) -> int:
        """What was taken and never done goes back: a worker that died had it. Returns how many items."""
        count = 0
        while await self._redis.rpoplpush(taken(queue), queue) is not None:
            count += 1
        return count

    async def lengths(self, queue: str) -> tuple[int, int]:
        return int(await self._redis.llen(queue)), int(await self._redis.llen(taken(queue)))

    async def close(self) -> None:
        await self._redis.close()


def taken(queue: str) -> str:
    return f"{queue}:taken"
