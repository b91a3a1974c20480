# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Restarts what a rule names: a stack's containers, a program of supervisord, or a unit of systemd."""

from __future__ import annotations

from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.io.runner import Runner
from ansible_collections.composeops.stack.plugins.module_utils.io.systemd import Systemd
from ansible_collections.composeops.stack.plugins.module_utils.monitor.model import Target
from ansible_collections.composeops.stack.plugins.module_utils.monitor.obstacles import obstacle
from ansible_collections.composeops.stack.plugins.module_utils.monitor.supervisor import Supervisor
from ansible_collections.composeops.stack.plugins.module_utils.release.model import HealthPolicy
from ansible_collections.composeops.stack.plugins.module_utils.release.operations import DIAGNOSIS_LINES, Operations
from ansible_collections.composeops.stack.plugins.module_utils.release.run import PLACES, Places, stack_run

OPERATOR = "health monitor"
"""How the lock and the audit log of a stack call it."""


class Prevented(ComposeOpsError):
    """Something took hold of the stack before the restart; nothing was touched."""


class Restarter:
    """Restarts on this machine."""

    def __init__(self, runner: Runner, supervisor_url: str = "", places: Places = PLACES) -> None:
        self._runner = runner
        self._supervisor_url = supervisor_url
        self._places = places

    def obstacle(self, target: Target) -> str:
        """Return why a target may not be restarted now; empty where it may."""
        return obstacle(target.stack, self._places) if target.stack else ""

    def restart(self, target: Target, reason: str) -> None:
        """Restart a target; one of a stack as a run of its own, locked and written into the audit log."""
        if not target.stack:
            self._restart(target)
            return
        in_hand = False
        try:
            with stack_run(target.stack, "restart", operator=OPERATOR, via="monitor", places=self._places) as run:
                in_hand = True
                run.reason = f"{target.name}: {reason}"
                run.begin()
                self._restart(target)
        except ComposeOpsError as error:
            if in_hand:
                raise
            raise Prevented(error.message, error.remedy) from error

    def _restart(self, target: Target) -> None:
        if target.backend == "docker":
            # Whether it helped is for the checks to say; waiting here would keep a deployment out that repairs it.
            operations = Operations(target.stack, self._runner, root=self._places.stacks, secrets=self._places.secrets)
            operations.restart([target.service], HealthPolicy(), DIAGNOSIS_LINES, check=False, wait=False)
        elif target.backend == "supervisor":
            Supervisor(self._supervisor_url).restart(target.program)
        elif target.backend == "systemd":
            Systemd(self._runner).command("restart", target.unit)
