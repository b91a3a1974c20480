# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Tries a challenge before the certificate authority does, because its refusals count against a rate limit."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import socket
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from ansible_collections.composeops.stack.plugins.module_utils.certificates.model import WantedCertificate
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.io import files, http

CHALLENGES = ".well-known/acme-challenge"
TIMEOUT = 10.0
EXCERPT = 80
_NOT_FROM_HERE = {errno.ENETUNREACH, errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}


@dataclass(frozen=True)
class Answer:
    """What one address answered for a challenge's URL; ``failure`` says why there was no answer."""

    address: str
    status: int = 0
    body: str = ""
    failure: str = ""
    unreachable: bool = False
    """This host has no route of the address's family; the authority may have one."""


Resolve = Callable[[str], Sequence[str]]
Fetch = Callable[[str, str], Answer]


def resolve(name: str) -> list[str]:
    """Return the addresses the host's own resolver gives for ``name``, without repetition; none when it has none."""
    with contextlib.suppress(socket.gaierror):
        found = socket.getaddrinfo(name, 80, type=socket.SOCK_STREAM)
        return list(dict.fromkeys(str(entry[4][0]) for entry in found))
    return []


def fetch(url: str, address: str) -> Answer:
    """Get ``url`` from ``address``; redirects are not followed, and proxies of the environment not used."""
    bracketed = f"[{address}]" if ":" in address else address
    try:
        answered = http.request(url, connect_to=bracketed, timeout=TIMEOUT)
    except ComposeOpsError as error:
        cause = error.__cause__
        unreachable = isinstance(cause, OSError) and cause.errno in _NOT_FROM_HERE
        return Answer(address, failure=error.message, unreachable=unreachable)
    return Answer(address, answered.status, answered.body.decode("utf-8", "replace"))


def check(wanted: WantedCertificate, webroot: str, *, resolve: Resolve = resolve, fetch: Fetch = fetch) -> None:
    """Raise naming each name of ``wanted`` whose challenge this host would not answer."""
    token = f"composeops-{secrets.token_hex(8)}"
    with _answering(webroot, token) as path:
        problems = []
        for name in wanted.names:
            url = f"http://{name}/{CHALLENGES}/{token}"
            addresses = resolve(name)
            answers = [fetch(url, address) for address in addresses]
            problem = judge(name, url, path, token, answers)
            if problem:
                problems.append(problem)
    if problems:
        raise ComposeOpsError(
            f"{wanted.site}: no certificate was requested, because its challenge would fail. {' '.join(problems)}",
            "Point the names at this host and let port 80 reach its nginx, then run again; "
            "nothing was counted against a rate limit.",
        )


def judge(name: str, url: str, path: str, expected: str, answers: Sequence[Answer]) -> str:
    """Return what stands against a challenge for ``name``, or nothing.

    Every address has to answer: the authority chooses one, IPv6 first.
    """
    if not answers:
        return f"{name} does not resolve on this host."
    for answer in answers:
        if answer.unreachable:
            continue
        if answer.failure:
            return f"{url} should answer with the file {path}, but: {answer.failure}"
        if answer.status != 200 or answer.body.strip() != expected:  # noqa: PLR2004 (HTTP: OK)
            excerpt = " ".join(answer.body.split())[:EXCERPT]
            return (
                f'{url} should answer with the file {path}, but {answer.address} answered {answer.status} "{excerpt}".'
            )
    if all(answer.unreachable for answer in answers):
        return f"{name} resolves to {', '.join(answer.address for answer in answers)}, which this host cannot reach."
    return ""


@contextlib.contextmanager
def _answering(webroot: str, token: str) -> Iterator[str]:
    directory = os.path.join(webroot, CHALLENGES)
    os.makedirs(directory, mode=0o755, exist_ok=True)
    path = os.path.join(directory, token)
    files.write_atomically(path, token.encode(), mode=0o644)
    try:
        yield path
    finally:
        os.unlink(path)
