# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.backup import layout, records, status
from ansible_collections.composeops.stack.plugins.module_utils.backup.model import Entry, Level, Source, Verification
from ansible_collections.composeops.stack.plugins.module_utils.backup.records import Record
from ansible_collections.composeops.stack.plugins.module_utils.backup.status import Status

NOW = datetime(2026, 1, 31, 12, 0, tzinfo=timezone.utc)
SOURCE = Source("database", "postgres", "petcare", "postgres", "pet", "petuser")


def entry(hours: int, *, committed: bool = True) -> Entry:
    created = NOW - timedelta(hours=hours)
    return Entry("database", "h", layout.backup_id(created, "00000000"), created, committed, 1024)


OLD, YOUNG, BROKEN, FUTURE = entry(30), entry(2), entry(1, committed=False), entry(-50)


def of(*entries: Entry, run: Record | None = None) -> Status:
    return Status(SOURCE, entries, run, NOW)


def test_the_newest_comes_first_and_one_of_the_future_last() -> None:
    shown = of(OLD, YOUNG, BROKEN, FUTURE)
    assert shown.committed == [YOUNG, OLD, FUTURE]
    assert shown.newest == YOUNG
    assert shown.incomplete == [BROKEN.id]
    assert shown.from_the_future == [FUTURE.id]


def test_the_run_under_way_is_not_incomplete() -> None:
    assert of(BROKEN, run=Record("database", BROKEN.id, records.RUNNING, "")).incomplete == []


def test_data_is_limited_to_the_newest() -> None:
    data = status.data(of(OLD, YOUNG), limit=1)
    assert data["count"] == 2
    assert data["bytes"] == 2048
    assert data["backups"] == [data["newest"]]
    assert data["newest"] == {
        "id": YOUNG.id,
        "created": "2026-01-31T10:00:00+00:00",
        "age_seconds": 7200,
        "bytes": 1024,
        "consistent": True,
        "verified": False,
        "level": 0,
        "damaged": False,
    }


def test_no_backup_at_all() -> None:
    data = status.data(of(), limit=5)
    assert (data["newest"], data["count"], data["backups"], data["last_run"]) == (None, 0, [], None)
    (table,) = status.summary([of()])
    assert table["rows"] == [["database", "none", "", "", "no", "0", "daily", "none on this host"]]


@pytest.mark.parametrize(
    ("run", "shown"),
    [
        (Record("database", "id", records.COMMITTED, "s", "f"), "committed"),
        (Record("database", "id", records.RUNNING, "10:00"), "running (since 10:00)"),
        (Record("database", "id", records.FAILED, "s", "10:01", "disk full"), "failed at 10:01: disk full"),
        (Record("database", "id", records.INTERRUPTED, "10:00", "", "killed"), "interrupted at 10:00: killed"),
    ],
    ids=lambda value: value.outcome if isinstance(value, Record) else "",
)
def test_the_table_shows_the_last_run(run: Record, shown: str) -> None:
    (table,) = status.summary([of(YOUNG, run=run)])
    assert table["columns"][-1] == "last run"
    assert table["rows"] == [["database", YOUNG.id, "2 h", "1.0 KiB", "no", "1", "daily", shown]]


def test_the_listing_marks_what_cannot_be_believed() -> None:
    columns, rows = status.listing(of(YOUNG, FUTURE))
    assert len(columns) == len(rows[0]) == 5
    assert [row[1] for row in rows] == ["2 h", "in the future"]


def test_a_backup_that_is_not_one_moment_is_called_so() -> None:
    dumped = replace(YOUNG, consistent=False)
    assert status.listing(of(dumped))[1][0][4] == "not a consistent snapshot"
    (table,) = status.summary([of(dumped)])
    assert table["rows"][0][3] == "1.0 KiB, not a consistent snapshot"


def test_a_pin_is_shown() -> None:
    assert status.listing(of(replace(YOUNG, pinned=True)))[1][0][4] == "pinned"


def proven(level: int, *, passed: bool = True, hours: int = 1) -> Verification:
    return Verification(NOW - timedelta(hours=hours), Level(level), passed)


@pytest.mark.parametrize(
    ("verifications", "one", "all_"),
    [
        ((), "no", "no"),
        ((proven(1),), "no, intact", "no"),
        ((proven(2),), "no, readable", "no"),
        ((proven(3),), "yes", "1 h ago"),
        ((proven(4),), "yes", "1 h ago"),
        ((proven(3, hours=2), proven(1, passed=False)), "no, damaged", "no, the newest is damaged"),
    ],
    ids=["none", "intact", "readable", "restored", "point in time", "damaged since"],
)
def test_verified_is_only_what_was_restored(verifications: tuple[Verification, ...], one: str, all_: str) -> None:
    shown = of(replace(YOUNG, verifications=verifications))
    assert status.listing(shown)[1][0][3] == one
    (table,) = status.summary([shown])
    assert table["rows"][0][table["columns"].index("verified")] == all_


def test_a_source_was_verified_when_an_older_backup_was() -> None:
    data = status.data(of(replace(OLD, verifications=(proven(3),)), YOUNG), limit=2)
    assert data["verified"] == "2026-01-31T11:00:00+00:00"
    assert [(one["verified"], one["level"]) for one in data["backups"]] == [(False, 0), (True, 3)]
