# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.backup.pitr import identities
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.tests.unit.support.recorded import RecordedRunner


@pytest.fixture(name="runner")
def runner_fixture() -> RecordedRunner:
    """age-keygen, which makes key 1, then 2, and so on."""
    numbers: Iterator[int] = iter(range(1, 10))

    def answer(_argv: object) -> tuple[int, str, str]:
        number = next(numbers)
        return 0, f"# public key: age1{number}\nAGE-SECRET-KEY-{number}\n", ""

    return RecordedRunner(answer)


def secrets(directory: Path) -> list[str]:
    text = identities.remembered("cluster", str(directory))
    return [line for line in text.splitlines() if not line.startswith("#")]


def test_one_key_serves_until_a_base_backup_begins(runner: RecordedRunner, tmp_path: Path) -> None:
    recipients = [identities.current("cluster", runner, str(tmp_path)).recipient for _ in range(2)]
    assert recipients == ["age11", "age11"]


def test_a_base_backup_begins_with_a_new_key_and_its_commit_forgets_the_older(
    runner: RecordedRunner, tmp_path: Path
) -> None:
    identities.current("cluster", runner, str(tmp_path))
    identities.renew("cluster", runner, str(tmp_path))
    assert identities.current("cluster", runner, str(tmp_path)).recipient == "age12"
    assert secrets(tmp_path) == ["AGE-SECRET-KEY-1", "AGE-SECRET-KEY-2"]
    identities.forget_older("cluster", str(tmp_path))
    assert secrets(tmp_path) == ["AGE-SECRET-KEY-2"]


def test_a_base_backup_that_failed_loses_no_key_of_the_one_before(runner: RecordedRunner, tmp_path: Path) -> None:
    identities.current("cluster", runner, str(tmp_path))
    for _ in range(2):
        identities.renew("cluster", runner, str(tmp_path))
    assert secrets(tmp_path) == ["AGE-SECRET-KEY-1", "AGE-SECRET-KEY-2", "AGE-SECRET-KEY-3"]


def test_a_log_that_is_not_encrypted_gets_no_key(runner: RecordedRunner, tmp_path: Path) -> None:
    identities.renew("cluster", runner, str(tmp_path))
    identities.forget_older("cluster", str(tmp_path))
    assert identities.remembered("cluster", str(tmp_path)) == ""
    assert runner.calls == []


def test_keys_are_for_root_alone_and_in_no_message(runner: RecordedRunner, tmp_path: Path) -> None:
    key = identities.current("cluster", runner, str(tmp_path))
    (path,) = tmp_path.iterdir()
    assert path.stat().st_mode & 0o777 == 0o600
    assert "SECRET" not in repr(key)
    path.write_text('["AGE-SECRET-KEY-1"]')
    with pytest.raises(ComposeOpsError, match="not a list of keys") as refused:
        identities.remembered("cluster", str(tmp_path))
    assert "SECRET" not in str(refused.value)
