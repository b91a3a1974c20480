# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is known of the backups of this host, as a file for Prometheus' node exporter (its textfile collector).

Each run and each drill notes what it measured of its source, and writes the whole file from all notes, so that the
file needs neither the store nor any other source to be well. A note that is missing is a metric that is not there.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from ansible_collections.composeops.stack.plugins.module_utils.backup import records
from ansible_collections.composeops.stack.plugins.module_utils.backup.model import Level, Settings, Source
from ansible_collections.composeops.stack.plugins.module_utils.backup.verification.record import Verification
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.io import files
from ansible_collections.composeops.stack.plugins.module_utils.io.files import exclusive

PATH = "/var/lib/composeops/metrics/backup.prom"
PREFIX = "composeops_backup"
LOCK_WAIT = 30.0

Number = float | int


@dataclass(frozen=True)
class Metric:
    """One metric: the name of its note, and what it says."""

    name: str
    help: str


METRICS = (
    Metric("last_run_success", "Whether the last run committed a backup."),
    Metric("last_run_timestamp_seconds", "When the last run ended."),
    Metric("last_run_duration_seconds", "How long the last run took."),
    Metric("last_committed_timestamp_seconds", "When the newest backup that this host committed was begun."),
    Metric("last_committed_stored_bytes", "Its size in the store."),
    Metric("last_committed_plain_bytes", "Its size before it was compressed and encrypted."),
    Metric("last_drill_success", "Whether the last drill proved a backup, to whichever level it was asked for."),
    Metric("last_drill_timestamp_seconds", "When the last drill ended."),
    Metric("last_drill_duration_seconds", "How long the last drill took."),
    Metric("last_drill_level", "How far the last drill that succeeded went; 3 and more restored the backup."),
    Metric("last_verified_timestamp_seconds", "When a backup was last restored and compared."),
    Metric("projected_rto_seconds", "How long the last drill took from the first byte to data that serves."),
    Metric("wal_lag_seconds", "How old the oldest write is that has not reached the store."),
    Metric("wal_lag_bytes", "How much was written that has not reached the store."),
)
"""Every metric there is, in the order of the file."""

_KNOWN = frozenset(metric.name for metric in METRICS)


def committed(settings: Settings, source: Source, measured: Mapping[str, Number], directory: str) -> None:
    """Note a run that committed; ``measured`` has what is known beside that."""
    _note(settings, source, {"last_run_success": 1, "last_run_timestamp_seconds": _now(), **measured}, directory)


def run_failed(settings: Settings, source: Source, seconds: float, directory: str) -> None:
    """Note a run that committed nothing."""
    measured = {
        "last_run_success": 0,
        "last_run_timestamp_seconds": _now(),
        "last_run_duration_seconds": round(seconds, 1),
    }
    _note(settings, source, measured, directory)


def drilled(settings: Settings, source: Source, found: Verification, seconds: float, directory: str) -> None:
    """Note a drill that came to a judgement, good or bad."""
    measured: dict[str, Number] = _drill(found.passed, seconds)
    if found.passed:
        measured["last_drill_level"] = found.level.value
    if found.passed and found.level >= Level.RESTORED:
        measured["last_verified_timestamp_seconds"] = measured["last_drill_timestamp_seconds"]
    if found.rto_seconds is not None:
        measured["projected_rto_seconds"] = found.rto_seconds
    _note(settings, source, measured, directory)


def drill_failed(settings: Settings, source: Source, seconds: float, directory: str) -> None:
    """Note a drill that could not be made."""
    _note(settings, source, _drill(False, seconds), directory)


def wal_lag(
    settings: Settings, source: Source, *, seconds: float, count: int, directory: str = records.DIRECTORY
) -> None:
    """Note how far the store is behind a server whose writes are sent continuously."""
    _note(settings, source, {"wal_lag_seconds": round(seconds, 1), "wal_lag_bytes": count}, directory)


def timestamp(second: str) -> int:
    """Return the time that records write as 2026-01-31T02:30:00Z."""
    return int(datetime.strptime(second, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc).timestamp())


def render(notes: Mapping[str, Mapping[str, Number]], host: str) -> str:
    """Return the text of the file; ``notes`` has what was measured of each source."""
    return "".join(line for metric in METRICS for line in _metric(metric, notes, host))


def _metric(metric: Metric, notes: Mapping[str, Mapping[str, Number]], host: str) -> Iterator[str]:
    known = [(source, noted[metric.name]) for source, noted in notes.items() if metric.name in noted]
    if known:
        yield f"# HELP {PREFIX}_{metric.name} {metric.help}\n# TYPE {PREFIX}_{metric.name} gauge\n"
    for source, value in known:
        # Names of sources and hosts have no character that would need escaping.
        yield f'{PREFIX}_{metric.name}{{source="{source}",backup_host="{host}"}} {value}\n'


def _drill(success: bool, seconds: float) -> dict[str, Number]:
    return {
        "last_drill_success": int(success),
        "last_drill_timestamp_seconds": _now(),
        "last_drill_duration_seconds": round(seconds, 1),
    }


def _note(settings: Settings, source: Source, measured: Mapping[str, Number], directory: str) -> None:
    """Add to what is known of a source, and write the file. A disk that is full must not fail a backup for it."""
    target = PATH if directory == records.DIRECTORY else os.path.join(directory, os.path.basename(PATH))
    with contextlib.suppress(ComposeOpsError, OSError):
        os.makedirs(os.path.dirname(target), mode=0o755, exist_ok=True)
        with exclusive(os.path.join(directory, ".metrics.lock"), "writing metrics", wait=LOCK_WAIT):
            noted = {**_read(source.name, directory), **measured}
            _write(_path(source.name, directory), json.dumps(noted, sort_keys=True).encode(), 0o600)
            names = sorted({*(one.name for one in settings.sources), source.name})
            text = render({name: _read(name, directory) for name in names}, settings.host)
            _write(target, text.encode(), 0o644)


def _read(source: str, directory: str) -> dict[str, Number]:
    try:
        noted: dict[str, Any] = json.loads(files.read_text(_path(source, directory)) or "{}")
        return {name: value for name, value in noted.items() if name in _KNOWN and isinstance(value, (int, float))}
    except (ValueError, AttributeError):
        return {}


def _write(path: str, content: bytes, mode: int) -> None:
    files.write_atomically(path, content, mode=mode, uid=os.geteuid(), gid=os.getegid())


def _path(source: str, directory: str) -> str:
    return os.path.join(directory, f"{source}.measured.json")


def _now() -> int:
    return int(datetime.now(timezone.utc).timestamp())
