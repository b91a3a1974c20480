# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Judges a host against what a system needs of it; pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.composeops.stack.plugins.module_utils.preflight.model import Hint, Problem

UNTESTED = ("ubuntu-22.04", "ubuntu-24.04")
"""Systems that the roles are prepared for, and that no test has run them on."""


@dataclass(frozen=True)
class Machine:
    """What was seen of a host."""

    system: str
    """Such as ``debian-13``."""
    system_name: str
    python: tuple[int, ...]
    memory_mib: int
    free_mib: Mapping[str, int]

    @property
    def facts(self) -> dict[str, str]:
        """What roles choose packages by, under the names that Ansible's own facts have."""
        distribution, _, version = self.system.partition("-")
        return {"distribution": distribution.capitalize(), "distribution_version": version}


@dataclass(frozen=True)
class Requirements:
    """What a system needs of its host."""

    systems: Collection[str]
    python: tuple[int, ...]
    memory_mib: int
    free_mib: Mapping[str, int]


@dataclass(frozen=True)
class Resolution:
    """What a name resolves to on the host, or why it does not."""

    name: str
    addresses: tuple[str, ...] = ()
    error: str = ""


def machine_hints(machine: Machine) -> list[Hint]:
    """Return what an operator should know of the host."""
    if machine.system not in UNTESTED:
        return []
    return [
        Hint("system", f"{machine.system_name} is supported and untested: roles know its packages, no test ran on it")
    ]


def machine_problems(machine: Machine, required: Requirements) -> list[Problem]:
    """Return what the host is, or has too little of."""
    found = []
    if machine.system not in required.systems:
        supported = ", ".join(sorted(required.systems))
        found.append(
            Problem(
                "system",
                f"this host runs {machine.system_name} ({machine.system}), which is not supported.",
                f"Use one of: {supported}.",
            )
        )
    if machine.python < required.python:
        found.append(
            Problem(
                "system",
                f"Python here is {_dotted(machine.python)}, and at least {_dotted(required.python)} is needed.",
                "Install it, and name it in ansible_python_interpreter.",
            )
        )
    if machine.memory_mib < required.memory_mib:
        found.append(
            Problem(
                "memory",
                f"this host has {machine.memory_mib} MiB, and at least {required.memory_mib} MiB are needed.",
                "Give it more, or lower preflight_minimum_memory_mib.",
            )
        )
    for path, needed in required.free_mib.items():
        free = machine.free_mib[path]
        if free < needed:
            found.append(
                Problem(
                    "disk",
                    f"{path} has {free} MiB free, and at least {needed} MiB are needed.",
                    "Free some (`docker system df` shows what images take), or lower preflight_minimum_free_mib.",
                )
            )
    return found


def clock_problems(host: float, earliest: float, latest: float, tolerance: float, whose: str) -> list[Problem]:
    """Return a problem where the host's clock is off: it was read between two moments of another clock."""
    off = host - latest if host > latest else min(0.0, host - earliest)
    if abs(off) <= tolerance:
        return []
    direction = "ahead of" if off > 0 else "behind"
    return [
        Problem(
            "clock",
            f"this host's clock is {abs(off):.0f} s {direction} {whose}, and {tolerance:g} s are tolerated.",
            "Set it (see `timedatectl` on the host): certificates and the backup store depend on it.",
        )
    ]


def name_problems(resolutions: Sequence[Resolution], own: Collection[str], public: Collection[str]) -> list[Problem]:
    """Return the names whose certificate could not be issued, because they do not lead to this host.

    ``public`` are the addresses of a host behind NAT; they replace the host's own, which the world does not see.
    """
    expected = set(public) or set(own)
    found = []
    for resolution in resolutions:
        strangers = sorted(set(resolution.addresses) - expected)
        addresses = ", ".join(strangers)
        if resolution.error:
            reason = f"{resolution.name} does not resolve on this host: {resolution.error}."
        elif all(_loopback(address) for address in resolution.addresses):
            reason = f"{resolution.name} resolves to {addresses} on this host, which says nothing about the world."
        elif strangers:
            reason = (
                f"{resolution.name} resolves to {addresses}, which is not this host ({', '.join(sorted(expected))})."
            )
        else:
            continue
        found.append(
            Problem(
                "names",
                reason,
                "Correct its DNS record (and /etc/hosts); behind NAT, list the address in edge_public_addresses.",
            )
        )
    return found


def _loopback(address: str) -> bool:
    return address.startswith("127.") or address == "::1"


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))
