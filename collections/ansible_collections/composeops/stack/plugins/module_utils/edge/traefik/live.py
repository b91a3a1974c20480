# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The directory that Traefik watches: written file by file, confirmed by Traefik, put back where it objects."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Mapping

from ansible_collections.composeops.stack.plugins.module_utils.edge.traefik.plan import describe, stages
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.io import files
from ansible_collections.composeops.stack.plugins.module_utils.io.traefik import Traefik
from ansible_collections.composeops.stack.plugins.module_utils.release import traefik_file

TIMEOUT = 30.0
"""Seconds until Traefik has taken what was written; it may have been started just before."""
POLL = 0.05
SUFFIX = ".yml"


class LiveDirectory:
    """The files that Traefik reads, and Traefik."""

    def __init__(
        self,
        traefik: Traefik,
        directory: str = traefik_file.DIRECTORY,
        *,
        sleep: Callable[[float], None] = time.sleep,
        timeout: float = TIMEOUT,
    ) -> None:
        self._traefik = traefik
        self._directory = directory
        self._sleep = sleep
        self._timeout = timeout

    def files(self) -> dict[str, str]:
        """Return every file that Traefik reads."""
        with contextlib.suppress(FileNotFoundError):
            names = sorted(name for name in os.listdir(self._directory) if name.endswith(SUFFIX))
            return {name: files.read_text(os.path.join(self._directory, name)) or "" for name in names}
        return {}

    def publish(self, wanted: Mapping[str, str]) -> None:
        """Have Traefik serve by ``wanted``; put back what was there when it does not, and raise why."""
        before = self.files()
        try:
            for stage in stages(wanted, before):
                self._write(stage)
                self._confirm(stage)
            self._require_working_routers()
        except ComposeOpsError as error:
            self._write(before)
            served = "What was there before was put back; correct it and run again."
            raise ComposeOpsError(error.message, error.remedy or served) from error

    def confirm(self) -> None:
        """Raise where Traefik does not serve by what is on disk."""
        self._confirm(self.files())

    def nudge(self) -> None:
        """Have Traefik look at its configuration anew, which also makes it ask for missing certificates again."""
        name = "nudge.yml"
        path = os.path.join(self._directory, name)
        _write_file(path, traefik_file.file(name, {"http": {"middlewares": _stamp()}}))
        self._sleep(1)
        os.unlink(path)

    def _require_working_routers(self) -> None:
        objections = self._traefik.objections()
        if objections:
            said = "; ".join(f"{router}: {why}" for router, why in sorted(objections.items()))
            raise ComposeOpsError(f"Traefik refuses {said}.")

    def _write(self, tree: Mapping[str, str]) -> None:
        there = self.files()
        for name, text in tree.items():
            if there.get(name) != text:
                _write_file(os.path.join(self._directory, name), text)
        for name in there:
            if name not in tree:
                os.unlink(os.path.join(self._directory, name))

    def _confirm(self, tree: Mapping[str, str]) -> None:
        deadline = time.monotonic() + self._timeout
        waiting = {name: traefik_file.marker(text) for name, text in tree.items()}
        while True:
            try:
                waiting = {name: marker for name, marker in waiting.items() if not self._traefik.has_taken(marker)}
                why = f"Traefik did not take {', '.join(describe(name) for name in waiting)}"
            except ComposeOpsError as error:
                why = error.message.rstrip(".")
            if not waiting:
                return
            if time.monotonic() > deadline:
                raise ComposeOpsError(
                    f"{why} within {self._timeout:g} s.",
                    "`journalctl -u traefik` on the host says why. What was there before was put back.",
                )
            self._sleep(POLL)


def _stamp() -> dict[str, object]:
    return {f"nudge-{time.time_ns()}": {"headers": {"customResponseHeaders": {"X-Composeops": "nudge"}}}}


def _write_file(path: str, text: str) -> None:
    files.write_atomically(path, text.encode(), mode=0o644, uid=os.geteuid(), gid=os.getegid())
