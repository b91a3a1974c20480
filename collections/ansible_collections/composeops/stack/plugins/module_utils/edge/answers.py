# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the edge answers by itself, without a service: files of a directory, and redirects."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.composeops.stack.plugins.module_utils.errors import InvalidInput

MOVED, REDIRECTS = 301, (301, 302, 307, 308)

_DIRECTORY = re.compile(r"^/[A-Za-z0-9._/-]+$")
_DURATION = re.compile(r"^[1-9]\d*[smhdwMy]$")
_FILE = re.compile(r"^/[A-Za-z0-9._/-]*[A-Za-z0-9]$")
_ELSEWHERE = re.compile(r"^(https?://[A-Za-z0-9.:\[\]-]+)?(/[A-Za-z0-9._~!*+,=:@%/?&#-]*)?$")


@dataclass(frozen=True)
class StaticTarget:
    """Files below a directory of the host; the whole path of the request is looked up there."""

    directory: str
    cache: str = ""
    """How long browsers keep an answer, in nginx's notation; empty to let them ask every time."""
    fallback: str = ""
    """The file that answers for what is not there, for applications that route in the browser."""

    def __str__(self) -> str:
        return f"files below {self.directory}"


@dataclass(frozen=True)
class RedirectTarget:
    """Another place, which clients are told."""

    to: str
    code: int = MOVED
    keep_path: bool = False

    def __str__(self) -> str:
        return f"{self.code} to {self.to}{' and the path' if self.keep_path else ''}"


def static(declared: Mapping[str, Any], where: str) -> StaticTarget:
    """Return the files of a route, or raise naming what cannot be served."""
    directory = str(declared.get("directory") or "").rstrip("/")
    if not _DIRECTORY.match(directory) or ".." in directory.split("/"):
        raise InvalidInput(
            f"{where}: static.directory {directory or '/'!r} is not the full path of a directory.",
            "Write it like /srv/shop/public.",
        )
    cache = str(declared.get("cache") or "")
    if cache and not _DURATION.match(cache):
        raise InvalidInput(f"{where}: static.cache {cache!r} is not a duration.", "Write it like 1y, 30d, 12h or 5m.")
    fallback = str(declared.get("fallback") or "")
    if fallback and not _FILE.match(fallback):
        raise InvalidInput(
            f"{where}: static.fallback {fallback!r} is not the path of a file.", "Write it like /index.html."
        )
    return StaticTarget(directory, cache, fallback)


def redirect(declared: Mapping[str, Any], where: str) -> RedirectTarget:
    """Return where a route sends its clients, or raise naming what no client could follow."""
    to, code, keep_path = (
        str(declared.get("to") or ""),
        int(declared.get("code") or MOVED),
        bool(declared.get("keep_path")),
    )
    if not to or not _ELSEWHERE.match(to):
        raise InvalidInput(
            f"{where}: redirect.to {to!r} is neither a URL nor a path.", "Write it like https://www.example.com/new."
        )
    if code not in REDIRECTS:
        raise InvalidInput(
            f"{where}: redirect.code {code} is not a redirect.", f"Write one of {', '.join(map(str, REDIRECTS))}."
        )
    if keep_path and (any(mark in to for mark in "?#") or to.endswith("/") or to.startswith("/")):
        raise InvalidInput(
            f"{where}: redirect.keep_path puts the whole path behind redirect.to, which {to!r} is not made for.",
            "Write redirect.to like https://www.example.com, without a slash at its end.",
        )
    return RedirectTarget(to, code, keep_path)
