"""A reverse proxy before a server of the bed that answers, delays, breaks off and rewrites as a test tells it to.

It forwards every request as it came, signature and all, and remembers what was asked: a test can say which verbs a
host needs. The host reaches it through the bed's gateway, without TLS before the S3 store.
"""

from __future__ import annotations

import http.client
import http.server
import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

CHUNK = 64 * 1024
HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "expect"}


@dataclass(frozen=True)
class Request:
    """One request, as a test sees it."""

    method: str
    path: str
    key: str
    """What an S3 store calls the object: the path without the bucket."""
    query: dict[str, list[str]]
    number: int
    """Which one it is since the fault was set, from 1 on."""

    @property
    def is_part(self) -> bool:
        return self.method == "PUT" and "partNumber" in self.query

    @property
    def aborts(self) -> bool:
        return self.method == "DELETE" and "uploadId" in self.query


@dataclass(frozen=True)
class Answer:
    """Answer in place of the store, with an error as S3 writes it."""

    status: int
    code: str

    def headers(self) -> list[tuple[str, str]]:
        return [("Content-Type", "application/xml")]

    def body(self) -> str:
        return f"<Error><Code>{self.code}</Code><Message>told by a test</Message></Error>"


@dataclass(frozen=True)
class Problem:
    """Answer in place of an ACME server, with an error as RFC 8555 has it."""

    status: int
    kind: str
    detail: str
    retry_after: int

    def headers(self) -> list[tuple[str, str]]:
        return [("Content-Type", "application/problem+json"), ("Retry-After", str(self.retry_after))]

    def body(self) -> str:
        return json.dumps({"type": f"urn:ietf:params:acme:error:{self.kind}", "detail": self.detail})


@dataclass(frozen=True)
class Slow:
    """Take the body no faster than this."""

    bytes_per_second: int


@dataclass(frozen=True)
class BreakOff:
    """Close the connection in the middle of the body, as a store does that has gone."""


Fault = Answer | Problem | Slow | BreakOff | None


class FaultProxy:
    """The proxy, with the fault that is in force."""

    def __init__(self, upstream: str, ca: str) -> None:
        self.upstream = urlsplit(upstream)
        self.context = ssl.create_default_context(cadata=ca)
        self.requests: list[Request] = []
        self.rewrite: Callable[[Request, bytes], bytes] = lambda request, body: body
        """What becomes of an answer of the store."""
        self._fault: Callable[[Request], Fault] = lambda request: None
        self._count = 0
        self._lock = threading.Lock()

    def set(self, fault: Callable[[Request], Fault]) -> None:
        """Decide from now on what becomes of each request."""
        with self._lock:
            self._fault, self._count = fault, 0

    def clear(self) -> None:
        self.set(lambda request: None)

    def decide(self, method: str, path: str) -> tuple[Request, Fault]:
        target = urlsplit(path)
        with self._lock:
            self._count += 1
            key = target.path.lstrip("/").partition("/")[2]
            request = Request(method, target.path, key, parse_qs(target.query, keep_blank_values=True), self._count)
            self.requests.append(request)
            return request, self._fault(request)


def _handler(proxy: FaultProxy) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _forward(self) -> None:
            request, fault = proxy.decide(self.command, self.path)
            length = int(self.headers.get("Content-Length", 0))
            if isinstance(fault, BreakOff):
                self.rfile.read(length // 2)
                self.close_connection = True
                self.connection.shutdown(2)
                return
            body = self._body(length, fault.bytes_per_second if isinstance(fault, Slow) else 0)
            if isinstance(fault, (Answer, Problem)):
                self._answer(fault.status, fault.headers(), fault.body().encode())
                return
            upstream = http.client.HTTPSConnection(
                str(proxy.upstream.hostname), proxy.upstream.port, context=proxy.context, timeout=60
            )
            try:
                headers = {name: value for name, value in self.headers.items() if name.lower() not in HOP_BY_HOP}
                upstream.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
                for name, value in headers.items():
                    upstream.putheader(name, value)
                upstream.endheaders(body or None)
                answer = upstream.getresponse()
                kept = [entry for entry in answer.getheaders() if entry[0].lower() not in HOP_BY_HOP]
                self._answer(answer.status, kept, proxy.rewrite(request, answer.read()))
            finally:
                upstream.close()

        def _body(self, length: int, rate: int) -> bytes:
            body = bytearray()
            while len(body) < length:
                body += self.rfile.read(min(CHUNK, length - len(body)))
                if rate:
                    time.sleep(CHUNK / rate)
            return bytes(body)

        def _answer(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
            self.send_response_only(status)
            for name, value in headers:
                if name.lower() != "content-length" or self.command == "HEAD":
                    self.send_header(name, value)
            if self.command != "HEAD":
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def log_message(self, *_arguments: Any) -> None:
            """Say nothing; the test has the requests."""

        do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _forward

    return Handler


@contextmanager
def fault_proxy(
    upstream: str, ca: str, address: str, tls: ssl.SSLContext | None = None
) -> Iterator[tuple[FaultProxy, str]]:
    """Serve at ``address`` for the block, over TLS where there is a context for it; give the proxy and its URL."""
    proxy = FaultProxy(upstream, ca)
    server = http.server.ThreadingHTTPServer((address, 0), _handler(proxy))
    server.daemon_threads = True
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield proxy, f"{'https' if tls else 'http'}://{address}:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
