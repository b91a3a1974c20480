# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The host that checks run on: its containers, secrets and backups, and what could answer from outside."""

from __future__ import annotations

import json
import os
import re
import threading
from datetime import datetime, timezone

from ansible_collections.composeops.stack.plugins.module_utils.backup import catalogue, settings, timers
from ansible_collections.composeops.stack.plugins.module_utils.backup.model import Entry
from ansible_collections.composeops.stack.plugins.module_utils.backup.pitr import measure
from ansible_collections.composeops.stack.plugins.module_utils.backup.pitr.lag import Lag
from ansible_collections.composeops.stack.plugins.module_utils.io import sockets
from ansible_collections.composeops.stack.plugins.module_utils.io.docker import Docker
from ansible_collections.composeops.stack.plugins.module_utils.io.runner import Runner
from ansible_collections.composeops.stack.plugins.module_utils.io.s3 import Bucket
from ansible_collections.composeops.stack.plugins.module_utils.secrets import store

REBOOT_REQUIRED = "/run/reboot-required"
_PUBLISHED = re.compile(r"(?P<address>\S+):(?P<first>\d+)(?:-(?P<last>\d+))?->")


class LocalHost:
    """This host, through its files, its engine and its backup store."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        self._docker = Docker(runner)
        self._opening = threading.Lock()
        self._bucket: Bucket | None = None

    @property
    def docker(self) -> Docker:
        return self._docker

    def secret(self, stack: str, name: str) -> str:
        return store.get(stack, name)

    def newest_backup(self, source: str) -> tuple[str, datetime] | None:
        bucket, name, host = self._place(source)
        newest = catalogue.newest(bucket, name, host)
        return (newest.id, newest.created) if newest else None

    def backups(self, source: str) -> list[Entry]:
        return catalogue.entries(*self._place(source))

    def drilled_since(self, source: str) -> datetime | None:
        try:
            written = os.stat(timers.drill_path(source)).st_mtime
        except FileNotFoundError:
            return None
        return datetime.fromtimestamp(written, timezone.utc)

    def unsent(self, source: str) -> Lag:
        configured = settings.require()
        return measure.measure(configured, configured.source(source), self._runner)

    def failed_units(self) -> list[str]:
        """Return the units that failed; systemd keeps them until they run again, or until somebody has it forget."""
        listed = self._runner.run(["systemctl", "list-units", "--failed", "--all", "--plain", "--no-legend"])
        return [line.split()[0] for line in listed.stdout.splitlines() if line.strip()]

    def reboot_wanted_since(self) -> datetime | None:
        """Return when the first update asked for a reboot, which the packages of kernels do by a file."""
        try:
            written = os.stat(REBOOT_REQUIRED).st_mtime
        except FileNotFoundError:
            return None
        return datetime.fromtimestamp(written, timezone.utc)

    def _place(self, source: str) -> tuple[Bucket, str, str]:
        """Return where the backups of a source are."""
        configured = settings.require()
        name = configured.source(source).name
        # Checks run at the same time, and opening the bucket costs more than everything that is asked of it.
        with self._opening:
            if self._bucket is None:
                self._bucket = catalogue.open_bucket(configured.store)
            return self._bucket, name, configured.host

    def listening(self) -> list[int]:
        """Return every TCP port that something outside could reach if no firewall stood before it.

        A port that the engine publishes may have no listening process: the kernel rewrites its packets.
        """
        own = {listener.port for listener in sockets.listening() if listener.reachable_from_outside}
        completed = self._runner.run(["docker", "ps", "--format", "{{json .Ports}}"], check=False)
        lines = completed.stdout.splitlines() if completed.ok else []
        return sorted(own | {port for line in lines for port in published_ports(json.loads(line))})


def published_ports(text: str) -> set[int]:
    """Read the host ports out of what `docker ps` says of one container, those on the loopback left out."""
    found = set()
    for match in _PUBLISHED.finditer(text):
        if match["address"] in ("127.0.0.1", "[::1]"):
            continue
        found |= set(range(int(match["first"]), int(match["last"] or match["first"]) + 1))
    return found
