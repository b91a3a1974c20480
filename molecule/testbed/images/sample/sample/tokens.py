"""Signed tokens (JWT, HS256): a token from the old release must be good in the new one. Pure."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json


class TokenError(Exception):
    """The token is not one of ours, or no longer valid."""


def issue(key: str, subject: str, expires: int) -> str:
    header = _encode(json.dumps({"alg": "HS256", "typ": "JWT"}).encode())
    claims = _encode(json.dumps({"sub": subject, "exp": expires}).encode())
    return f"{header}.{claims}.{_signature(key, header, claims)}"


def subject_of(key: str, token: str, now: int) -> str:
    parts = token.split(".")
    # Compared as bytes: compare_digest refuses text outside ASCII, which a client may send.
    if len(parts) != 3 or not hmac.compare_digest(_signature(key, *parts[:2]).encode(), parts[2].encode()):
        raise TokenError("the signature does not match")
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
        subject, expires = str(claims["sub"]), int(claims["exp"])
    except (binascii.Error, ValueError, KeyError, TypeError) as error:
        raise TokenError("the claims are not readable") from error
    if now >= expires:
        raise TokenError("the token has expired")
    return subject


def _signature(key: str, header: str, claims: str) -> str:
    return _encode(hmac.new(key.encode(), f"{header}.{claims}".encode(), hashlib.sha256).digest())


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
