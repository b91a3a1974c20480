"""Redis: keys and values as the client sent them."""

from __future__ import annotations

from redis.asyncio import Redis
from redis.exceptions import RedisError

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

    async def close(self) -> None:
        await self._redis.close()
