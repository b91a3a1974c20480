# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Installs and removes packages with apt-get, without questions and without touching changed configuration files."""

from __future__ import annotations

import fcntl
import os
import re
import time
from collections.abc import Sequence

from ansible_collections.composeops.stack.plugins.module_utils.errors import CommandError, ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.io.runner import Completed, Runner

LISTS = "/var/lib/apt/lists"
LISTS_LOCK = f"{LISTS}/lock"
FRESH_SECONDS = 3600.0
LOCK_SECONDS = 300
LOCK_POLL = 0.5
TIMEOUT = 1800.0

# Kept when changed: a package never overwrites a configuration file that differs from the one it brought.
KEEP_CONFIGURATION = ("--force-confdef", "--force-confold")
ENVIRONMENT = {"DEBIAN_FRONTEND": "noninteractive", "NEEDRESTART_SUSPEND": "1", "APT_LISTCHANGES_FRONTEND": "none"}
UNKNOWN_PACKAGE = re.compile(r"Unable to locate package (\S+)|Package '?([^' ]+)'? has no installation candidate")
STALE_LISTS = re.compile(r"404 +Not Found|Unable to fetch some archives")


class Apt:
    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    def finish_interrupted(self) -> None:
        self._run(["dpkg", "--configure", "--pending", *KEEP_CONFIGURATION])
        self._run([*self._command("install"), "--fix-broken"])

    def install(self, names: Sequence[str]) -> None:
        """Install packages; the lists are fetched first when they are old, or when they prove to be."""
        argv = [*self._command("install"), "--no-install-recommends", *names]
        fetched = lists_age() > FRESH_SECONDS
        if fetched:
            self.update()
        completed = self._run(argv, check=False)
        said = completed.stdout + completed.stderr
        if not completed.ok and not fetched and (UNKNOWN_PACKAGE.search(said) or STALE_LISTS.search(said)):
            self.update()
            completed = self._run(argv, check=False)
        if not completed.ok:
            raise _failure(completed, f"Packages {', '.join(names)} were not installed")

    def remove(self, names: Sequence[str]) -> None:
        """Remove packages, keeping their configuration; refuse when others would have to go with them."""
        simulated = self._run([*self._command("remove"), "--simulate", *names])
        others = removals(simulated.stdout) - set(names)
        if others:
            raise ComposeOpsError(
                f"Removing {', '.join(names)} would also remove {', '.join(sorted(others))}.",
                "List them under absent_packages as well if that is wanted.",
            )
        self._run([*self._command("remove"), *names])

    def update(self) -> None:
        wait_for_lists()
        self._run([*self._command("update"), "--error-on=any"])

    def _command(self, command: str) -> list[str]:
        dpkg_options = [word for option in KEEP_CONFIGURATION for word in ("--option", f"Dpkg::Options::={option}")]
        return [
            *("apt-get", "--yes", "--quiet=2", "--option", f"DPkg::Lock::Timeout={LOCK_SECONDS}"),
            *dpkg_options,
            command,
        ]

    def _run(self, argv: Sequence[str], *, check: bool = True) -> Completed:
        completed = self._runner.run(argv, environment=ENVIRONMENT, timeout=TIMEOUT, check=False)
        if check and not completed.ok:
            raise _failure(completed, f"`{' '.join(argv)}` failed")
        return completed


def lists_age(directory: str = LISTS) -> float:
    """Return the seconds since package lists were last fetched; very many where there are none."""
    try:
        lists = [name for name in os.listdir(directory) if name.endswith(("Packages", "Release", "Packages.lz4"))]
        if not lists:
            return float("inf")
        return time.time() - os.stat(directory).st_mtime
    except FileNotFoundError:
        return float("inf")


def wait_for_lists(path: str = LISTS_LOCK, limit: float = LOCK_SECONDS) -> None:
    """Wait until nobody fetches package lists: apt waits for dpkg's lock, but gives up at once on this one.

    A host that has just booted fetches its lists by itself, which is when it is first configured, too.
    """
    if not os.path.exists(path):
        return
    deadline = time.monotonic() + limit
    with open(path, "r+", encoding="utf-8") as stream:
        while True:
            try:
                fcntl.lockf(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                if time.monotonic() >= deadline:
                    raise ComposeOpsError(
                        f"{path} was held by another program for {limit:g} s.", "Let it finish, then run again."
                    ) from error
                time.sleep(LOCK_POLL)
            else:
                return


def removals(simulation: str) -> set[str]:
    """Return the packages that `apt-get --simulate` says it would remove."""
    return {line.split()[1] for line in simulation.splitlines() if line.startswith(("Remv ", "Purg "))}


def _failure(completed: Completed, message: str) -> ComposeOpsError:
    said = (completed.stderr or completed.stdout).strip()
    unknown = UNKNOWN_PACKAGE.search(completed.stdout + completed.stderr)
    if unknown:
        name = unknown.group(1) or unknown.group(2)
        return CommandError(
            f"{message}: apt knows no package {name}.", "Correct its name, or add the source that has it."
        )
    return CommandError(
        f"{message}; it said: {said or 'nothing'}.",
        "Look at /var/log/apt/term.log on the host.",
        returncode=completed.returncode,
        stderr=completed.stderr,
    )
