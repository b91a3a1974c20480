"""The commands, one method each. A command that is not here is refused as MongoDB refuses an unknown one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import bson

from standin import scram
from standin.query import Unsupported, matches, updated
from standin.store import Duplicate, Store

Document = dict[str, Any]
OPEN = {"hello", "isMaster", "ismaster", "ping", "buildInfo", "buildinfo", "saslStart", "saslContinue", "endSessions"}
"""What is answered before a login."""
LARGEST = 16 * 1024 * 1024


class Failed(Exception):
    def __init__(self, code: int, name: str, message: str) -> None:
        super().__init__(message)
        self.answer = {"ok": 0.0, "errmsg": message, "code": code, "codeName": name}


class Session:
    """One connection."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._user = ""
        self._login: scram.Conversation | None = None

    def answer(self, command: Document) -> Document:
        name = next(iter(command))
        handler = getattr(self, f"_{name}", None)
        if handler is None:
            return Failed(59, "CommandNotFound", f"no such command: '{name}' (stand-in for MongoDB)").answer
        if name not in OPEN and self._store.has_users() and not self._user:
            return Failed(13, "Unauthorized", f"Command {name} requires authentication").answer
        try:
            with self._store.transaction():
                found: Document = handler(command, str(command.get("$db", "")))
        except Unsupported as error:
            return Failed(238, "NotImplemented", f"the stand-in for MongoDB has no {error}").answer
        except Failed as error:
            return error.answer
        return {"ok": 1.0, **found}

    def _hello(self, command: Document, _database: str) -> Document:
        limits = {"maxBsonObjectSize": LARGEST, "maxMessageSizeBytes": 48_000_000, "maxWriteBatchSize": 100_000}
        wire = {"minWireVersion": 0, "maxWireVersion": 9, "readOnly": False, "connectionId": 1}
        mechanisms = {"saslSupportedMechs": ["SCRAM-SHA-256"]} if "saslSupportedMechs" in command else {}
        return {"ismaster": True, "isWritablePrimary": True, **limits, **wire, **mechanisms}

    _isMaster = _ismaster = _hello

    def _ping(self, _command: Document, _database: str) -> Document:
        return {}

    _endSessions = _ping

    def _buildInfo(self, _command: Document, _database: str) -> Document:
        return {"version": "7.0.0", "versionArray": [7, 0, 0, 0], "modules": ["stand-in"], "bits": 64}

    _buildinfo = _buildInfo

    def _connectionStatus(self, _command: Document, _database: str) -> Document:
        users = [{"user": self._user, "db": "admin"}] if self._user else []
        return {"authInfo": {"authenticatedUsers": users, "authenticatedUserRoles": []}}

    def _saslStart(self, command: Document, database: str) -> Document:
        if command.get("mechanism") != "SCRAM-SHA-256" or database != "admin":
            raise Failed(18, "AuthenticationFailed", "Authentication failed.")
        try:
            self._login = scram.Conversation(self._store, bytes(command["payload"]))
        except (scram.Refused, KeyError, ValueError) as error:
            raise Failed(18, "AuthenticationFailed", "Authentication failed.") from error
        return {"conversationId": 1, "done": False, "payload": self._login.challenge.encode()}

    def _saslContinue(self, command: Document, _database: str) -> Document:
        login, self._login = self._login, None
        if login is None:
            # The empty exchange after a login, of clients that did not ask to skip it.
            return {"conversationId": 1, "done": True, "payload": b""}
        try:
            proof = login.finish(bytes(command["payload"]))
        except (scram.Refused, KeyError, ValueError) as error:
            raise Failed(18, "AuthenticationFailed", "Authentication failed.") from error
        self._user = login.user
        return {"conversationId": 1, "done": True, "payload": proof}

    def _listDatabases(self, _command: Document, _database: str) -> Document:
        return {"databases": [{"name": name, "sizeOnDisk": 0, "empty": False} for name in self._store.databases()]}

    def _listCollections(self, command: Document, database: str) -> Document:
        named = [{"name": name, "type": "collection", "options": {}} for name in self._store.collections(database)]
        return _cursor(database, "$cmd.listCollections", [one for one in named if _wanted(command, one)])

    def _dbStats(self, _command: Document, database: str) -> Document:
        names = self._store.collections(database)
        sizes = [len(bson.encode(one)) for name in names for one in self._store.documents(database, name)]
        return {"db": database, "collections": len(names), "objects": len(sizes), "dataSize": float(sum(sizes))}

    def _create(self, command: Document, database: str) -> Document:
        self._store.create(database, command["create"])
        return {}

    def _createIndexes(self, command: Document, database: str) -> Document:
        self._store.create(database, command["createIndexes"])
        return {"note": "the stand-in has no indexes"}

    def _drop(self, command: Document, database: str) -> Document:
        if not self._store.drop(database, command["drop"]):
            raise Failed(26, "NamespaceNotFound", "ns not found")
        return {}

    def _dropDatabase(self, _command: Document, database: str) -> Document:
        for name in self._store.collections(database):
            self._store.drop(database, name)
        return {}

    def _renameCollection(self, command: Document, _database: str) -> Document:
        database, _, name = command["renameCollection"].partition(".")
        to_database, _, to = command["to"].partition(".")
        if name not in self._store.collections(database):
            raise Failed(26, "NamespaceNotFound", f"Source collection {database}.{name} does not exist")
        if to in self._store.collections(to_database):
            if not command.get("dropTarget"):
                raise Failed(48, "NamespaceExists", "target namespace exists")
            self._store.drop(to_database, to)
        self._store.rename(database, name, to_database, to)
        return {}

    def _insert(self, command: Document, database: str) -> Document:
        errors: list[Document] = []
        for index, document in enumerate(command["documents"]):
            try:
                self._store.insert(database, command["insert"], document)
            except Duplicate as error:
                errors.append({"index": index, "code": 11000, "errmsg": f"E11000 duplicate key error: {error}"})
                if command.get("ordered", True):
                    break
        attempted = errors[-1]["index"] + 1 if errors and command.get("ordered", True) else len(command["documents"])
        return {"n": attempted - len(errors), **({"writeErrors": errors} if errors else {})}

    def _update(self, command: Document, database: str) -> Document:
        changed, upserted = 0, []
        for index, one in enumerate(command["updates"]):
            found = self._found(database, command["update"], one["q"])
            for document in found if one.get("multi") else found[:1]:
                self._store.replace(database, command["update"], updated(document, one["u"], inserting=False))
                changed += 1
            if not found and one.get("upsert"):
                equal = {name: value for name, value in one["q"].items() if not isinstance(value, Mapping)}
                made = {"_id": bson.ObjectId(), **updated(equal, one["u"], inserting=True)}
                self._store.insert(database, command["update"], made)
                upserted.append({"index": index, "_id": made["_id"]})
        known = {"upserted": upserted} if upserted else {}
        return {"n": changed + len(upserted), "nModified": changed, **known}

    def _delete(self, command: Document, database: str) -> Document:
        count = 0
        for one in command["deletes"]:
            found = self._found(database, command["delete"], one["q"])
            for document in found[: one.get("limit") or None]:
                self._store.delete(database, command["delete"], document)
                count += 1
        return {"n": count}

    def _find(self, command: Document, database: str) -> Document:
        if command.get("projection"):
            raise Unsupported("projection")
        found = self._found(database, command["find"], command.get("filter") or {})
        for name, direction in reversed(list((command.get("sort") or {}).items())):
            found.sort(key=lambda document, name=name: document.get(name), reverse=direction < 0)  # type: ignore[misc]
        skip = int(command.get("skip") or 0)
        return _cursor(database, command["find"], found[skip:][: int(command.get("limit") or 0) or None])

    def _count(self, command: Document, database: str) -> Document:
        return {"n": len(self._found(database, command["count"], command.get("query") or {}))}

    def _aggregate(self, command: Document, database: str) -> Document:
        """What drivers make of counting, and nothing else."""
        condition: Document = {}
        counted = False
        for stage in command["pipeline"]:
            if "$match" in stage and not counted:
                condition = {**condition, **stage["$match"]}
            elif stage.get("$group") == {"_id": 1, "n": {"$sum": 1}}:
                counted = True
            else:
                raise Unsupported(f"aggregation {next(iter(stage))}")
        found = self._found(database, command["aggregate"], condition)
        return _cursor(database, command["aggregate"], [{"_id": 1, "n": len(found)}] if counted and found else [])

    def _found(self, database: str, collection: str, condition: Document) -> list[Document]:
        return [one for one in self._store.documents(database, collection) if matches(one, condition)]


def _wanted(command: Document, entry: Document) -> bool:
    condition = {name: wanted for name, wanted in (command.get("filter") or {}).items() if not name.startswith("$")}
    return matches(entry, condition)


def _cursor(database: str, collection: str, documents: list[Document]) -> Document:
    """Everything comes at once: the number of a cursor that is used up is 0."""
    return {"cursor": {"id": bson.Int64(0), "ns": f"{database}.{collection}", "firstBatch": documents}}
