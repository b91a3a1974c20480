# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.errors import InvalidInput
from ansible_collections.composeops.stack.plugins.module_utils.secrets import store
from ansible_collections.composeops.stack.plugins.modules import secrets

GIVEN = "k3Jf82hQzW1mPq"


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    where = tmp_path / "secrets"
    for function in (store.path, store.read, store.write):
        monkeypatch.setattr(function, "__defaults__", (str(where),))
    monkeypatch.setattr(store, "DIRECTORY", str(where))
    monkeypatch.setattr(secrets, "LOCK", str(tmp_path / "lock"))
    return where


def run(*entries: dict[str, Any], check: bool = False) -> dict[str, Any]:
    defaults = {"value": "", "length": 48, "generate": True, "minimum_length": 12}
    return secrets.run({"stack": "shop", "secrets": [{**defaults, **entry} for entry in entries]}, check=check)


def test_check_mode_predicts_and_writes_nothing(directory: Path) -> None:
    result = run({"name": "A"}, check=True)
    assert result["changed"]
    assert result["plan"] == ["generate A (48 characters)"]
    assert not directory.exists()


def test_the_second_run_changes_nothing(directory: Path) -> None:
    first = run({"name": "A"}, {"name": "B", "value": GIVEN})
    content = (directory / "shop.json").read_text()
    second = run({"name": "A"}, {"name": "B", "value": GIVEN})
    assert [entry["origin"] for entry in first["secrets"]] == ["generated", "given"]
    assert not second["changed"]
    assert second["plan"] == []
    assert [entry["origin"] for entry in second["secrets"]] == ["kept", "kept"]
    assert (directory / "shop.json").read_text() == content


def test_no_value_is_returned(directory: Path) -> None:
    result = run({"name": "A"}, {"name": "B", "value": GIVEN})
    values = json.loads((directory / "shop.json").read_text()).values()
    assert not [value for value in values if value in json.dumps(result)]


def test_a_loose_mode_is_repaired(directory: Path) -> None:
    run({"name": "A"})
    (directory / "shop.json").chmod(0o644)
    predicted = run({"name": "A"}, check=True)
    assert predicted["changed"]
    assert predicted["plan"] == [f"set the mode of {directory}/shop.json to 0600 (it is 0644)"]
    assert run({"name": "A"})["plan"] == predicted["plan"]
    assert not run({"name": "A"})["changed"]


def test_a_refused_value_changes_nothing(directory: Path) -> None:
    with pytest.raises(InvalidInput, match="B is refused"):
        run({"name": "A"}, {"name": "B", "value": "changeme"})
    assert not directory.exists()


def test_the_diff_names_what_changes() -> None:
    diff = run({"name": "A"})["diff"][0]
    assert diff["before"] == ""
    assert diff["after"] == "A=(sensitive, generated now)\n"
