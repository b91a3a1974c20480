# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Shows what a run did while it runs, and its tables at the end."""

# ruff: noqa: ARG002 (methods and their arguments are those of the callback API)

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from ansible.plugins.callback import CallbackBase
from ansible_collections.composeops.stack.plugins.module_utils.tables import table

DOCUMENTATION = """
name: summary
type: aggregate
short_description: Show the plan of each task, signs of life from long ones, and tables at the end
version_added: 0.1.0
author: ComposeOps (@composeops)
description:
  - Prints, below a task, the sentences its module returned as C(plan), that is what it did or, in check mode, would do.
  - Prints a line every few seconds while a task takes long, so that a log without a terminal shows life too.
  - Prints, after the recap, the tables that modules returned as C(summary). The last table of each title and host
    counts, in the order in which they came; one with C(last) set comes behind the others.
  - Shows only what Ansible gives to every callback. A result under C(no_log) has nothing to show.
requirements:
  - enable it with C(callbacks_enabled = composeops.stack.summary) in C(ansible.cfg)
options:
  heartbeat:
    description: Seconds a task may run before a sign of life, and between two of them; V(0) switches them off.
    type: int
    default: 15
    ini: [{section: composeops, key: heartbeat}]
    env: [{name: COMPOSEOPS_HEARTBEAT}]
"""


class Heartbeat:
    """Tells, from a thread of its own, which task is running and on which hosts, for as long as that takes."""

    def __init__(self, interval: float, tell: Callable[[str], None], clock: Callable[[], float] = time.monotonic):
        self._interval = interval
        self._tell = tell
        self._clock = clock
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._task = ""
        self._began = 0.0
        self._next = 0.0
        self._hosts: dict[str, None] = {}

    def start(self) -> None:
        if self._interval > 0:
            threading.Thread(target=self._beat, name="heartbeat", daemon=True).start()

    def stop(self) -> None:
        self._ended.set()

    def task_started(self, task: str) -> None:
        with self._lock:
            self._task, self._began, self._hosts = task, self._clock(), {}
            self._next = self._began + self._interval

    def host_started(self, host: str) -> None:
        with self._lock:
            self._hosts[host] = None

    def host_ended(self, host: str) -> None:
        with self._lock:
            self._hosts.pop(host, None)

    def line(self) -> str | None:
        """Return the sign of life that is due now, if one is."""
        with self._lock:
            now = self._clock()
            if not self._hosts or now < self._next:
                return None
            self._next = now + self._interval
            hosts = ", ".join(list(self._hosts)[:3]) + (", …" if len(self._hosts) > 3 else "")  # noqa: PLR2004
            return f"… still running: {self._task} on {hosts} ({now - self._began:.0f} s)"

    def _beat(self) -> None:
        # A second is short against the interval, and makes the line come when it is due.
        while not self._ended.wait(min(1.0, self._interval)):
            line = self.line()
            if line is not None:
                self._tell(line)


class Summaries:
    """The last table of each title and host, in the order in which those came."""

    def __init__(self) -> None:
        self._tables: dict[tuple[str, str], dict[str, Any]] = {}

    def add(self, host: str, summary: object) -> None:
        """Take the tables of a module's result; what has not their shape is not ours to show."""
        for entry in summary if isinstance(summary, list) else []:
            if isinstance(entry, dict) and {"title", "columns", "rows"} <= set(entry):
                key = (str(entry["title"]), host)
                self._tables.pop(key, None)
                self._tables[key] = entry

    def lines(self) -> list[str]:
        """Return every table as text; the host is named where there is more than one."""
        several = len({host for _title, host in self._tables}) > 1
        result: list[str] = []
        for (title, host), entry in sorted(self._tables.items(), key=lambda item: bool(item[1].get("last"))):
            result += [f"{title} ({host})" if several else title, ""]
            rows = entry["rows"]
            result += [f"  {line}" for line in table(entry["columns"], rows)] if rows else ["  none"]
            result.append("")
        return result


class CallbackModule(CallbackBase):
    """See DOCUMENTATION."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "composeops.stack.summary"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        super().__init__()
        self._summaries = Summaries()
        self._heartbeat = Heartbeat(0, self._tell)

    def set_options(self, task_keys: Any = None, var_options: Any = None, direct: Any = None) -> None:
        super().set_options(task_keys=task_keys, var_options=var_options, direct=direct)
        self._heartbeat = Heartbeat(self.get_option("heartbeat"), self._tell)

    def v2_playbook_on_start(self, playbook: Any) -> None:
        self._heartbeat.start()

    def v2_playbook_on_task_start(self, task: Any, is_conditional: bool) -> None:
        self._heartbeat.task_started(task.get_name().strip())

    def v2_runner_on_start(self, host: Any, task: Any) -> None:
        self._heartbeat.host_started(host.get_name())

    def v2_runner_on_ok(self, result: Any) -> None:
        self._ended(result)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        self._ended(result)

    def v2_runner_on_unreachable(self, result: Any) -> None:
        self._ended(result)

    def v2_runner_on_skipped(self, result: Any) -> None:
        self._ended(result)

    def v2_runner_item_on_ok(self, result: Any) -> None:
        self._show(result)

    def v2_runner_item_on_failed(self, result: Any) -> None:
        self._show(result)

    def v2_playbook_on_stats(self, stats: Any) -> None:
        self._heartbeat.stop()
        for line in self._summaries.lines():
            self._display.display(line)

    def _ended(self, result: Any) -> None:
        self._heartbeat.host_ended(result.host.get_name())
        if not result.task.loop:  # the items of a loop were shown one by one
            self._show(result)

    def _show(self, result: Any) -> None:
        for sentence in result.result.get("plan") or []:
            self._display.display(f"  - {sentence}")
        self._summaries.add(result.host.get_name(), result.result.get("summary"))

    def _tell(self, line: str) -> None:
        self._display.display(line)
        sys.stdout.flush()  # standard output may be a pipe, and the line is worth nothing later
