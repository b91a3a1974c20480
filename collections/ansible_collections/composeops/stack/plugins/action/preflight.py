# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The controller's half of a preflight: variables, compose files and the controller's clock."""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Mapping
from typing import Any

import yaml
from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase
from ansible_collections.composeops.stack.plugins.filter import monitor
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.preflight import compose
from ansible_collections.composeops.stack.plugins.module_utils.preflight.machine import clock_problems
from ansible_collections.composeops.stack.plugins.module_utils.preflight.model import Problem, message
from ansible_collections.composeops.stack.plugins.module_utils.preflight.variables import (
    unknown_extra_variables,
    unknown_role_variables,
)
from ansible_collections.composeops.stack.plugins.plugin_utils import variables as known
from ansible_collections.composeops.stack.plugins.plugin_utils.compose_files import ComposeLoader

HANDED_ON = ("name", "environment", "secrets", "published")
"""What the module needs of a stack's definition; the role `stack` takes the rest."""


class ActionModule(ActionBase):
    """The controller's half of composeops.stack.preflight."""

    _requires_connection = True

    def run(self, tmp: None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        variables = task_vars or {}
        arguments = dict(self._task.args)
        skip = set(arguments.get("skip") or [])
        problems = self._variables(variables, arguments.pop("arguments", None) or [])
        stacks, found = self._stacks(arguments.get("stacks") or [])
        problems += found
        arguments["stacks"] = stacks
        problems += self._monitor(arguments.pop("monitor", None))

        before = time.time()
        result: dict[str, Any] = self._execute_module(
            module_name="composeops.stack.preflight", module_args=arguments, task_vars=variables
        )
        after = time.time()
        result.pop("invocation", None)
        if "host_time" in result:
            tolerance = float(arguments.get("clock_tolerance", 30))
            problems += clock_problems(float(result["host_time"]), before, after, tolerance, "the controller's")
        elif result.get("failed") or result.get("unreachable"):
            return result
        problems = [problem for problem in problems if problem.subject not in skip]
        problems += [Problem(**problem) for problem in result["problems"]]
        result["problems"] = [problem.__dict__ for problem in problems]
        if problems:
            result.update(failed=True, msg=message(problems))
        return result

    def _variables(self, variables: Mapping[str, Any], taken: Collection[str]) -> list[Problem]:
        """Return variables that no role knows, or whose values no role takes."""
        if self._task._role is None:
            return []
        roles = known.role_options(os.path.dirname(self._task._role._role_path))
        names = [name for name in variables if isinstance(name, str)]
        problems = unknown_role_variables(names, roles)
        playing = {str(name).rpartition(".")[2] for name in variables.get("ansible_play_role_names", ())}
        for role in sorted(playing & set(roles)):
            problems += known.invalid_role_variables(roles[role], variables, self._templar)
        options = {option for role in roles.values() for option in role}
        told = {problem.message.split(" ", 1)[0] for problem in problems}
        extra = known.extra_variables() - options - told - set(taken)
        if extra:
            sources = known.command_line_inventory()
            options |= known.inventory_variables(str(variables["inventory_hostname"]), sources)
            problems += unknown_extra_variables(extra, (), options)
        return problems

    def _monitor(self, content: Any) -> list[Problem]:
        """Return what is wrong with the monitor's rules, which would otherwise show when everything else is done."""
        if not isinstance(content, Mapping):
            return []
        try:
            monitor.checked(content)
        except ComposeOpsError as error:
            return [Problem("monitor", error.message, monitor.REMEDY)]
        return []

    def _stacks(self, definitions: Any) -> tuple[list[dict[str, Any]], list[Problem]]:
        """Return what the module needs of each stack, and what is wrong with the compose files."""
        stacks, problems = [], []
        for definition in definitions if isinstance(definitions, list) else ():
            if not isinstance(definition, Mapping) or not definition.get("compose_file"):
                continue  # the role's specification has said so already
            source = str(self._loader.path_dwim(str(definition["compose_file"])))
            stack = {key: definition[key] for key in HANDED_ON if definition.get(key) is not None}
            stack["source"] = source
            label = f"stack {definition.get('name')}: {source}"
            if not os.path.isfile(source):
                problems.append(Problem("compose", f"{label} is not there.", "Correct compose_file."))
                continue
            try:
                text = str(self._loader.get_text_file_contents(source))
                document = yaml.load(text, ComposeLoader)  # noqa: S506 (a safe loader with compose's own tags)
            except AnsibleError as error:
                problems.append(Problem("compose", f"{label}: {str(error).rstrip('.')}.", "Correct compose_file."))
                continue
            except yaml.MarkedYAMLError as error:
                mark = error.problem_mark or error.context_mark
                line = f"line {mark.line + 1}" if mark else "it"
                problems.append(Problem("compose", f"{label}, {line}: {error.problem}.", "Correct the YAML."))
                continue
            # As when it is deployed: what the stack gives wins over what lies beside the compose file.
            given = {**self._dotenv(source), **(definition.get("environment") or {})}
            environment = {str(name): str(value) for name, value in given.items()}
            declared = compose.Declared(
                environment=environment,
                secrets=[str(secret.get("name")) for secret in definition.get("secrets") or []],
                routed=[str(route.get("service")) for route in definition.get("routed") or []],
                published=[str(port.get("service")) for port in definition.get("published") or []],
            )
            problems += [
                Problem("compose", f"{label}: {fault}.", "Correct the file or the stack's definition.")
                for fault in compose.faults(document, text, declared)
            ]
            if environment:
                stack["environment"] = given
            stacks.append({**stack, "compose": text, "images": compose.images(document, environment)})
        return stacks, problems

    def _dotenv(self, source: str) -> dict[str, str]:
        """Return the values beside a compose file."""
        path = os.path.join(os.path.dirname(source), ".env")
        return compose.dotenv(str(self._loader.get_text_file_contents(path))) if os.path.isfile(path) else {}
