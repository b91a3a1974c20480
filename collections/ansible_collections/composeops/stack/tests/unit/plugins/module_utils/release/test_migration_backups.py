# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.backup import settings
from ansible_collections.composeops.stack.plugins.module_utils.backup.model import Settings, Source, Store
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError, InvalidInput
from ansible_collections.composeops.stack.plugins.module_utils.release import migration_backups
from ansible_collections.composeops.stack.plugins.module_utils.release.migration_backups import MigrationBackups
from ansible_collections.composeops.stack.tests.unit.support.recorded import RecordedRunner


@pytest.fixture(name="program")
def program_fixture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The program on a host whose backups know one source."""
    program = tmp_path / "composeops"
    program.touch()
    monkeypatch.setattr(migration_backups, "PROGRAM", str(program))
    source = Source(name="database", type="redis", stack="shop", service="cache")
    known = Settings("host", Store(bucket="b", access_key="", secret_key=""), (source,))
    monkeypatch.setattr(settings, "require", lambda: known)
    return program


def test_each_source_is_backed_up_by_the_program(program: Path) -> None:
    runner = RecordedRunner(lambda argv: (0, "Backed up database", ""))
    backups = MigrationBackups("shop", runner)
    backups.check(("database",))
    backups.take(("database",))
    assert [list(call) for call in runner.calls] == [[str(program), "backup", "run", "database"]]


def test_a_backup_that_fails_is_told_with_what_it_said(program: Path) -> None:
    def fail(argv: Sequence[str]) -> tuple[int, str, str]:
        return 1, "", "composeops: backup of database failed: the bucket does not answer"

    with pytest.raises(ComposeOpsError) as raised:
        MigrationBackups("shop", RecordedRunner(fail)).take(("database", "files"))
    assert "the backup of database before the migration failed" in str(raised.value)
    assert "the bucket does not answer" in str(raised.value)
    assert "Nothing was changed" in str(raised.value)


def test_an_unknown_source_is_refused_beforehand(program: Path) -> None:
    with pytest.raises(InvalidInput, match=r"migration\.backup names datbase, which is no backup source here"):
        MigrationBackups("shop", RecordedRunner()).check(("datbase",))


def test_a_host_without_the_program_is_refused_beforehand(program: Path) -> None:
    program.unlink()
    with pytest.raises(InvalidInput, match="is not on this host"):
        MigrationBackups("shop", RecordedRunner()).check(("database",))
    MigrationBackups("shop", RecordedRunner()).check(())
