"""Packets between a private engine's network and the world: forwarding, and rules that carry the bed's name.

The private engine is told to leave iptables alone, because every dockerd clears the chains of every other one when it
starts. The few rules the bed needs are its own, found again by their comment.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from testbed.errors import BedError
from testbed.names import LABEL
from testbed.runner import run
from testbed.state import NetworkRecord

FORWARDING = Path("/proc/sys/net/ipv4/ip_forward")


@dataclass(frozen=True)
class Rule:
    """One iptables rule."""

    table: str
    chain: str
    match: tuple[str, ...]

    def argv(self, action: str) -> tuple[str, ...]:
        return ("iptables", "--wait", "10", "-t", self.table, action, self.chain, *self.match)


def rules(bed: str, network: NetworkRecord) -> list[Rule]:
    """What the bed's network needs; -I, so that a machine's own final reject does not hide them."""
    comment = ("-m", "comment", "--comment", f"{LABEL}={bed}")
    return [
        Rule("nat", "POSTROUTING", ("-s", network.subnet, "!", "-o", network.bridge, *comment, "-j", "MASQUERADE")),
        Rule("filter", "FORWARD", ("-i", network.bridge, *comment, "-j", "ACCEPT")),
        Rule("filter", "FORWARD", ("-o", network.bridge, *comment, "-j", "ACCEPT")),
    ]


def ensure(bed: str, network: NetworkRecord) -> bool:
    """Put the missing rules in; True when something was missing."""
    absent = [rule for rule in rules(bed, network) if not _present(rule)]
    for rule in absent:
        run(rule.argv("-I"), next_step="The private engine's network needs iptables with NAT in this kernel.")
    return bool(absent)


def remove(bed: str, network: NetworkRecord) -> None:
    for rule in rules(bed, network):
        while _present(rule):
            run(rule.argv("-D"))


def _present(rule: Rule) -> bool:
    return subprocess.run(rule.argv("-C"), capture_output=True, check=False).returncode == 0


def forwarding() -> bool:
    return FORWARDING.read_text(encoding="ascii").strip() == "1"


def enable_forwarding() -> None:
    try:
        FORWARDING.write_text("1\n", encoding="ascii")
    except OSError as error:
        raise BedError(
            f"IPv4 forwarding cannot be switched on: {error}",
            "Run `sysctl -w net.ipv4.ip_forward=1` as root, then this command again.",
        ) from error


def disable_forwarding_unless_used() -> bool:
    """Forwarding goes back to off, unless another bed on this machine still lives on it."""
    if LABEL in run(("iptables", "--wait", "10", "-t", "nat", "-S", "POSTROUTING")):
        return False
    FORWARDING.write_text("0\n", encoding="ascii")
    return True
