"""Documents on disk: SQLite, which keeps what was acknowledged."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from typing import Any

import bson

SCHEMA = """
CREATE TABLE IF NOT EXISTS collections (db TEXT, name TEXT, PRIMARY KEY (db, name));
CREATE TABLE IF NOT EXISTS documents (
    number INTEGER PRIMARY KEY, db TEXT, name TEXT, key BLOB, body BLOB, UNIQUE (db, name, key));
CREATE TABLE IF NOT EXISTS users (name TEXT PRIMARY KEY, salt BLOB, stored BLOB, server BLOB, iterations INTEGER);
"""


class Duplicate(Exception):
    """There is a document with this _id."""


class Store:
    def __init__(self, path: str) -> None:
        self._sql = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._sql.execute("PRAGMA journal_mode=WAL")
        self._sql.execute("PRAGMA synchronous=FULL")
        self._sql.executescript(SCHEMA)

    def close(self) -> None:
        self._sql.close()

    def transaction(self) -> sqlite3.Connection:
        """Everything in the block is kept, or nothing: to be used with `with`."""
        self._sql.execute("BEGIN IMMEDIATE")
        return self._sql

    def user(self, name: str) -> tuple[bytes, bytes, bytes, int] | None:
        query = "SELECT salt, stored, server, iterations FROM users WHERE name = ?"
        row: tuple[bytes, bytes, bytes, int] | None = self._sql.execute(query, (name,)).fetchone()
        return row

    def has_users(self) -> bool:
        return self._sql.execute("SELECT 1 FROM users").fetchone() is not None

    def add_user(self, name: str, salt: bytes, stored: bytes, server: bytes, iterations: int) -> None:
        self._sql.execute("INSERT INTO users VALUES (?, ?, ?, ?, ?)", (name, salt, stored, server, iterations))

    def databases(self) -> list[str]:
        return [name for (name,) in self._sql.execute("SELECT DISTINCT db FROM collections ORDER BY db")]

    def collections(self, database: str) -> list[str]:
        query = "SELECT name FROM collections WHERE db = ? ORDER BY name"
        return [name for (name,) in self._sql.execute(query, (database,))]

    def create(self, database: str, name: str) -> None:
        self._sql.execute("INSERT OR IGNORE INTO collections VALUES (?, ?)", (database, name))

    def drop(self, database: str, name: str) -> bool:
        self._sql.execute("DELETE FROM documents WHERE db = ? AND name = ?", (database, name))
        found = self._sql.execute("DELETE FROM collections WHERE db = ? AND name = ?", (database, name))
        return found.rowcount > 0

    def rename(self, database: str, name: str, to_database: str, to: str) -> None:
        for table in ("collections", "documents"):
            query = f"UPDATE {table} SET db = ?, name = ? WHERE db = ? AND name = ?"  # noqa: S608 (our own names)
            self._sql.execute(query, (to_database, to, database, name))

    def documents(self, database: str, name: str) -> Iterator[dict[str, Any]]:
        query = "SELECT body FROM documents WHERE db = ? AND name = ? ORDER BY number"
        for (body,) in self._sql.execute(query, (database, name)).fetchall():
            yield bson.decode(body)

    def insert(self, database: str, name: str, document: Mapping[str, Any]) -> None:
        self.create(database, name)
        row = (database, name, key(document), bson.encode(document))
        try:
            self._sql.execute("INSERT INTO documents (db, name, key, body) VALUES (?, ?, ?, ?)", row)
        except sqlite3.IntegrityError as error:
            raise Duplicate(str(document["_id"])) from error

    def replace(self, database: str, name: str, document: Mapping[str, Any]) -> None:
        row = (bson.encode(document), database, name, key(document))
        self._sql.execute("UPDATE documents SET body = ? WHERE db = ? AND name = ? AND key = ?", row)

    def delete(self, database: str, name: str, document: Mapping[str, Any]) -> None:
        row = (database, name, key(document))
        self._sql.execute("DELETE FROM documents WHERE db = ? AND name = ? AND key = ?", row)


def key(document: Mapping[str, Any]) -> bytes:
    return bytes(bson.encode({"_id": document["_id"]}))
