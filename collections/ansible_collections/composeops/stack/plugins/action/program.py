# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Builds the on-host program from this collection and installs it with host_state, in one call."""

from __future__ import annotations

import base64
import os
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.composeops.stack.plugins.module_utils import version
from ansible_collections.composeops.stack.plugins.module_utils.program import archive

DIRECTORY = "/usr/local/lib/composeops"
ARCHIVE = f"{DIRECTORY}/composeops.pyz"
COMMAND = "/usr/local/bin/composeops"


class ActionModule(ActionBase):
    """The whole of composeops.stack.program."""

    _requires_connection = True

    def run(self, tmp: None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        if self._task.args:
            raise AnsibleActionFail(f"composeops.stack.program has no options, and got {', '.join(self._task.args)}.")
        content = archive.build(archive.collect(os.path.dirname(version.__file__)))
        result: dict[str, Any] = self._execute_module(
            module_name="composeops.stack.host_state", module_args=wanted(content), task_vars=task_vars or {}
        )
        result.pop("invocation", None)
        return {**result, "path": COMMAND, "version": version.VERSION}


def wanted(content: bytes) -> dict[str, Any]:
    """Return what host_state is asked for."""
    encoded = base64.b64encode(content).decode("ascii")
    return {
        "directories": [{"path": DIRECTORY}],
        "files": [{"path": ARCHIVE, "content_base64": encoded, "mode": "0755"}],
        "links": [{"path": COMMAND, "target": ARCHIVE}],
    }
