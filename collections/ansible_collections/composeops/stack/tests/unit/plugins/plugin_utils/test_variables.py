"""What the controller knows of variables: the roles of this repository are the material."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template
from ansible_collections.composeops.stack.plugins.plugin_utils.variables import (
    invalid_role_variables,
    inventory_variables,
    role_options,
)

ROLES = Path(__file__).resolve().parents[8] / "roles"


def templar(**variables: Any) -> Templar:
    return Templar(loader=DataLoader(), variables=variables)


def messages(role: str, **variables: Any) -> list[str]:
    options = role_options(str(ROLES))[role]
    return [problem.message for problem in invalid_role_variables(options, variables, templar(**variables))]


def test_every_role_of_the_repository_has_options() -> None:
    options = role_options(str(ROLES))
    assert set(options) == {path.parent.parent.name for path in ROLES.glob("*/meta/argument_specs.yml")}
    assert "preflight_skip" in options["preflight"]


def test_directory_that_is_not_there_has_no_roles(tmp_path: Path) -> None:
    assert role_options(str(tmp_path / "roles")) == {}


def test_good_values_are_no_problem() -> None:
    assert messages("verify", verify_ca="", verify_checks=[{"name": "a", "type": "http", "url": "http://a/"}]) == []


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"verify_checks": [{"name": "a", "type": "http", "ulr": "http://a/"}]}, "verify_checks.ulr"),
        ({"verify_checks": [{"name": "a", "type": "htttp"}]}, "type"),
        ({"verify_checks": [{"type": "http"}]}, "name found in verify_checks"),
        ({"verify_exposure": "perhaps"}, "verify_exposure"),
    ],
    ids=["unknown-key", "not-a-choice", "missing-key", "wrong-type"],
)
def test_value_that_the_role_does_not_take_is_named(variables: dict[str, Any], words: str) -> None:
    (message,) = messages("verify", **variables)
    assert words in message


def test_undefined_variable_in_a_value_is_named_with_the_variable_that_uses_it() -> None:
    (message,) = messages("verify", verify_ca=trust_as_template("{{ nowhere }}"))
    assert message.startswith("verify_ca: ")
    assert "'nowhere' is undefined" in message


def test_variables_of_an_inventory_are_found_inline_and_beside_it(tmp_path: Path) -> None:
    (tmp_path / "hosts.yml").write_text(
        "composeops: {hosts: {web1: {inline: 1}}, vars: {of_group: 1}}\nother: {hosts: {web2: {of_other: 1}}}\n"
    )
    directory = tmp_path / "group_vars/all"
    directory.mkdir(parents=True)
    (directory / "stack.yml").write_text("shop_version: '1.0'\n")
    found = inventory_variables("web1", [str(tmp_path)])
    assert {"inline", "of_group", "shop_version"} <= found
    assert "of_other" not in found
