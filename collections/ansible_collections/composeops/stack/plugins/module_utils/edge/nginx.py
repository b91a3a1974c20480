# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The nginx of this host: its version, its judgement of a configuration, its reload, and what it has loaded."""

from __future__ import annotations

import contextlib
import glob
import http.client
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator

from ansible_collections.composeops.stack.plugins.module_utils.edge import capabilities, draining, processes, upgrade
from ansible_collections.composeops.stack.plugins.module_utils.edge.live import ROOT, NotLoaded
from ansible_collections.composeops.stack.plugins.module_utils.edge.plan import describe
from ansible_collections.composeops.stack.plugins.module_utils.edge.render import DRAINING, STATUS_HOST
from ansible_collections.composeops.stack.plugins.module_utils.errors import CommandError, ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.io import files
from ansible_collections.composeops.stack.plugins.module_utils.io.runner import Completed, Runner

MAIN_CONFIGURATION = "/etc/nginx/nginx.conf"
MODULES = "/etc/nginx/modules-enabled/*.conf"
ERROR_LOG = "/var/log/nginx/error.log"
LIVE = os.path.join(ROOT, "live")
UNIT = "nginx.service"
RELOAD_TIMEOUT = 10.0
"""Seconds a reload may take until the new configuration answers; usually it is a twentieth of a second."""
POLL = 0.02

_INCLUDE = re.compile(r"^\s*include\s+composeops/live/\*\.conf;", re.MULTILINE)
_COMPLAINT = re.compile(r"\[(?:emerg|crit|alert)\] (?:\d+#\d+: )?(?P<problem>.*)")
_REFUSAL = re.compile(r"\[emerg\] (?:\d+#\d+: )?(?P<problem>.*)")
_PLACE = re.compile(r" in (?P<file>\S+):(?P<line>\d+)$")
_IDLE = re.compile(r"^Reading: \d+ Writing: \d+ Waiting: (\d+)", re.MULTILINE)
_WARNING = re.compile(r"\[warn\] (?:\d+#\d+: )?(.*)")


class Nginx:
    """nginx as systemd runs it; main configuration and port can be given for tests."""

    def __init__(
        self,
        runner: Runner,
        *,
        main: str = MAIN_CONFIGURATION,
        live: str = LIVE,
        error_log: str = ERROR_LOG,
        port: int = 80,
    ) -> None:
        self._runner = runner
        self._main = main
        self._live = live
        self._error_log = error_log
        self._port = port

    def capabilities(self) -> capabilities.Capabilities | None:
        """Return what this nginx understands, or None where none is installed."""
        completed = self._runner.run(["nginx", "-V"], check=False)
        if not completed.ok:
            return None
        # Where IPv6 is compiled out or disabled at boot, `listen [::]:80` would keep nginx from starting.
        ipv6 = os.path.exists("/proc/net/if_inet6")
        loaded = "".join(files.read_text(path) or "" for path in sorted(glob.glob(MODULES)))
        return capabilities.parse(completed.stderr, ipv6=ipv6, modules=loaded)

    def includes_live_tree(self) -> bool:
        """Whether the main configuration is the one that serves our sites."""
        return bool(_INCLUDE.search(files.read_text(self._main) or ""))

    def test_tree(self, tree: str) -> list[str]:
        """Raise what nginx has against ``tree`` in the place of the live one; return its warnings.

        nginx resolves relative includes from the directory of its main configuration. A copy of the real one, beside
        a link to ``tree``, is therefore a complete candidate, read byte for byte as it will be read live.
        """
        if not self.includes_live_tree():
            raise ComposeOpsError(
                f"{self._main} does not include composeops/live/*.conf, so no site would be served.",
                "Run the role edge, which writes this file.",
            )
        with tempfile.TemporaryDirectory(prefix="composeops-nginx-") as candidate:
            shutil.copyfile(self._main, os.path.join(candidate, "nginx.conf"))
            os.mkdir(os.path.join(candidate, "composeops"))
            os.symlink(tree, os.path.join(candidate, "composeops", "live"))
            completed = self._runner.run(["nginx", "-t", "-c", os.path.join(candidate, "nginx.conf")], check=False)
            if not completed.ok:
                raise ComposeOpsError(
                    explain(completed.stderr, candidate), "Nothing was changed; correct it and run again."
                )
        return warnings(completed)

    def test_live(self) -> None:
        """Raise what nginx has against the configuration on disk."""
        completed = self._runner.run(["nginx", "-t"], check=False)
        if not completed.ok:
            raise ComposeOpsError(explain(completed.stderr))

    @contextlib.contextmanager
    def drained(self) -> Iterator[None]:
        """Surround a reload, until the workers of before keep no connection, so that no client loses one in use."""
        if not os.path.exists(os.path.join(self._live, DRAINING)):
            yield
            return
        with draining.drained(self.idle_connections):
            before = processes.workers()
            yield
            processes.wait_until_replaced(before)

    def end_draining(self) -> None:
        """End what a run or an upgrade left that was killed while it drained connections."""
        upgrade.end_left(self._runner)

    def reload(self) -> None:
        """Have nginx read its configuration again, or start it where it is not running."""
        self._runner.run(["systemctl", "reload-or-restart", UNIT])

    def reload_until(self, generation: int) -> None:
        """Reload and wait until ``generation`` answers; raise what nginx logged when it does not.

        A reload only signals nginx, which then may refuse the configuration without anyone hearing of it.
        """
        with self.drained():
            self._reload_until(generation)

    def _reload_until(self, generation: int) -> None:
        position = self._log_size()
        try:
            self.reload()
        except CommandError as error:
            raise ComposeOpsError(f"nginx could not be reloaded or started. {self._logged(position)}") from error
        deadline = time.monotonic() + RELOAD_TIMEOUT
        while self.loaded_generation() != generation:
            if time.monotonic() > deadline:
                # It answers still, and it said that it does not take this one: so it has the one before.
                refused = bool(self._complaints(position, _REFUSAL)) and self.loaded_generation() is not None
                raise (NotLoaded if refused else ComposeOpsError)(
                    f"nginx did not load generation {generation} within {RELOAD_TIMEOUT:g} s. {self._logged(position)}"
                )
            time.sleep(POLL)

    def loaded_generation(self) -> int | None:
        """Return the generation that the running nginx answers with, or None when it does not answer."""
        answered = (self._status() or ("", ""))[0]
        return int(answered) if answered.isdigit() else None

    def idle_connections(self) -> int | None:
        """Return how many connections of clients nobody uses at the moment, or None when nginx does not answer."""
        matched = _IDLE.search((self._status() or ("", ""))[1])
        return int(matched[1]) if matched else None

    def _status(self) -> tuple[str, str] | None:
        """Return the generation that nginx answers with, and the counters of its connections."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=2)
        with contextlib.closing(connection):
            try:
                connection.request("GET", "/status", headers={"Host": STATUS_HOST})
                answer = connection.getresponse()
                return answer.getheader("X-Composeops-Generation", ""), answer.read().decode("ascii", "replace")
            except (OSError, http.client.HTTPException):
                return None

    def _log_size(self) -> int:
        with contextlib.suppress(OSError):
            return os.path.getsize(self._error_log)
        return 0

    def _logged(self, position: int) -> str:
        complaints = self._complaints(position, _COMPLAINT)
        if complaints:
            return f"It logged: {complaints[0]}"
        return f"Nothing about it is in {self._error_log}; see `systemctl status {UNIT}`."

    def _complaints(self, position: int, kind: re.Pattern[str]) -> list[str]:
        """Return what was logged since the log was of the size ``position``."""
        with contextlib.suppress(OSError), open(self._error_log, encoding="utf-8", errors="replace") as stream:
            stream.seek(position)
            return [match["problem"] for match in map(kind.search, stream) if match]
        return []


def explain(stderr: str, candidate: str = "") -> str:
    """Return one sentence of what ``nginx -t`` printed: the problem, the site it is in and the line it objects to."""
    matched = _COMPLAINT.search(stderr)
    if not matched:
        return f"nginx refuses the configuration: {stderr.strip() or 'it did not say why'}"
    place = _PLACE.search(matched["problem"])
    if not place:
        return f"nginx refuses the configuration: {_without(candidate, matched['problem'])}."
    problem, path, number = matched["problem"][: place.start()], place["file"], int(place["line"])
    _, inside, relative = path.partition("/composeops/live/")
    where = describe(relative) if inside else _without(candidate, path)
    return f"nginx refuses {where}: {problem} (line {number}{_quoted(path, number)})."


def warnings(completed: Completed) -> list[str]:
    """Return what nginx tolerates but remarks upon."""
    return [f"nginx: {text}" for text in _WARNING.findall(completed.stderr)]


def _without(candidate: str, text: str) -> str:
    return text.replace(f"{candidate}/", "/etc/nginx/") if candidate else text


def _quoted(path: str, number: int) -> str:
    lines = (files.read_text(path) or "").splitlines()
    return f": {lines[number - 1].strip()}" if 0 < number <= len(lines) else ""
