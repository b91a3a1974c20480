# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.host import pending


@pytest.fixture(autouse=True)
def record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "composeops" / "pending-units.json"
    monkeypatch.setattr(pending, "PATH", str(path))
    return path


def test_nothing_is_owed_without_a_record() -> None:
    assert pending.read() == {}


def test_what_is_written_is_read(record: Path) -> None:
    pending.write({"web.service": "reload"})
    assert pending.read() == {"web.service": "reload"}
    pending.write({})
    assert not record.exists()


def test_settled_units_leave_the_record(record: Path) -> None:
    pending.write({"a.service": "reload", "b.service": "restart"})
    pending.settle(["b.service", "c.service"])
    assert pending.read() == {"a.service": "reload"}
    pending.settle(["a.service"])
    assert not record.exists()


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"units": []}'])
def test_a_broken_record_is_an_error_and_no_guess(record: Path, text: str) -> None:
    record.parent.mkdir()
    record.write_text(text)
    with pytest.raises(ComposeOpsError, match="cannot be read"):
        pending.read()


@pytest.mark.parametrize(
    ("owed", "more", "merged"),
    [
        ({}, {"a": "reload"}, {"a": "reload"}),
        ({"a": "reload"}, {"a": "restart"}, {"a": "restart"}),
        ({"a": "restart"}, {"a": "reload"}, {"a": "restart"}),
        ({"a": "restart"}, {"b": "reload"}, {"a": "restart", "b": "reload"}),
    ],
)
def test_a_restart_covers_a_reload(owed: dict[str, str], more: dict[str, str], merged: dict[str, str]) -> None:
    assert pending.merge(owed, more) == merged
