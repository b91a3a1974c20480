"""A client of the system that is not on its host: HTTPS, WebSockets and bare connections to the host's address.

It shares no code with the collection, so that a fault of the collection's own client cannot hide one of the system.
"""

from __future__ import annotations

import json
import socket
import ssl
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPSConnection
from typing import Any

from websockets.sync.client import connect

TIMEOUT = 20


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class _To(HTTPSConnection):
    """Asks for one name and connects to another address, as with a name server of one's own."""

    def __init__(self, address: str, name: str, context: ssl.SSLContext) -> None:
        super().__init__(name, 443, timeout=TIMEOUT, context=context)
        self._address = address
        self._tls = context

    def connect(self) -> None:
        plain = socket.create_connection((self._address, 443), timeout=TIMEOUT)
        self.sock = self._tls.wrap_socket(plain, server_hostname=self.host)


@dataclass
class Outside:
    """Reaches the host at ``address``; trusts ``ca`` alone."""

    address: str
    ca: str = field(repr=False)

    @property
    def context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cadata=self.ca)

    def https(
        self,
        name: str,
        path: str = "/",
        *,
        method: str = "GET",
        body: Any = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """Send one request to a site; a body that is no text is sent as JSON."""
        connection = _To(self.address, name, self.context)
        return _exchange(connection, method, path, body, headers)

    def http(self, name: str, path: str = "/") -> Answer:
        """Send one request to port 80."""
        connection = HTTPConnection(self.address, 80, timeout=TIMEOUT)
        return _exchange(connection, "GET", path, None, {"Host": name})

    def certificate(self, name: str) -> dict[str, Any]:
        """Return what is presented for a name, after it was verified."""
        with (
            socket.create_connection((self.address, 443), timeout=TIMEOUT) as plain,
            self.context.wrap_socket(plain, server_hostname=name) as secured,
        ):
            return dict(secured.getpeercert() or {})

    def echo(self, name: str, path: str, message: str) -> str:
        """Open a WebSocket, send ``message`` and return what comes back."""
        plain = socket.create_connection((self.address, 443), timeout=TIMEOUT)
        with connect(
            f"wss://{name}{path}", sock=plain, ssl=self.context, server_hostname=name, open_timeout=TIMEOUT
        ) as connection:
            connection.send(message)
            return str(connection.recv(TIMEOUT))

    def reachable(self, port: int, timeout: float = 2) -> bool:
        """Whether a connection to a port of the host is accepted."""
        try:
            with socket.create_connection((self.address, port), timeout=timeout):
                return True
        except OSError:
            return False


def _exchange(connection: HTTPConnection, method: str, path: str, body: Any, headers: dict[str, str] | None) -> Answer:
    content = body if isinstance(body, (str, type(None))) else json.dumps(body)
    kind = {"Content-Type": "application/json"} if content is not None else {}
    try:
        connection.request(method, path, content, {**kind, **(headers or {})})
        answer = connection.getresponse()
        received = {name.lower(): value for name, value in answer.getheaders()}
        return Answer(answer.status, received, answer.read())
    finally:
        connection.close()
