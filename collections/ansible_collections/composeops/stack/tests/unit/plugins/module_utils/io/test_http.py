"""One request against real servers: what came back, and why nothing did."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.errors import InvalidInput
from ansible_collections.composeops.stack.plugins.module_utils.io.http import (
    ConnectionFailed,
    Endpoint,
    parse_url,
    request,
)
from ansible_collections.composeops.stack.tests.unit.support.servers import (
    Authority,
    free_port,
    http_server,
    tcp_server,
)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(Path(tmp_path_factory.mktemp("ca")))


def echo(handler: BaseHTTPRequestHandler) -> None:
    """Answer with what was asked."""
    length = int(handler.headers.get("Content-Length", 0))
    body = f"{handler.command} {handler.path} {handler.headers['Host']} {handler.rfile.read(length).decode()}".encode()
    handler.send_response(200)
    handler.send_header("X-Seen", "yes")
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


def redirect(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(301)
    handler.send_header("Location", "https://elsewhere.example/")
    handler.end_headers()


@pytest.mark.parametrize(
    ("url", "connect_to", "expected"),
    [
        ("http://a.example/x?y=1", "", Endpoint("http", "a.example", 80, "/x?y=1", "a.example", 80)),
        ("https://a.example", "", Endpoint("https", "a.example", 443, "/", "a.example", 443)),
        ("wss://a.example/ws", "127.0.0.1", Endpoint("wss", "a.example", 443, "/ws", "127.0.0.1", 443)),
        ("https://a.example/", "127.0.0.1:8443", Endpoint("https", "a.example", 443, "/", "127.0.0.1", 8443)),
        ("http://a.example:81/", "[::1]:82", Endpoint("http", "a.example", 81, "/", "::1", 82)),
        ("http://a.example/", "::1", Endpoint("http", "a.example", 80, "/", "::1", 80)),
        ("http://[::1]:81/", "", Endpoint("http", "::1", 81, "/", "::1", 81)),
    ],
    ids=["path-and-query", "bare-host", "other-address", "other-address-and-port", "ipv6-port", "ipv6", "ipv6-url"],
)
def test_urls_are_read(url: str, connect_to: str, expected: Endpoint) -> None:
    assert parse_url(url, connect_to) == expected


@pytest.mark.parametrize("url", ["app.example.com", "ftp://a/", "http://", "http://a:port/"])
def test_what_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(InvalidInput, match="URL"):
        parse_url(url)


def test_address_that_is_none_is_refused() -> None:
    with pytest.raises(InvalidInput, match="not an address"):
        parse_url("http://a/", "127.0.0.1:http")


@pytest.mark.parametrize(
    ("url", "authority"),
    [
        ("https://a.example/", "a.example"),
        ("https://a.example:443/", "a.example"),
        ("https://a.example:8443/", "a.example:8443"),
        ("http://[::1]:81/", "[::1]:81"),
    ],
)
def test_host_header_names_the_port_only_where_it_is_unusual(url: str, authority: str) -> None:
    assert parse_url(url).authority == authority


def test_request_carries_method_path_host_and_body() -> None:
    with http_server(echo) as port:
        answer = request("http://app.example/api?x=1", method="POST", body=b"hello", connect_to=f"127.0.0.1:{port}")
    assert answer.status == 200
    assert answer.body == b"POST /api?x=1 app.example hello"
    assert answer.headers["x-seen"] == "yes"
    assert answer.certificate is None


def test_redirect_is_an_answer_and_not_followed() -> None:
    with http_server(redirect) as port:
        answer = request(f"http://127.0.0.1:{port}/")
    assert (answer.status, answer.headers["location"]) == (301, "https://elsewhere.example/")


def test_certificate_is_described(authority: Authority) -> None:
    with http_server(echo, authority.server_context("app.example", "www.app.example", days=10)) as port:
        answer = request("https://app.example/", connect_to=f"127.0.0.1:{port}", ca=authority.pem)
    assert answer.certificate is not None
    assert answer.certificate.names == ("app.example", "www.app.example")
    assert answer.certificate.issuer == "Test CA"
    assert 9.9 < (answer.certificate.not_after.timestamp() - time.time()) / 86400 < 10.1
    assert answer.certificate.not_before.timestamp() <= time.time()
    assert len(answer.certificate.fingerprint) == 64


def test_certificate_of_an_unknown_authority_is_not_trusted(authority: Authority) -> None:
    with (
        http_server(echo, authority.server_context("app.example")) as port,
        pytest.raises(ConnectionFailed, match="not trusted: unable to get local issuer certificate"),
    ):
        request("https://app.example/", connect_to=f"127.0.0.1:{port}")


def test_certificate_of_another_name_is_not_trusted(authority: Authority) -> None:
    with (
        http_server(echo, authority.server_context("other.example")) as port,
        pytest.raises(ConnectionFailed, match="not trusted: Hostname mismatch"),
    ):
        request("https://app.example/", connect_to=f"127.0.0.1:{port}", ca=authority.pem)


def test_expired_certificate_is_not_trusted(authority: Authority) -> None:
    with (
        http_server(echo, authority.server_context("app.example", days=-1)) as port,
        pytest.raises(ConnectionFailed, match="certificate has expired"),
    ):
        request("https://app.example/", connect_to=f"127.0.0.1:{port}", ca=authority.pem)


def test_ca_that_is_none_is_refused(authority: Authority) -> None:
    with (
        http_server(echo, authority.server_context("app.example")) as port,
        pytest.raises(InvalidInput, match="not a PEM certificate"),
    ):
        request("https://app.example/", connect_to=f"127.0.0.1:{port}", ca="nonsense")


def test_nothing_listening_is_said() -> None:
    port = free_port()
    with pytest.raises(ConnectionFailed, match=f"Nothing listens on 127.0.0.1:{port}"):
        request(f"http://127.0.0.1:{port}/")


def test_name_that_does_not_resolve_is_said() -> None:
    with pytest.raises(ConnectionFailed, match=r"nowhere\.invalid does not resolve"):
        request("http://nowhere.invalid/")


def test_closed_connection_is_said() -> None:
    with (
        tcp_server(lambda connection: connection.recv(1000) and None) as port,
        pytest.raises(ConnectionFailed, match="closed the connection without an answer"),
    ):
        request(f"http://127.0.0.1:{port}/")


def test_another_protocol_is_said() -> None:
    def greet(connection: socket.socket) -> None:
        connection.recv(1000)
        connection.sendall(b"220 mail.example ESMTP\r\n")

    with tcp_server(greet) as port, pytest.raises(ConnectionFailed, match="did not answer in HTTP"):
        request(f"http://127.0.0.1:{port}/")


def silent(connection: socket.socket) -> None:
    """Say nothing until the other side gives up."""
    while connection.recv(1000):
        pass


def dripping_body(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        connection.sendall(b"x")
        time.sleep(0.05)


@pytest.mark.parametrize("serve", [silent, dripping_body], ids=["silent", "dripping-body"])
def test_time_out_covers_the_whole_answer(serve: Callable[[socket.socket], None]) -> None:
    began = time.monotonic()
    with tcp_server(serve) as port, pytest.raises(ConnectionFailed, match=r"did not answer within 0\.3 s"):
        request(f"http://127.0.0.1:{port}/", timeout=0.3)
    assert time.monotonic() - began < 1


def test_time_out_covers_the_handshake() -> None:
    began = time.monotonic()
    with tcp_server(silent) as port, pytest.raises(ConnectionFailed, match=r"did not answer within 0\.3 s"):
        request("https://app.example/", connect_to=f"127.0.0.1:{port}", timeout=0.3)
    assert time.monotonic() - began < 1


def test_tls_with_a_plain_server_is_said() -> None:
    with http_server(echo) as port, pytest.raises(ConnectionFailed, match="TLS with"):
        request("https://app.example/", connect_to=f"127.0.0.1:{port}", timeout=2)
