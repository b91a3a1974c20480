"""The pet-care system with releases in two colours, as an inventory that is laid over its own. `overlay` is pure."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

OVERLAPPING = ["backend"]
"""It appends to a log volume, which two of it may do at once."""


def overlay(variables: Mapping[str, Any]) -> dict[str, Any]:
    """Return the definitions of ``group_vars/all/stack.yml``, changed in how they are released and in nothing else."""
    changed = {"rollout": {"strategy": "blue_green"}, "overlapping": OVERLAPPING}
    return {"stack_definitions": [{**definition, **changed} for definition in variables["stack_definitions"]]}


def write(system: Path, directory: Path) -> None:
    """Write the inventory to be given after that of ``system``."""
    variables = yaml.safe_load((system / "group_vars/all/stack.yml").read_text(encoding="utf-8"))
    (directory / "group_vars").mkdir(parents=True)
    (directory / "group_vars/all.yml").write_text(yaml.safe_dump(overlay(variables)), encoding="utf-8")
    (directory / "hosts.yml").write_text("all: {}\n", encoding="utf-8")
