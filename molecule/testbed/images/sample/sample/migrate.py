"""`sample migrate`: applies the schema and ends."""

from __future__ import annotations

import asyncio
import signal

from sample import documents
from sample.config import Config, MongoConfig
from sample.database import ERRORS, Database, MigrationFault, describe
from sample.environment import ConfigError


class MigrationError(Exception):
    """The schema was not brought up to date; nothing of this run was applied."""


async def migrate(config: Config, fail: bool) -> list[int]:
    if config.database is None and config.mongo is not None:
        return await _prepare_documents(config.mongo, fail)
    if config.database is None:
        raise ConfigError("no database is configured: set DB_HOST, DATABASE_URL or MONGO_HOST")
    # The first process of a container ignores SIGTERM unless it has a handler.
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    database = await Database.open(config.database)
    try:
        await database.wait()
        return await database.migrate(fail)
    except (*ERRORS, MigrationFault) as error:
        raise MigrationError(describe(error)) from error
    finally:
        await database.close()


async def _prepare_documents(config: MongoConfig, fail: bool) -> list[int]:
    store = documents.Documents(config)
    try:
        if fail:
            raise MigrationError("the migration was told to fail; nothing was applied")
        return await store.prepare()
    except documents.ERRORS as error:
        raise MigrationError(describe(error)) from error
    finally:
        await store.close()
