"""What a module's result becomes, by what is in it."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.shell import exit_with, failing


class Exited(Exception):
    """What AnsibleModule does: it ends the process."""


class Module:
    """As much of AnsibleModule as ends a module."""

    def __init__(self, *, diff: bool = False) -> None:
        self._diff = diff
        self.warnings: list[str] = []
        self.exited: dict[str, Any] = {}

    def warn(self, warning: str) -> None:
        self.warnings.append(warning)

    def exit_json(self, **result: Any) -> None:
        self.exited = {"failed": False, **result}
        raise Exited

    def fail_json(self, **result: Any) -> None:
        self.exited = {"failed": True, **result}
        raise Exited


def ended(module: Module, result: dict[str, Any] | ComposeOpsError, **options: Any) -> dict[str, Any]:
    def carry_out() -> dict[str, Any]:
        if isinstance(result, ComposeOpsError):
            raise result
        return result

    with pytest.raises(Exited):
        exit_with(module, carry_out, **options)
    return module.exited


def test_a_result_is_returned_with_its_diff_only_where_one_was_asked_for() -> None:
    result = {"changed": True, "diff": [{"before": "a", "after": "b"}]}
    assert ended(Module(diff=True), dict(result)) == {"failed": False, **result}
    assert ended(Module(), dict(result)) == {"failed": False, "changed": True}


def test_warnings_are_ansibles_and_no_part_of_the_result() -> None:
    module = Module()
    assert ended(module, {"changed": False, "warnings": ["the clock is late"]}) == {"failed": False, "changed": False}
    assert module.warnings == ["the clock is late"]


def test_a_result_that_failed_fails_the_module_with_all_the_rest() -> None:
    found = ended(Module(), {"changed": True, "failed": True, "msg": "one of two", "summary": []})
    assert found == {"failed": True, "changed": True, "msg": "one of two", "summary": []}


def test_an_error_is_the_message_and_its_notes_are_warnings() -> None:
    module, error = Module(), ComposeOpsError("The disk is full.", "Make room.")
    error.notes.append("Nothing was changed.")
    assert ended(module, error) == {"failed": True, "msg": "The disk is full. Make room."}
    assert module.warnings == ["Nothing was changed."]


def test_what_is_returned_beside_an_error_is_the_modules_choice() -> None:
    found = ended(Module(), ComposeOpsError("No."), after_failure=lambda error: {"changed": error.remedy == ""})
    assert found == {"failed": True, "msg": "No.", "changed": True}


def test_what_could_not_be_done_fails_the_module_and_the_rest_is_returned() -> None:
    result = {"changed": True}
    assert failing(result, []) == result
    assert failing(result, ["one", "two"]) == {"changed": True, "failed": True, "msg": "one\ntwo"}
