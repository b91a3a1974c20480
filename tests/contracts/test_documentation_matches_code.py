"""Holds documentation, specifications, defaults and generated pages together, so that none of them drifts."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from scripts import generate_docs

ROOT = Path(__file__).resolve().parents[2]
COLLECTION = ROOT / "collections/ansible_collections/composeops/stack"
MODULES = sorted(path.stem for path in (COLLECTION / "plugins/modules").glob("*.py") if path.stem != "__init__")
ROLES = sorted(path.parent.parent for path in ROOT.glob("roles/*/meta/argument_specs.yml"))


def module(name: str) -> Any:
    return importlib.import_module(f"ansible_collections.composeops.stack.plugins.modules.{name}")


def described(documentation: dict[str, Any]) -> dict[str, Any]:
    """Reduce documented options to what an argument spec says of them."""
    result = {}
    for name, option in documentation.items():
        assert option.get("description"), f"option {name} has no description"
        result[name] = {
            "type": option.get("type", "str"),
            "elements": option.get("elements"),
            "required": option.get("required", False),
            "default": option.get("default"),
            "choices": option.get("choices"),
            "options": described(option.get("suboptions") or {}),
        }
    return result


def specified(spec: dict[str, Any]) -> dict[str, Any]:
    """Reduce an argument spec to what documentation says of it."""
    return {
        name: {
            "type": option.get("type", "str"),
            "elements": option.get("elements"),
            "required": option.get("required", False),
            "default": option.get("default"),
            "choices": list(option["choices"]) if option.get("choices") else None,
            "options": specified(option.get("options") or {}),
        }
        for name, option in spec.items()
    }


def test_there_are_modules_and_roles_to_hold() -> None:
    assert len(MODULES) >= 8
    assert len(ROLES) >= 7


@pytest.mark.parametrize("name", MODULES)
def test_module_documentation_equals_its_argument_spec(name: str) -> None:
    loaded = module(name)
    documentation = generate_docs.documentation(Path(loaded.__file__))
    assert documentation["module"] == name
    assert described(documentation.get("options") or {}) == specified(loaded.ARGUMENT_SPEC)


@pytest.mark.parametrize("name", MODULES)
def test_module_documents_modes_examples_and_return_values(name: str) -> None:
    loaded = module(name)
    attributes = yaml.safe_load(loaded.DOCUMENTATION)["attributes"]
    assert attributes["check_mode"]["support"] == "full"
    assert attributes["diff_mode"]["support"] in {"full", "none"}
    for task in yaml.safe_load(loaded.EXAMPLES):
        assert f"composeops.stack.{name}" in task, task["name"]
    for key, value in yaml.safe_load(loaded.RETURN).items():
        assert {"description", "returned", "type"} <= set(value), key


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_role_defaults_equal_its_argument_spec(role: Path) -> None:
    options = yaml.safe_load((role / "meta/argument_specs.yml").read_text())["argument_specs"]["main"]["options"]
    defaults_file = role / "defaults/main.yml"
    defaults = (yaml.safe_load(defaults_file.read_text()) or {}) if defaults_file.exists() else {}
    assert {name: option["default"] for name, option in options.items() if "default" in option} == defaults


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_role_variables_carry_the_role_name(role: Path) -> None:
    options = yaml.safe_load((role / "meta/argument_specs.yml").read_text())["argument_specs"]["main"]["options"]
    assert [name for name in options if not name.startswith(f"{role.name}_")] == []


def test_every_role_has_an_argument_spec_and_a_readme() -> None:
    roles = sorted(path for path in (ROOT / "roles").iterdir() if path.is_dir())
    assert [role.name for role in roles if not (role / "meta/argument_specs.yml").exists()] == []
    assert [role.name for role in roles if not (role / "README.md").exists()] == []


def test_generated_pages_are_current() -> None:
    completed = subprocess.run(
        [sys.executable, "scripts/generate_docs.py", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert completed.returncode == 0, completed.stderr
