"""Arguments of a playbook: what is misspelt or missing is named; the inventory is read again only when needed."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.composeops.stack.plugins.action import arguments
from ansible_collections.composeops.stack.plugins.action.arguments import ActionModule

VARIABLES = {"playbook_dir": "/project/playbooks", "inventory_hostname": "web1"}


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return what runs the action with variables that were given with -e."""
    monkeypatch.setattr(arguments.known, "role_options", lambda directory: {"stack": {"stack_definitions": {}}})
    monkeypatch.setattr(arguments.known, "command_line_inventory", lambda: ["/project/inventory"])
    monkeypatch.setattr(arguments.known, "inventory_variables", lambda host, sources: {"petcare_version"})

    def launch(given: dict[str, Any], **options: Any) -> dict[str, Any]:
        monkeypatch.setattr(arguments.known, "extra_variables", lambda: set(given))
        action = ActionModule(
            task=SimpleNamespace(args=options, async_val=0, check_mode=False, diff=False),
            connection=SimpleNamespace(_shell=SimpleNamespace(tmpdir=None)),
            play_context=SimpleNamespace(),
            loader=None,
            templar=None,
            shared_loader_obj=None,
        )
        return action.run(task_vars={**VARIABLES, **given})

    return launch


def test_arguments_and_role_variables_are_taken_without_a_look_at_the_inventory(
    run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arguments.known, "inventory_variables", lambda host, sources: pytest.fail("it was read"))
    assert run({"service": "web", "stack_definitions": []}, known=["service"]) == {"changed": False}


def test_variable_of_the_inventory_is_taken(run: Any) -> None:
    assert run({"petcare_version": "1.1.0"}) == {"changed": False}


@pytest.mark.parametrize(
    ("given", "options", "message"),
    [
        ({"servise": 1}, {"known": ["service"]}, "-e servise is given, but nothing reads it. Did you mean service?"),
        ({"stack_definitons": 1}, {}, "stack_definitons is set, but the role stack has no such variable."),
        ({}, {"required": ["source"]}, "-e source=... is missing."),
        ({"sourse": "db"}, {"required": ["source"]}, "Did you mean source? This playbook takes: source."),
    ],
    ids=["misspelt", "misspelt-role-variable", "missing", "misspelt-and-so-missing"],
)
def test_what_is_wrong_is_named(run: Any, given: dict[str, Any], options: dict[str, Any], message: str) -> None:
    result = run(given, **options)
    assert result["failed"]
    assert message in result["msg"]
    assert result["msg"].count("Did you mean") <= 1


def test_what_is_wrong_is_said_once(run: Any) -> None:
    assert run({"stack_definitons": 1})["msg"].count("stack_definitons") == 1


def test_unknown_option_of_the_task_is_refused(run: Any) -> None:
    with pytest.raises(Exception, match="takes lists of names as known and required"):
        run({}, allowed=["service"])
