"""What could answer from outside."""

from __future__ import annotations

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.checks.host import published_ports


@pytest.mark.parametrize(
    ("ports", "expected"),
    [
        ("", set()),
        ("5432/tcp", set()),
        ("127.0.0.1:21000->3000/tcp", set()),
        ("[::1]:21000->3000/tcp", set()),
        ("0.0.0.0:5432->5432/tcp, [::]:5432->5432/tcp", {5432}),
        (":::6379->6379/tcp", {6379}),
        ("0.0.0.0:8000-8002->8000-8002/tcp", {8000, 8001, 8002}),
        ("127.0.0.1:21000->3000/tcp, 10.0.0.5:9000->9000/tcp, 9100/tcp", {9000}),
    ],
    ids=["none", "not-published", "loopback", "ipv6-loopback", "any", "any-ipv6", "range", "mixed"],
)
def test_ports_published_beyond_the_loopback_are_read(ports: str, expected: set[int]) -> None:
    assert published_ports(ports) == expected
