# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.release import operators


@pytest.mark.parametrize(
    ("given", "environment", "name"),
    [
        pytest.param("ada", {"SUDO_USER": "bob"}, "ada", id="the name that was given"),
        pytest.param("", {"SUDO_USER": "bob"}, "bob", id="who logged in, before sudo"),
        pytest.param(" \n", {"SUDO_USER": "bob"}, "bob", id="blanks are no name"),
        pytest.param("ada\nresult: ok", {}, "ada result: ok", id="one line"),
        pytest.param("\x1b[31mada\u202e", {}, "[31mada", id="nothing that moves a terminal"),
        pytest.param("a" * 99, {}, "a" * 64, id="not endless"),
    ],
)
def test_who_is_at_work(given: str, environment: dict[str, str], name: str) -> None:
    assert operators.operator(given, environment) == name


def test_without_any_name_it_is_the_login(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operators.os, "getuid", lambda: 4_000_000)
    assert operators.operator("", {}) == "uid 4000000"
