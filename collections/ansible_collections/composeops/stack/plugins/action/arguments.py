# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Refuses what was given with -e and nothing reads."""

from __future__ import annotations

import os
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.composeops.stack.plugins.module_utils.preflight.variables import (
    unknown_extra_variables,
    unknown_role_variables,
)
from ansible_collections.composeops.stack.plugins.plugin_utils import variables as known


class ActionModule(ActionBase):
    """The whole of composeops.stack.arguments; nothing is sent to the host."""

    _requires_connection = False

    def run(self, tmp: None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        task_vars = task_vars or {}
        specified = dict(self._task.args)
        arguments = specified.pop("known", [])
        required = specified.pop("required", [])
        if specified or not isinstance(arguments, list) or not isinstance(required, list):
            raise AnsibleActionFail("composeops.stack.arguments takes lists of names as known and required.")
        names = [*arguments, *required]
        roles = known.role_options(roles_directory(task_vars))
        options = {option for role in roles.values() for option in role}
        extra = known.extra_variables()
        if not extra <= {*names, *options}:
            sources = known.command_line_inventory()
            options |= known.inventory_variables(task_vars["inventory_hostname"], sources)
        problems = unknown_role_variables(extra - set(names), roles)
        told = {problem.message.split(" ", 1)[0] for problem in problems}
        problems += unknown_extra_variables(extra - told, names, options)
        sentences = [f"{problem.message} {problem.remedy}" for problem in problems]
        sentences += [f"-e {name}=... is missing." for name in required if not task_vars.get(name)]
        if sentences:
            return {"failed": True, "changed": False, "msg": " ".join(sentences)}
        return {"changed": False}


def roles_directory(task_vars: dict[str, Any]) -> str:
    """Return where the roles are: beside the playbooks, or in the collection that holds them."""
    return os.path.normpath(os.path.join(str(task_vars["playbook_dir"]), os.pardir, "roles"))
