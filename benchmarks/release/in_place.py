"""The pet-care system with releases in place, as an inventory that is laid over its own. `overlay` is pure."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml


def overlay(variables: Mapping[str, Any]) -> dict[str, Any]:
    """Return the definitions of ``group_vars/all/stack.yml``, changed in how they are released and in nothing else."""
    changed = {"rollout": {"strategy": "in_place"}}
    kept = (
        {name: value for name, value in definition.items() if name != "overlapping"}
        for definition in variables["stack_definitions"]
    )
    return {"stack_definitions": [{**definition, **changed} for definition in kept]}


def write(system: Path, directory: Path) -> None:
    """Write the inventory to be given after that of ``system``."""
    variables = yaml.safe_load((system / "group_vars/all/stack.yml").read_text(encoding="utf-8"))
    (directory / "group_vars").mkdir(parents=True)
    (directory / "group_vars/all.yml").write_text(yaml.safe_dump(overlay(variables)), encoding="utf-8")
    (directory / "hosts.yml").write_text("all: {}\n", encoding="utf-8")
