# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.backup import aftermath, metrics
from ansible_collections.composeops.stack.plugins.module_utils.backup.manifest import Manifest, StoredObject
from ansible_collections.composeops.stack.plugins.module_utils.backup.model import Level, Settings, Source, Store
from ansible_collections.composeops.stack.plugins.module_utils.backup.verification.record import Verification
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.io import http
from ansible_collections.composeops.stack.plugins.module_utils.io.http import Response

URL = "https://hc.example/very-secret"
SOURCE = Source("database", "postgres", "petcare", heartbeat_url=URL)
OTHER = Source("redis", "redis", "petcare")
SETTINGS = Settings("petcare1", Store("backups", "id", "secret"), (SOURCE, OTHER))
MANIFEST = Manifest(
    *("id", "database", "petcare1", "postgres", "2026-01-31T02:30:00Z", "f"),
    (StoredObject("dump", 100, "", ("zstd",), 400), StoredObject("roles", 10, "", ("zstd",), 40)),
)


class Switch:
    """A dead-man's switch that answers as it is told to."""

    def __init__(self) -> None:
        self.answer: int | ComposeOpsError = 200
        self.asked: list[tuple[str, str, dict[str, Any]]] = []

    def request(self, url: str, *, method: str, headers: dict[str, str], body: bytes, timeout: float) -> Response:
        self.asked.append((method, url, json.loads(body)))
        if isinstance(self.answer, ComposeOpsError):
            raise self.answer
        return Response(self.answer, {}, b"", 0.1)


@pytest.fixture
def switch(monkeypatch: pytest.MonkeyPatch) -> Switch:
    one = Switch()
    monkeypatch.setattr(http, "request", one.request)
    return one


def shown(directory: Path) -> dict[str, float]:
    """Return the metrics of the source `database`."""
    lines = (directory / "backup.prom").read_text().splitlines()
    own = [line for line in lines if 'source="database"' in line]
    return {line.partition("{")[0].removeprefix("composeops_backup_"): float(line.split()[-1]) for line in own}


def test_a_committed_backup_is_told_and_measured(switch: Switch, tmp_path: Path) -> None:
    assert aftermath.committed(SETTINGS, SOURCE, MANIFEST, 1.25, str(tmp_path)) == []
    ((method, url, said),) = switch.asked
    assert (method, url) == ("POST", URL)
    assert said == {"source": "database", "host": "petcare1", "backup": "id", "bytes": 110, "seconds": 1.2}
    found = shown(tmp_path)
    assert found.pop("last_run_timestamp_seconds") > 0
    assert found == {
        "last_run_success": 1,
        "last_run_duration_seconds": 1.2,
        "last_committed_timestamp_seconds": 1769826600,
        "last_committed_stored_bytes": 110,
        "last_committed_plain_bytes": 440,
    }


def test_a_failed_run_is_told_and_keeps_what_was_committed_before(switch: Switch, tmp_path: Path) -> None:
    aftermath.committed(SETTINGS, SOURCE, MANIFEST, 1.0, str(tmp_path))
    assert aftermath.failed(SETTINGS, SOURCE, "Redis is down.", 2.0, str(tmp_path)) == []
    assert switch.asked[-1][1] == f"{URL}/fail"
    assert switch.asked[-1][2]["error"] == "Redis is down."
    found = shown(tmp_path)
    assert (found["last_run_success"], found["last_committed_stored_bytes"]) == (0, 110)


@pytest.mark.parametrize(
    "answer", [ComposeOpsError("Nothing listens on hc.example:443."), 404, 302], ids=["gone", "unknown", "elsewhere"]
)
def test_a_switch_that_does_not_hear_is_a_note_without_its_url(
    switch: Switch, tmp_path: Path, answer: int | ComposeOpsError
) -> None:
    switch.answer = answer
    (note,) = aftermath.committed(SETTINGS, SOURCE, MANIFEST, 1.0, str(tmp_path))
    assert note.startswith("The heartbeat of this backup was not received")
    assert "very-secret" not in note


def test_nobody_is_told_where_there_is_no_switch(switch: Switch, tmp_path: Path) -> None:
    assert aftermath.committed(SETTINGS, OTHER, MANIFEST, 1.0, str(tmp_path)) == []
    assert switch.asked == []


def test_the_url_is_in_no_representation() -> None:
    assert "very-secret" not in repr(SOURCE)
    assert "very-secret" not in repr(SETTINGS)


def drill(outcome: str, level: int, rto: float | None = None) -> Verification:
    return Verification("id", "database", "h", "h", Level(level), outcome, "s", "f", rto_seconds=rto)


def test_only_a_restore_counts_as_verified(tmp_path: Path) -> None:
    metrics.drilled(SETTINGS, SOURCE, drill("passed", 2), 3.0, str(tmp_path))
    assert "last_verified_timestamp_seconds" not in shown(tmp_path)
    metrics.drilled(SETTINGS, SOURCE, drill("passed", 3, 2.5), 3.0, str(tmp_path))
    found = shown(tmp_path)
    assert (found["last_drill_success"], found["last_drill_level"], found["projected_rto_seconds"]) == (1, 3, 2.5)
    assert found["last_verified_timestamp_seconds"] == found["last_drill_timestamp_seconds"]
    metrics.drilled(SETTINGS, SOURCE, drill("failed", 1), 3.0, str(tmp_path))
    found = shown(tmp_path)
    assert (found["last_drill_success"], found["last_drill_level"], found["projected_rto_seconds"]) == (0, 3, 2.5)


def test_the_file_is_what_prometheus_reads_and_anyone_may(tmp_path: Path) -> None:
    metrics.run_failed(SETTINGS, SOURCE, 1.0, str(tmp_path))
    metrics.wal_lag(SETTINGS, OTHER, seconds=4.25, count=7, directory=str(tmp_path))
    path = tmp_path / "backup.prom"
    assert path.stat().st_mode & 0o777 == 0o644
    text = path.read_text()
    assert text.count("# TYPE composeops_backup_last_run_success gauge\n") == 1
    assert 'composeops_backup_wal_lag_seconds{source="redis",backup_host="petcare1"} 4.2\n' in text
    assert 'composeops_backup_wal_lag_bytes{source="redis",backup_host="petcare1"} 7\n' in text
    names = {line.split()[2] for line in text.splitlines() if line.startswith("# HELP")}
    assert names <= {f"composeops_backup_{metric.name}" for metric in metrics.METRICS}


def test_a_source_that_is_gone_is_no_metric_any_more(tmp_path: Path) -> None:
    metrics.run_failed(SETTINGS, SOURCE, 1.0, str(tmp_path))
    metrics.run_failed(Settings("petcare1", SETTINGS.store, (OTHER,)), OTHER, 1.0, str(tmp_path))
    assert 'source="database"' not in (tmp_path / "backup.prom").read_text()


@pytest.mark.parametrize("content", ["{", "[]", '{"last_run_success": "yes", "unknown": 1}'])
def test_a_note_that_cannot_be_read_is_begun_anew(tmp_path: Path, content: str) -> None:
    (tmp_path / "database.measured.json").write_text(content)
    metrics.run_failed(SETTINGS, SOURCE, 1.0, str(tmp_path))
    assert shown(tmp_path)["last_run_success"] == 0
    assert "unknown" not in (tmp_path / "backup.prom").read_text()


def test_metrics_that_cannot_be_written_fail_nothing(tmp_path: Path) -> None:
    (tmp_path / "backup.prom").mkdir()
    assert aftermath.failed(SETTINGS, OTHER, "no", 1.0, str(tmp_path)) == []
