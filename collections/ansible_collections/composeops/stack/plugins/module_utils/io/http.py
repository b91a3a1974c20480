# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One HTTP request, or one TLS connection, with everything a probe wants to know of it.

The standard library's `urllib` follows redirects, keeps the certificate to itself and cannot be told which address to
connect to; a check of an edge needs the opposite of all three.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import http.client
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any
from urllib.parse import urlsplit

from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError, InvalidInput

BODY_LIMIT = 1_000_000
"""Bytes of a body that are read; a probe judges answers, it does not download."""

PORTS = {"http": 80, "ws": 80, "https": 443, "wss": 443}


class ConnectionFailed(ComposeOpsError):
    """No answer came: the name, the connection, TLS or the time stood against it."""


@dataclass(frozen=True)
class Certificate:
    """What a server presented and this side found trustworthy."""

    not_before: datetime
    not_after: datetime
    names: tuple[str, ...]
    issuer: str
    fingerprint: str


@dataclass(frozen=True)
class Endpoint:
    """Where a URL leads: the name that is asked for, and the address that is connected to."""

    scheme: str
    host: str
    port: int
    path: str
    address: str
    address_port: int

    @property
    def tls(self) -> bool:
        return self.scheme in ("https", "wss")

    @property
    def authority(self) -> str:
        """The Host header: the port is named only where it is not the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"


@dataclass(frozen=True)
class Response:
    """An answer, whatever its status; header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    seconds: float
    certificate: Certificate | None = None


@dataclass
class Connection:
    """A connected socket, in TLS where the endpoint asks for it; it is closed when its time is over."""

    socket: socket.socket
    certificate: Certificate | None = None
    expired: threading.Event = field(default_factory=threading.Event)


def parse_url(url: str, connect_to: str = "") -> Endpoint:
    """Read an absolute URL; ``connect_to`` is an address, or ``address:port``, to connect to instead of its host."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise InvalidInput(f"{url} is not a URL: {error}.", "Write scheme, host and path.") from error
    if parts.scheme not in PORTS or not parts.hostname:
        raise InvalidInput(f"{url!r} is not an absolute URL.", "Write one like https://app.example.com/health.")
    port = port or PORTS[parts.scheme]
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    address, address_port = _split_address(connect_to, port) if connect_to else (parts.hostname, port)
    return Endpoint(parts.scheme, parts.hostname, port, path, address, address_port)


def _split_address(text: str, port: int) -> tuple[str, int]:
    if text.startswith("["):
        address, _, rest = text[1:].partition("]")
        return address, int(rest[1:]) if rest[1:].isdigit() else port
    if text.count(":") == 1:
        address, _, own_port = text.partition(":")
        if not own_port.isdigit():
            raise InvalidInput(f"{text!r} is not an address to connect to.", "Write 127.0.0.1 or 127.0.0.1:8443.")
        return address, int(own_port)
    return text, port


def request(
    url: str,
    *,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
    connect_to: str = "",
    ca: str = "",
    timeout: float = 10,
) -> Response:
    """Send one request and return its answer; no redirect is followed, and TLS is always verified.

    ``ca`` is PEM text of authorities that are trusted beside the system's. ``timeout`` covers everything after the
    name's resolution, to the last byte of the body.
    """
    endpoint = parse_url(url, connect_to)
    began = time.monotonic()
    with connected(endpoint, ca=ca, timeout=timeout) as connection:
        client = http.client.HTTPConnection(endpoint.host, endpoint.port)
        client.sock = connection.socket
        try:
            client.putrequest(method, endpoint.path, skip_host=True, skip_accept_encoding=True)
            sent = {"Host": endpoint.authority, "User-Agent": "composeops", "Connection": "close", **(headers or {})}
            if body is not None:
                sent["Content-Length"] = str(len(body))
            for name, value in sent.items():
                client.putheader(name, value)
            client.endheaders(body)
            answer = client.getresponse()
            content = answer.read(BODY_LIMIT)
        except (OSError, http.client.HTTPException) as error:
            raise failed(endpoint, TimeoutError() if connection.expired.is_set() else error, timeout) from error
        if connection.expired.is_set():  # what was read until then looks like a whole body when its length is unknown
            raise failed(endpoint, TimeoutError(), timeout)
        received = {name.lower(): value for name, value in answer.getheaders()}
        return Response(answer.status, received, content, time.monotonic() - began, connection.certificate)


@contextlib.contextmanager
def connected(endpoint: Endpoint, *, ca: str = "", timeout: float = 10) -> Iterator[Connection]:
    """Connect, in TLS where the endpoint says so, for at most ``timeout`` seconds in all.

    When the time is over the socket is shut down, which ends whatever waits on it. A time-out of the socket alone
    would start anew with every byte of a server that answers slowly.
    """
    began = time.monotonic()
    try:
        plain = socket.create_connection((endpoint.address, endpoint.address_port), timeout=timeout)
    except OSError as error:
        raise failed(endpoint, error, timeout) from error
    connection = Connection(plain)
    timer = threading.Timer(max(0.05, timeout - (time.monotonic() - began)), _expire, [connection])
    timer.daemon = True
    timer.start()
    try:
        if endpoint.tls:
            _handshake(endpoint, connection, ca, timeout)
        yield connection
    finally:
        timer.cancel()
        connection.socket.close()


def failed(endpoint: Endpoint, error: Exception, timeout: float) -> ConnectionFailed:
    """Say why no answer came, in the words of someone who has to find the cause."""
    words = {
        "address": endpoint.address,
        "place": f"{endpoint.address}:{endpoint.address_port}",
        "host": endpoint.host,
        "timeout": f"{timeout:g}",
        "reason": _reason(error),
    }
    message, remedy = next((message, remedy) for kinds, message, remedy in _CAUSES if isinstance(error, kinds))
    return ConnectionFailed(message.format(**words), remedy)


_CAUSES: tuple[tuple[type[Exception] | tuple[type[Exception], ...], str, str], ...] = (
    (socket.gaierror, "{address} does not resolve.", "Create its DNS record, or correct the name."),
    (
        ssl.SSLCertVerificationError,
        "The certificate that {place} presents for {host} is not trusted: {reason}.",
        "Issue one with playbooks/site.yml, or name the authority that signed it.",
    ),
    (ConnectionRefusedError, "Nothing listens on {place}.", "Start the service, or correct address and port."),
    (
        TimeoutError,
        "{place} did not answer within {timeout} s.",
        "Look whether it is overloaded, or whether a firewall drops packets.",
    ),
    (
        ssl.SSLError,
        "TLS with {place} for {host} failed: {reason}.",
        "Look whether a site of this name is served there.",
    ),
    (
        (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError),
        "{place} closed the connection without an answer.",
        "Look at the log of that service.",
    ),
    (
        http.client.HTTPException,
        "{place} did not answer in HTTP: {reason}.",
        "Look whether another service listens there.",
    ),
    (Exception, "{place} is not reachable: {reason}.", "Look at the network between here and there."),
)
"""The first kind that fits says it: the particular before the general."""


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return str(error.verify_message)
    if isinstance(error, ssl.SSLError):
        return str(error.reason or error).replace("_", " ").lower()
    if isinstance(error, http.client.HTTPException):
        return repr(error)
    return str(getattr(error, "strerror", "") or error)


def _expire(connection: Connection) -> None:
    connection.expired.set()
    with contextlib.suppress(OSError):
        # The plain method: TLS would drop its state here, under the feet of the thread that reads.
        socket.socket.shutdown(connection.socket, socket.SHUT_RDWR)


def _handshake(endpoint: Endpoint, connection: Connection, ca: str, timeout: float) -> None:
    """Turn the connection into TLS; the socket is handed over first, so that it can expire while shaking hands."""
    try:
        secured = _context(ca).wrap_socket(
            connection.socket, server_hostname=endpoint.host, do_handshake_on_connect=False
        )
        connection.socket = secured
        secured.do_handshake()
    except OSError as error:
        raise failed(endpoint, TimeoutError() if connection.expired.is_set() else error, timeout) from error
    connection.certificate = _certificate(secured)


@functools.lru_cache(maxsize=8)
def _context(ca: str) -> ssl.SSLContext:
    """Trust the system's authorities and those of ``ca``; reading the system's takes 30 ms, so it is done once."""
    context = ssl.create_default_context()
    if ca:
        try:
            context.load_verify_locations(cadata=ca)
        except ssl.SSLError as error:
            raise InvalidInput("The given CA is not a PEM certificate.", "Give the text of the CA file.") from error
    return context


def _certificate(secured: ssl.SSLSocket) -> Certificate:
    described: dict[str, Any] = secured.getpeercert() or {}
    issuer = {key: value for part in described.get("issuer", ()) for key, value in part}
    return Certificate(
        not_before=_time(described["notBefore"]),
        not_after=_time(described["notAfter"]),
        names=tuple(value for kind, value in described.get("subjectAltName", ()) if kind in ("DNS", "IP Address")),
        issuer=issuer.get("organizationName") or issuer.get("commonName") or "unknown",
        fingerprint=hashlib.sha256(secured.getpeercert(binary_form=True) or b"").hexdigest(),
    )


def _time(text: str) -> datetime:
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(text), tz=timezone.utc)
