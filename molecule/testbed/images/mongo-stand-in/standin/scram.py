"""The server's half of SCRAM-SHA-256 (RFC 5802, RFC 7677)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import secrets

from standin.store import Store

ITERATIONS = 15000


class Refused(Exception):
    """The login is wrong."""


def add_user(store: Store, name: str, password: str) -> None:
    salt = os.urandom(28)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, ITERATIONS)
    stored = hashlib.sha256(_hmac(salted, b"Client Key")).digest()
    store.add_user(name, salt, stored, _hmac(salted, b"Server Key"), ITERATIONS)


class Conversation:
    def __init__(self, store: Store, first: bytes) -> None:
        _, _, bare = first.decode().partition(",,")
        parts = dict(part.split("=", 1) for part in bare.split(","))
        self.user = parts["n"].replace("=2C", ",").replace("=3D", "=")
        known = store.user(self.user)
        if known is None:
            raise Refused
        salt, self._stored, self._server, iterations = known
        self._nonce = parts["r"] + secrets.token_urlsafe(24)
        self.challenge = f"r={self._nonce},s={base64.b64encode(salt).decode()},i={iterations}"
        self._beginning = f"{bare},{self.challenge}"

    def finish(self, final: bytes) -> bytes:
        without_proof, _, proof = final.decode().rpartition(",p=")
        parts = dict(part.split("=", 1) for part in without_proof.split(","))
        message = f"{self._beginning},{without_proof}".encode()
        pairs = zip(base64.b64decode(proof), _hmac(self._stored, message), strict=True)
        client_key = bytes(one ^ other for one, other in pairs)
        known = hmac.compare_digest(hashlib.sha256(client_key).digest(), self._stored)
        if parts["r"] != self._nonce or not known:
            raise Refused
        return b"v=" + base64.b64encode(_hmac(self._server, message))


def _hmac(key: bytes, message: bytes) -> bytes:
    return hmac.new(key, message, "sha256").digest()
