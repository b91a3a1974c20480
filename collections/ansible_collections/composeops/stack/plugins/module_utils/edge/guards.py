# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Who may ask, how often, and with which password; and who still may while a site is in maintenance."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.composeops.stack.plugins.module_utils.edge import values
from ansible_collections.composeops.stack.plugins.module_utils.errors import InvalidInput

RETRY_AFTER = 600
REALM = "Restricted"

_RATE = re.compile(r"^[1-9]\d*r/[sm]$")
_USER = re.compile(r"^[A-Za-z0-9._@-]+$")
_REALM = re.compile(r"^[A-Za-z0-9 ._-]+$")
_BCRYPT = re.compile(r"^\$2[aby]\$(?P<cost>\d\d)\$[./A-Za-z0-9]{53}$")
_SHA512 = re.compile(r"^\$6\$(rounds=\d+\$)?[./A-Za-z0-9]{1,16}\$[./A-Za-z0-9]{86}$")


@dataclass(frozen=True)
class Limits:
    """What one address may do; None and an empty rate do not limit."""

    rate: str = ""
    burst: int = 0
    connections: int | None = None


@dataclass(frozen=True)
class Access:
    """Which addresses may ask: those denied never; where some are allowed, only those."""

    allow: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()


@dataclass(frozen=True)
class BasicAuth:
    """Users and the hashes of their passwords."""

    users: tuple[tuple[str, str], ...]
    realm: str = REALM

    def __repr__(self) -> str:
        """Leave the hashes out of every message."""
        return f"BasicAuth({', '.join(name for name, _ in self.users)})"


@dataclass(frozen=True)
class Guard:
    """What protects a site, or a route in its place."""

    limits: Limits = Limits()
    access: Access = Access()
    basic_auth: BasicAuth | None = None


@dataclass(frozen=True)
class Maintenance:
    """A site that answers 503, but for those who may see it."""

    allow: tuple[str, ...] = ()
    retry_after: int = RETRY_AFTER
    page: str = ""


def parse(entry: Mapping[str, Any], where: str) -> Guard:
    """Return what protects a site or a route."""
    access = Access(values.networks(entry, "allow", where), values.networks(entry, "deny", where))
    return Guard(_limits(entry.get("limits") or {}, where), access, _basic_auth(entry.get("basic_auth"), where))


def maintenance(entry: Mapping[str, Any], where: str) -> Maintenance | None:
    """Return the maintenance that a site is in."""
    allow = values.networks(entry, "maintenance_allow", where)
    retry_after = values.number(entry, "maintenance_retry_after", where) or RETRY_AFTER
    return (
        Maintenance(allow, retry_after, str(entry.get("maintenance_page") or "")) if entry.get("maintenance") else None
    )


def is_bcrypt(password_hash: str) -> bool:
    """Whether ``password_hash`` is one that every edge understands."""
    return bool(_BCRYPT.match(password_hash))


def _limits(declared: Mapping[str, Any], where: str) -> Limits:
    rate, burst = str(declared.get("rate") or ""), values.number(declared, "burst", where, least=0) or 0
    if rate and not _RATE.match(rate):
        raise InvalidInput(f"{where}: limits.rate {rate!r} is not a rate.", "Write it like 10r/s or 300r/m.")
    if burst and not rate:
        raise InvalidInput(
            f"{where}: limits.burst says nothing without limits.rate.", "Add it, or remove limits.burst."
        )
    return Limits(rate, burst, values.number(declared, "connections", where))


def _basic_auth(declared: Mapping[str, Any] | None, where: str) -> BasicAuth | None:
    if declared is None:
        return None
    realm, users = str(declared.get("realm") or REALM), declared.get("users") or {}
    if not users:
        raise InvalidInput(f"{where}: basic_auth has no users, so that nobody could log in.", "Add one, or remove it.")
    if not _REALM.match(realm):
        raise InvalidInput(f"{where}: basic_auth.realm {realm!r} has other characters than letters, digits and spaces.")
    for name, password_hash in users.items():
        if not _USER.match(str(name)):
            raise InvalidInput(f"{where}: basic_auth: {str(name)!r} is not a name of letters, digits, ., _, @ and -.")
        if not _BCRYPT.match(str(password_hash)) and not _SHA512.match(str(password_hash)):
            # The value stays out of the message: it may be the password itself.
            raise InvalidInput(
                f"{where}: basic_auth: what is given for {name} is neither a bcrypt nor a sha512-crypt hash.",
                "Make one with `htpasswd -nB NAME` or `openssl passwd -6`; passwords themselves are not taken.",
            )
    return BasicAuth(tuple(sorted((str(name), str(value)) for name, value in users.items())), realm)
