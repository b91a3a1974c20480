"""PostgreSQL: one connection pool, the migrations, and the pets."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Any

import asyncpg

from sample import health, migrations
from sample.config import DatabaseConfig
from sample.pets import NewPet

log = logging.getLogger(__name__)

TIMEOUT = 5.0
# What a database that is down, starting, or refusing us raises.
ERRORS = (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, asyncio.TimeoutError)


class MigrationFault(Exception):
    """The failure switch: the transaction is rolled back as by any other error."""


class Database:
    def __init__(self, config: DatabaseConfig, pool: asyncpg.Pool) -> None:
        self._config = config
        self._pool = pool
        self.schema_ready = False

    @classmethod
    async def open(cls, config: DatabaseConfig) -> Database:
        """Connects on first use: while the database is down, the application runs and says that it is unhealthy."""
        pool = await asyncpg.create_pool(
            **connect_arguments(config),
            min_size=0,
            max_size=config.pool_size,
            timeout=TIMEOUT,
            command_timeout=TIMEOUT,
        )
        return cls(config, pool)

    async def close(self) -> None:
        try:
            await asyncio.wait_for(self._pool.close(), TIMEOUT)
        except asyncio.TimeoutError:
            self._pool.terminate()

    async def state(self) -> str:
        try:
            await self._ping()
        except ERRORS:
            return health.DISCONNECTED
        return health.CONNECTED

    async def _ping(self) -> None:
        async with self._pool.acquire(timeout=TIMEOUT) as connection:
            await connection.fetchval("SELECT 1")

    async def wait(self) -> None:
        """Until the database answers; the last error is raised when it did not within DB_WAIT seconds."""
        deadline = time.monotonic() + self._config.wait
        while True:
            try:
                await self._ping()
            except ERRORS as error:
                if time.monotonic() >= deadline:
                    raise
                log.info("the database does not answer yet: %s", describe(error))
                await asyncio.sleep(1)
            else:
                return

    async def migrate(self, fail: bool = False) -> list[int]:
        """Applies what is missing, in one transaction, and returns the numbers of the steps."""
        async with self._pool.acquire(timeout=TIMEOUT) as connection, connection.transaction():
            await connection.execute("SELECT pg_advisory_xact_lock($1)", migrations.LOCK, timeout=60)
            await connection.execute("CREATE TABLE IF NOT EXISTS sample_migrations (number integer PRIMARY KEY)")
            applied = {row["number"] for row in await connection.fetch("SELECT number FROM sample_migrations")}
            steps = migrations.pending(applied)
            for number, statement in steps:
                await connection.execute(statement, timeout=600)
                await connection.execute("INSERT INTO sample_migrations VALUES ($1)", number)
            if fail:
                raise MigrationFault("the migration was told to fail; nothing was applied")
        self.schema_ready = True
        return [number for number, _ in steps]

    async def prepare_schema(self, migrate: bool) -> None:
        """In the background of a running server: until the schema is there, /health is 503."""
        while not self.schema_ready:
            try:
                if migrate:
                    log.info("schema ready, applied now: %s", await self.migrate() or "nothing")
                else:
                    self.schema_ready = await self._migrated()
            except ERRORS as error:
                log.warning("the schema is not ready: %s", describe(error))
            if not self.schema_ready:
                await asyncio.sleep(1)

    async def _migrated(self) -> bool:
        head = await self._pool.fetchval("SELECT max(number) FROM sample_migrations", timeout=TIMEOUT)
        return (head or 0) >= migrations.HEAD

    async def create_pet(self, pet: NewPet, version: str) -> tuple[int, bool]:
        """The row's id, and whether this request made it: a request id that is known returns its first row."""
        async with self._pool.acquire(timeout=TIMEOUT) as connection:
            made = await connection.fetchval(
                "INSERT INTO pets (name, species, request_id, created_by_version) VALUES ($1, $2, $3, $4)"
                " ON CONFLICT (request_id) DO NOTHING RETURNING id",
                pet.name,
                pet.species,
                pet.request_id,
                version,
            )
            if made is not None:
                return int(made), True
            known = await connection.fetchval("SELECT id FROM pets WHERE request_id = $1", pet.request_id)
            return int(known), False

    async def pet(self, number: int) -> dict[str, Any] | None:
        async with self._pool.acquire(timeout=TIMEOUT) as connection:
            row = await connection.fetchrow("SELECT * FROM pets WHERE id = $1", number)
        return None if row is None else as_json(row)

    async def pets(self, after: int, limit: int) -> list[dict[str, Any]]:
        async with self._pool.acquire(timeout=TIMEOUT) as connection:
            rows = await connection.fetch("SELECT * FROM pets WHERE id > $1 ORDER BY id LIMIT $2", after, limit)
        return [as_json(row) for row in rows]

    async def count(self, request_prefix: str) -> int:
        async with self._pool.acquire(timeout=TIMEOUT) as connection:
            return int(
                await connection.fetchval("SELECT count(*) FROM pets WHERE starts_with(request_id, $1)", request_prefix)
            )


def connect_arguments(config: DatabaseConfig) -> dict[str, Any]:
    if config.url:
        return {"dsn": config.url, **({"password": config.password} if config.password else {})}
    return {
        "host": config.host,
        "port": config.port,
        "user": config.user,
        "database": config.name,
        "password": config.password or None,
    }


def as_json(row: asyncpg.Record) -> dict[str, Any]:
    return {**row, "created_at": row["created_at"].isoformat()}


def describe(error: BaseException) -> str:
    """Time-outs have no text of their own."""
    return f"{type(error).__name__}: {error}".rstrip(": ")
