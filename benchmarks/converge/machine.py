"""Facts about the machine and the versions a result holds for."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

IDLE_LOAD = 0.5
"""A load average above this, before anything was started, means that others use the machine too."""

LOAD = "load average at the start"

PACKAGES = ("ansible-core", "ansible", "mitogen", "pyinfra", "jinja2", "paramiko")


def processor() -> str:
    """The processor's name as the kernel gives it."""
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def memory_gib() -> int:
    return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30)


def versions(packages: Sequence[str] = PACKAGES) -> str:
    return ", ".join(f"{package} {metadata.version(package)}" for package in packages)


def facts() -> dict[str, str]:
    """What is printed above the results."""
    load = os.getloadavg()[0]
    idle = "idle" if load <= IDLE_LOAD else "NOT idle: the figures are worth little"
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "machine": f"{processor()}, {os.cpu_count()} cores, {memory_gib()} GiB, Linux {platform.release()}",
        LOAD: f"{load:.2f} ({idle})",
        "controller": f"Python {platform.python_version()}, {versions()}",
    }
