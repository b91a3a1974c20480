# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Has the host change how it is reached, reaches it anew, and has it keep the change or put it back."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import Any

from ansible.errors import AnsibleConnectionFailure
from ansible_collections.composeops.stack.plugins.action.host_state import ActionModule as HostState

MODULE = "composeops.stack.confirmed_state"
PAST_OPEN_CONNECTIONS = "-o ControlMaster=no -o ControlPath=none "
"""For ssh, which takes the first value it is given: neither use a connection that is open nor become one to be used."""

AFTERWARDS = 30
"""Seconds for the host to put everything back by itself, once its time to be confirmed is over."""
BETWEEN_TRIES = 2.0


class ActionModule(HostState):
    """The controller's half of composeops.stack.confirmed_state."""

    def run(self, tmp: None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super(HostState, self).run(tmp, task_vars)
        task_vars = task_vars or {}
        arguments = self.prepared(task_vars)
        arguments.pop("directories", None)
        made = self._on_host(arguments, task_vars)
        if made.get("failed") or not made.get("changed") or self._task.check_mode:
            return made
        problem = self._confirm(task_vars)
        if problem is None:
            return {**made, "confirmed": True, **self._unproven()}
        return self._failure(made, problem, self._undo(task_vars, int(arguments.get("within") or 60)))

    def _on_host(self, arguments: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        result: dict[str, Any] = self._execute_module(module_name=MODULE, module_args=arguments, task_vars=task_vars)
        result.pop("invocation", None)
        return result

    def _confirm(self, task_vars: dict[str, Any]) -> str | None:
        """Confirm the change over a new connection; return why that was impossible."""
        try:
            with self._new_connections():
                result = self._on_host({"step": "confirm"}, task_vars)
        except AnsibleConnectionFailure as error:
            return f"a new connection to the host failed: {error}"
        return str(result.get("msg")) if result.get("failed") else None

    def _undo(self, task_vars: dict[str, Any], within: int) -> dict[str, Any] | None:
        """Put everything back over the connection that is open, or wait until the host did that by itself."""
        deadline = time.monotonic() + within + AFTERWARDS
        while True:
            try:
                return self._on_host({"step": "undo"}, task_vars)
            except AnsibleConnectionFailure:
                if time.monotonic() > deadline:
                    return None
                time.sleep(BETWEEN_TRIES)

    @contextlib.contextmanager
    def _new_connections(self) -> Iterator[None]:
        if not self._by_ssh:
            yield
            return
        usual = self._connection.get_option("ssh_args") or ""
        self._connection.set_option("ssh_args", PAST_OPEN_CONNECTIONS + usual)
        try:
            yield
        finally:
            self._connection.set_option("ssh_args", usual)

    @property
    def _by_ssh(self) -> bool:
        return bool(self._connection.transport == "ssh")

    def _unproven(self) -> dict[str, list[str]]:
        if self._by_ssh:
            return {}
        said = f"The host is reached by {self._connection.transport}, so nobody knows whether ssh still reaches it."
        return {"warnings": [said]}

    def _failure(self, made: dict[str, Any], problem: str, undone: dict[str, Any] | None) -> dict[str, Any]:
        tried = ", ".join(made.get("plan", []))
        if undone is None:
            state = (
                "The host is not reached any more either. It puts everything back by itself, now or when it is booted; "
                "where that does not help, use its console."
            )
        elif undone.get("failed"):
            state = f"Putting back what was there before failed, too: {undone.get('msg')}"
        else:
            state = "What was there before is back."
        reason = problem.strip().rstrip(".")
        return {
            "failed": True,
            "changed": undone is None or bool(undone.get("failed")),
            "msg": f"Not kept: {tried}. The reason: {reason}. {state} Correct what is declared, then run again.",
            "undone": (undone or {}).get("undone", []),
        }
