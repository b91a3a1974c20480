"""A host and this machine by IPv6: with the addresses of their link, so that the test bed needs no network for it."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.integration.bed_host import BedHost

NO_IPV6 = "/proc/sys/net/ipv6/conf/eth0/disable_ipv6"


def device(host: BedHost) -> str:
    """Return the machine's interface that leads to the host."""
    route = ["ip", "-json", "route", "get", host.address]
    return str(json.loads(subprocess.run(route, check=True, capture_output=True, text=True).stdout)[0]["dev"])


def own_address(interface: str) -> str:
    """Return the machine's address on the link of one of its interfaces."""
    argv = ["ip", "-json", "-6", "address", "show", "dev", interface, "scope", "link"]
    found = json.loads(subprocess.run(argv, check=True, capture_output=True, text=True).stdout)
    return str(found[0]["addr_info"][0]["local"])


@contextmanager
def enabled(host: BedHost) -> Iterator[str]:
    """Switch IPv6 on, and give the host's address as this machine reaches it."""
    interface = device(host)
    host.run(f"echo 0 > {NO_IPV6}", check=True)
    try:
        yield f"{_confirmed(host)}%{interface}"
    finally:
        host.run(f"echo 1 > {NO_IPV6}", check=True)


def _confirmed(host: BedHost) -> str:
    """Return the address once the kernel has made sure that nobody else has it."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        found = json.loads(host.output("ip -json -6 address show dev eth0 scope link -tentative") or "[]")
        if found and found[0].get("addr_info"):
            return str(found[0]["addr_info"][0]["local"])
        time.sleep(0.2)
    raise AssertionError("eth0 of the host has no IPv6 address; this test needs a machine with IPv6")
