"""MongoDB: documents by their id, and what workers have done. The driver blocks, so that it runs in threads."""

from __future__ import annotations

import asyncio
from typing import Any

from pymongo import MongoClient
from pymongo.errors import PyMongoError

from sample import health
from sample.config import MongoConfig

ERRORS = (PyMongoError,)
TIMEOUT_MS = 5000
SCHEMA = 1


class Documents:
    def __init__(self, config: MongoConfig) -> None:
        login = {"username": config.user, "password": config.password, "authSource": "admin"} if config.user else {}
        # Written to the journal before it is acknowledged: what a client was told is there after a power cut.
        self._client = MongoClient(
            config.host,
            config.port,
            serverSelectionTimeoutMS=TIMEOUT_MS,
            connectTimeoutMS=TIMEOUT_MS,
            socketTimeoutMS=TIMEOUT_MS,
            journal=True,
            **login,
        )
        database = self._client[config.database]
        self._documents = database["documents"]
        self._work = database["work"]
        self._schema = database["schema"]

    async def state(self) -> str:
        try:
            await asyncio.to_thread(self._client.admin.command, "ping")
        except ERRORS:
            return health.DISCONNECTED
        return health.CONNECTED

    async def prepare(self) -> list[int]:
        """Bring collections and indexes to what this version needs; the numbers of what was done now."""
        if await asyncio.to_thread(self._schema.find_one, {"_id": SCHEMA}) is not None:
            return []
        await asyncio.to_thread(self._work.create_index, "version")
        await asyncio.to_thread(self._schema.replace_one, {"_id": SCHEMA}, {"_id": SCHEMA}, upsert=True)
        return [SCHEMA]

    async def put(self, number: str, document: dict[str, Any]) -> None:
        await asyncio.to_thread(self._documents.replace_one, {"_id": number}, {**document, "_id": number}, upsert=True)

    async def get(self, number: str) -> dict[str, Any] | None:
        return await asyncio.to_thread(self._documents.find_one, {"_id": number})

    async def count(self) -> int:
        return int(await asyncio.to_thread(self._documents.count_documents, {}))

    async def record_work(self, number: str, version: str) -> None:
        """Once or more often for the same item: it is there once, and says how often."""
        update = {"$set": {"version": version}, "$inc": {"times": 1}}
        await asyncio.to_thread(self._work.update_one, {"_id": number}, update, upsert=True)

    async def work(self, number: str) -> dict[str, Any] | None:
        return await asyncio.to_thread(self._work.find_one, {"_id": number})

    async def work_done(self) -> int:
        return int(await asyncio.to_thread(self._work.count_documents, {}))

    async def close(self) -> None:
        await asyncio.to_thread(self._client.close)
