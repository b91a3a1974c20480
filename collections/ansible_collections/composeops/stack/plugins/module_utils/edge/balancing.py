# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How the requests of a route are spread over its servers, and when one of them is left out for a while."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.composeops.stack.plugins.module_utils.edge import values
from ansible_collections.composeops.stack.plugins.module_utils.errors import InvalidInput

ROUND_ROBIN, LEAST_CONNECTIONS, HASH = "round_robin", "least_conn", "hash"
METHODS = (ROUND_ROBIN, LEAST_CONNECTIONS, HASH)
URI, ADDRESS, COOKIE = "uri", "address", "cookie"
HASHED = (URI, ADDRESS, COOKIE)
"""What a request has that decides, with HASH, which server gets it."""

_COOKIE = re.compile(r"^[A-Za-z0-9_]+$")


@dataclass(frozen=True)
class Balancing:
    """What an upstream has beside its servers."""

    method: str = ROUND_ROBIN
    hash_by: str = URI
    cookie: str = ""
    max_fails: int | None = None
    """Failures within ``fail_timeout`` after which a server is left out for as long; None for the proxy's own way."""
    fail_timeout: int | None = None

    def __str__(self) -> str:
        by = f" by {self.hash_by} {self.cookie}".rstrip() if self.method == HASH else ""
        fails = "" if self.max_fails is None else f", max_fails {self.max_fails}"
        seconds = "" if self.fail_timeout is None else f", fail_timeout {self.fail_timeout}"
        return f"{self.method}{by}{fails}{seconds}"


def parse(entry: Mapping[str, Any], where: str) -> Balancing:
    """Return how a route is balanced, or raise naming what cannot be."""
    method = str(entry.get("balance") or ROUND_ROBIN)
    if method not in METHODS:
        raise InvalidInput(f"{where}: balance {method!r} is unknown.", f"Write {', '.join(METHODS[:-1])} or {HASH}.")
    hash_by, cookie = str(entry.get("hash_by") or URI), str(entry.get("hash_cookie") or "")
    if hash_by not in HASHED:
        raise InvalidInput(f"{where}: hash_by {hash_by!r} is unknown.", f"Write {', '.join(HASHED[:-1])} or {COOKIE}.")
    if (hash_by == COOKIE) != bool(cookie):
        raise InvalidInput(f"{where}: hash_by: cookie and hash_cookie belong together.", "Set both, or neither.")
    if cookie and not _COOKIE.match(cookie):
        raise InvalidInput(f"{where}: hash_cookie {cookie!r} is not a name of letters, digits and _.")
    if method != HASH and hash_by != URI:
        raise InvalidInput(f"{where}: hash_by says nothing without balance: hash.", "Add it, or remove hash_by.")
    return Balancing(
        method,
        hash_by,
        cookie,
        values.number(entry, "max_fails", where, least=0),
        values.number(entry, "fail_timeout", where),
    )
