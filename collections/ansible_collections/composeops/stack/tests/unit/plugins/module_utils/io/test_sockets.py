"""The kernel's tables of sockets, as recorded on a real host, to listeners."""

# ruff: noqa: S104 (addresses that were read, nothing is bound to them)

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.io import sockets
from ansible_collections.composeops.stack.plugins.module_utils.io.sockets import Listener, parse

HEADING = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"


def row(address: str, state: str, inode: str = "4711") -> str:
    return (
        f"   0: {address} 00000000:0000 {state} 00000000:00000000 00:00000000 00000000     0        0 {inode} 1 0 100\n"
    )


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("0100007F:1F90", Listener("127.0.0.1", 8080, "4711")),
        ("00000000:0016", Listener("0.0.0.0", 22, "4711")),
        ("00000000000000000000000000000000:0050", Listener("::", 80, "4711")),
        ("00000000000000000000000001000000:0277", Listener("::1", 631, "4711")),
        ("0000000000000000FFFF00000100007F:01BB", Listener("127.0.0.1", 443, "4711")),
    ],
    ids=["ipv4-loopback", "ipv4-any", "ipv6-any", "ipv6-loopback", "ipv4-mapped"],
)
def test_listening_sockets_are_read(address: str, expected: Listener) -> None:
    assert parse(HEADING + row(address, "0A")) == [expected]


def test_established_connections_are_not_listeners() -> None:
    assert parse(HEADING + row("0100007F:1F90", "01")) == []


@pytest.mark.parametrize(
    ("address", "reachable"),
    [("127.0.0.1", False), ("127.0.0.53", False), ("::1", False), ("0.0.0.0", True), ("10.1.2.3", True), ("::", True)],
)
def test_only_loopback_is_out_of_reach(address: str, reachable: bool) -> None:
    assert Listener(address, 80, "1").reachable_from_outside is reachable


def test_own_listener_is_found_with_its_process() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        found = [listener for listener in sockets.listening() if listener.port == port]
        named = sockets.with_processes(found)
    assert [(listener.address, listener.process) for listener in named] == [
        ("127.0.0.1", Path("/proc/self/comm").read_text().strip())
    ]
