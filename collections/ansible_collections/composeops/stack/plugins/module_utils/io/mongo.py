# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A MongoDB server over its socket: commands and their answers, and SCRAM, in which the password never travels."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import secrets
import socket
import struct
import time
import unicodedata
from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.io import bson

PORT = 27017
_OP_MSG = 2013
_HEADER = struct.Struct("<iiii")
_LARGEST = 48_000_000
"""MongoDB's own limit of a message."""
_FEWEST_ITERATIONS = 4096
_MECHANISM = "SCRAM-SHA-256"


class MongoError(ComposeOpsError):
    """The server said no, or nothing, or something else than MongoDB says."""


class MongoClient:
    """One connection. ``deadline`` is a reading of ``time.monotonic`` after which nothing is waited for."""

    def __init__(self, address: str, port: int = PORT, *, deadline: float) -> None:
        self._where = f"MongoDB at {address}:{port}"
        self._deadline = deadline
        self._number = 0
        try:
            self._socket = socket.create_connection((address, port), timeout=min(10.0, self._left()))
        except OSError as error:
            raise MongoError(f"{self._where} does not answer: {error}.", "Look at the service's logs.") from error

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.close()

    def command(self, database: str, command: Mapping[str, Any]) -> dict[str, Any]:
        """Run a command in a database and return its answer; raise where the server refuses it."""
        name = next(iter(command))
        try:
            answer = self._exchange({**command, "$db": database})
        except OSError as error:
            raise MongoError(f"{self._where} did not answer {name}: {error}.", "Look at its logs.") from error
        if not answer.get("ok"):
            said = str(answer.get("errmsg") or "nothing")
            raise MongoError(f"{self._where} refused {name}: {said}.", _remedy(answer.get("codeName")))
        return answer

    def documents(self, database: str, command: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """Run a command that answers with a cursor and yield all its documents."""
        cursor = self.command(database, command)["cursor"]
        yield from cursor["firstBatch"]
        collection = str(cursor["ns"]).partition(".")[2]
        while cursor["id"]:
            cursor = self.command(database, {"getMore": bson.Long(cursor["id"]), "collection": collection})["cursor"]
            yield from cursor["nextBatch"]

    def log_in(self, user: str, password: str, database: str) -> None:
        """Authenticate as ``user`` of ``database``; the server has to prove that it knows the password, too."""
        scram = _Scram(user, password)
        start = {
            "saslStart": 1,
            "mechanism": _MECHANISM,
            "payload": scram.first,
            "options": {"skipEmptyExchange": True},
        }
        answer = self.command(database, start)
        following = {"saslContinue": 1, "conversationId": answer["conversationId"]}
        answer = self.command(database, {**following, "payload": scram.final(answer["payload"])})
        scram.check(answer["payload"])
        if not answer["done"]:
            self.command(database, {**following, "payload": b""})

    def _exchange(self, document: Mapping[str, Any]) -> dict[str, Any]:
        self._number += 1
        body = struct.pack("<IB", 0, 0) + bson.encode(document)
        self._socket.settimeout(self._left())
        self._socket.sendall(_HEADER.pack(_HEADER.size + len(body), self._number, 0, _OP_MSG) + body)
        size, _, answers, code = _HEADER.unpack(self._read(_HEADER.size))
        if code != _OP_MSG or answers != self._number or not _HEADER.size + 5 < size <= _LARGEST:
            raise MongoError(f"{self._where} does not speak like MongoDB.", "Check the service and its port.")
        return bson.decode(self._read(size - _HEADER.size)[5:])

    def _read(self, size: int) -> bytes:
        content = b""
        while len(content) < size:
            self._socket.settimeout(self._left())
            chunk = self._socket.recv(min(size - len(content), 1 << 20))
            if not chunk:
                raise MongoError(f"{self._where} closed the connection.", "Look at its logs.")
            content += chunk
        return content

    def _left(self) -> float:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise MongoError(f"{self._where} took too long.", "Look at its logs, or raise the time-out.")
        return left


class _Scram:
    """One login, RFC 5802 with SHA-256."""

    def __init__(self, user: str, password: str) -> None:
        name = user.replace("=", "=3D").replace(",", "=2C")
        self._password = unicodedata.normalize("NFKC", password).encode()
        self._nonce = secrets.token_urlsafe(24)
        self._bare = f"n={name},r={self._nonce}"
        self._signature = b""

    @property
    def first(self) -> bytes:
        return f"n,,{self._bare}".encode()

    def final(self, challenge: bytes) -> bytes:
        text = challenge.decode()
        parts = dict(part.split("=", 1) for part in text.split(","))
        if not parts["r"].startswith(self._nonce) or int(parts["i"]) < _FEWEST_ITERATIONS:
            raise MongoError("MongoDB answered a login as no server should.", "Look who answers at that address.")
        salted = hashlib.pbkdf2_hmac("sha256", self._password, base64.b64decode(parts["s"]), int(parts["i"]))
        client_key = _hmac(salted, b"Client Key")
        without_proof = f"c=biws,r={parts['r']}"
        message = f"{self._bare},{text},{without_proof}".encode()
        proof = _hmac(hashlib.sha256(client_key).digest(), message)
        self._signature = _hmac(_hmac(salted, b"Server Key"), message)
        mixed = bytes(one ^ other for one, other in zip(client_key, proof, strict=True))
        return f"{without_proof},p={base64.b64encode(mixed).decode()}".encode()

    def check(self, said: bytes) -> None:
        if not hmac.compare_digest(said, b"v=" + base64.b64encode(self._signature)):
            raise MongoError("What answers a login does not know the password itself.", "Look who it is.")


def _hmac(key: bytes, message: bytes) -> bytes:
    return hmac.new(key, message, "sha256").digest()


def _remedy(code: object) -> str:
    if code in ("AuthenticationFailed", "Unauthorized"):
        return "Correct user and password_secret, or deploy the stack so that MongoDB has the current password."
    return "Look at its logs."


@contextlib.contextmanager
def connected(address: str, port: int = PORT, *, deadline: float) -> Iterator[MongoClient]:
    """Give a connection for the block."""
    client = MongoClient(address, port, deadline=deadline)
    try:
        yield client
    finally:
        client.close()
