"""Debian packages the machine itself needs: which are missing, and how they get here."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from testbed.errors import BedError
from testbed.progress import Progress
from testbed.runner import run

ENGINE: Mapping[str, str] = {"dockerd": "docker.io", "containerd": "containerd", "iptables": "iptables"}
BOOTSTRAP: Mapping[str, str] = {"mmdebstrap": "mmdebstrap"}

POLICY = Path("/usr/sbin/policy-rc.d")


def missing(wanted: Mapping[str, str], which: Callable[[str], str | None] = shutil.which) -> list[str]:
    """The packages of those programs that are not on the PATH."""
    return sorted({package for program, package in wanted.items() if which(program) is None})


def install(wanted: Mapping[str, str], why: str, progress: Progress) -> None:
    """Install what is missing with apt; say so, or say what the operator has to do."""
    packages = missing(wanted)
    if not packages:
        return
    listed = " ".join(packages)
    if shutil.which("apt-get") is None:
        raise BedError(
            f"{why} needs {listed}, and this machine has no apt-get to install it with.",
            "Install and start Docker the way this distribution does it, then run the command again.",
        )
    if os.geteuid() != 0:
        raise BedError(
            f"{why} needs {listed}, and only root may install packages.",
            f"Run `sudo apt-get install --no-install-recommends {listed}`, or this command as root, "
            "or start a Docker engine you may use (group docker).",
        )
    progress.say(f"installing on this machine with apt: {listed} ({why}); they stay installed after `down`")
    environment = {"DEBIAN_FRONTEND": "noninteractive"}
    with _services_stay_off():
        run(("apt-get", "update", "-q"), environment=environment, next_step="Check /etc/apt and the network.")
        run(
            ("apt-get", "install", "-q", "-y", "--no-install-recommends", *packages),
            environment=environment,
            next_step=f"Run `apt-get install {listed}` by hand and mend what it reports.",
        )


@contextmanager
def _services_stay_off() -> Iterator[None]:
    """Debian starts a service when it installs it; the bed wants the program, not a second engine on this machine."""
    if POLICY.exists():
        yield
        return
    POLICY.write_text("#!/bin/sh\nexit 101\n", encoding="ascii")
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        POLICY.unlink()
