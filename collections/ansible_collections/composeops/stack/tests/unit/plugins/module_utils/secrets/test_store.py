# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import stat
from pathlib import Path

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError, InvalidInput
from ansible_collections.composeops.stack.plugins.module_utils.secrets import store


def test_reads_back_what_was_written(tmp_path: Path) -> None:
    directory = str(tmp_path / "secrets")
    values = {"A": "plain", "B": 'quotes " and \\ and $ and ü', "C": "two\nlines\n"}
    store.write("shop", values, directory)
    assert store.read("shop", directory) == values
    assert store.get("shop", "B", directory) == values["B"]


def test_only_the_owner_can_read(tmp_path: Path) -> None:
    directory = tmp_path / "secrets"
    directory.mkdir(mode=0o755)
    store.write("shop", {"A": "x"}, str(directory))
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert stat.S_IMODE((directory / "shop.json").stat().st_mode) == 0o600


def test_a_stack_without_secrets_has_none(tmp_path: Path) -> None:
    assert store.read("shop", str(tmp_path)) == {}


def test_a_missing_secret_is_named(tmp_path: Path) -> None:
    with pytest.raises(ComposeOpsError, match="Secret DB_PASSWORD of stack shop is not on this host"):
        store.get("shop", "DB_PASSWORD", str(tmp_path))


@pytest.mark.parametrize("name", ["../etc/passwd", "a/b", "", "Shop", "-a", ".", "shop\n"])
def test_a_name_cannot_leave_the_directory(name: str) -> None:
    with pytest.raises(InvalidInput, match="is not a stack name"):
        store.path(name)


@pytest.mark.parametrize("text", ["hunter2", '["hunter2"]', '{"A": 2, "B": "hunter2"}'])
def test_a_damaged_file_is_reported_without_its_content(tmp_path: Path, text: str) -> None:
    (tmp_path / "shop.json").write_text(text)
    with pytest.raises(ComposeOpsError, match="is not a JSON object of texts") as raised:
        store.read("shop", str(tmp_path))
    assert "hunter2" not in str(raised.value)


def test_fingerprints_differ_by_value_and_by_host(tmp_path: Path) -> None:
    here = store.fingerprint_key(str(tmp_path / "here"), create=True)
    there = store.fingerprint_key(str(tmp_path / "there"), create=True)
    assert store.fingerprint(here, "a") == store.fingerprint(here, "a")
    assert len({store.fingerprint(here, "a"), store.fingerprint(here, "b"), store.fingerprint(there, "a")}) == 3


def test_the_fingerprint_key_stays(tmp_path: Path) -> None:
    assert store.fingerprint_key(str(tmp_path)) == b""
    key = store.fingerprint_key(str(tmp_path), create=True)
    assert store.fingerprint_key(str(tmp_path), create=True) == key
    assert stat.S_IMODE((tmp_path / "fingerprint.key").stat().st_mode) == 0o600
