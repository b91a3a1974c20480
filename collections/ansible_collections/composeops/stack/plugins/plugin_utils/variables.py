# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the controller knows of a run's variables: those that roles take, that were given, and that an inventory has."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any

import yaml
from ansible import context
from ansible.errors import AnsibleError
from ansible.inventory.manager import InventoryManager
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.parsing.dataloader import DataLoader
from ansible.utils.vars import load_extra_vars
from ansible.vars.plugins import get_vars_from_inventory_sources
from ansible_collections.composeops.stack.plugins.module_utils.preflight.model import Problem

SPEC = "meta/argument_specs.yml"
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

Options = Mapping[str, Mapping[str, Any]]


def role_options(directory: str) -> dict[str, Options]:
    """Return the options of every role in a directory of roles, by role."""
    found: dict[str, Options] = {}
    for name in sorted(os.listdir(directory)) if os.path.isdir(directory) else ():
        path = os.path.join(directory, name, SPEC)
        if os.path.isfile(path):
            with open(path, encoding="utf-8") as stream:
                specification = yaml.load(stream, _Loader)  # noqa: S506 (the C form of the safe loader)
            found[name] = specification["argument_specs"]["main"].get("options") or {}
    return found


def invalid_role_variables(options: Options, variables: Mapping[str, Any], templar: Any) -> list[Problem]:
    """Return what is wrong with the values of one role's variables, down to the keys of list elements."""
    given, problems = {}, []
    for name in options:
        if name in variables:
            try:
                given[name] = templar.template(variables[name])
            except AnsibleError as error:
                said = str(error).strip().rstrip(".")
                problems.append(Problem("variables", f"{name}: {said}.", "Correct it in the inventory."))
    undecided = {name for name in options if name in variables and name not in given}
    specification = {name: dict(option) for name, option in options.items() if name not in undecided}
    validated = ArgumentSpecValidator(specification).validate(given, validate_role_argument_spec=True)
    return problems + [
        Problem("variables", f"{said.rstrip('.')}.", "Correct it in the inventory; docs/variables.md describes it.")
        for said in validated.error_messages
    ]


def extra_variables() -> set[str]:
    """Return the names of the variables that were given to this run with -e."""
    return set(load_extra_vars(DataLoader()))


def inventory_variables(host: str, sources: Iterable[str]) -> set[str]:
    """Return the names of the variables that the inventory itself has for a host, without those given with -e."""
    loader = DataLoader()
    inventory = InventoryManager(loader=loader, sources=list(sources))
    found = inventory.get_host(host)
    if found is None:
        return set()
    groups = found.get_groups()
    inline = {name for entity in (*groups, found) for name in entity.get_vars()}
    beside = get_vars_from_inventory_sources(loader, list(sources), [*groups, found], "task")
    return inline | set(beside)


def command_line_inventory() -> list[str]:
    """Return the inventory sources of this run."""
    return [str(source) for source in context.CLIARGS.get("inventory") or ()]
