# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.backup import layout
from ansible_collections.composeops.stack.plugins.module_utils.backup.model import Entry, Level, Verification

MOMENT = datetime(2026, 1, 31, 2, 30, tzinfo=timezone.utc)
ID = "20260131T023000Z-1f2e3d4c"


def test_an_id_says_when_in_utc() -> None:
    there = MOMENT.astimezone(timezone(timedelta(hours=8)))
    assert layout.backup_id(there, "1f2e3d4c") == ID
    assert layout.created(ID) == MOMENT


@pytest.mark.parametrize(
    "identifier",
    ["", "20260131T023000Z", "20260131T023000Z-1F2E3D4C", "20261331T023000Z-1f2e3d4c", f"{ID}/", f"{ID}\n", "latest"],
)
def test_what_is_no_id(identifier: str) -> None:
    assert layout.created(identifier) is None


def test_a_key_is_below_its_source_and_host() -> None:
    assert layout.key("database", "petcare1", ID, "manifest.json") == f"database/petcare1/{ID}/manifest.json"


def test_only_a_manifest_commits() -> None:
    later = "20260201T023000Z-00000000"
    objects = [
        (f"database/h/{later}/database.pgdump", 7),
        (f"database/h/{ID}/database.pgdump", 10),
        (f"database/h/{ID}/manifest.json", 2),
    ]
    first, second = layout.entries("database", "h", objects)
    assert (first.id, first.committed, first.bytes) == (ID, True, 12)
    assert (second.id, second.committed, second.bytes) == (later, False, 7)


@pytest.mark.parametrize(
    "key",
    [
        pytest.param(f"app2/h/{ID}/manifest.json", id="source with a similar name"),
        pytest.param(f"app/h2/{ID}/manifest.json", id="host with a similar name"),
        pytest.param(f"app/h/{ID}/deeper/manifest.json", id="deeper"),
        pytest.param(f"app/h/{ID}", id="no object"),
        pytest.param(f"app/h/{ID}/", id="folder marker"),
        pytest.param("app/h/readme/manifest.json", id="not an id"),
        pytest.param(f"other/app/h/{ID}/manifest.json", id="elsewhere"),
    ],
)
def test_foreign_keys_are_no_backups(key: str) -> None:
    assert layout.entries("app", "h", [(key, 1)]) == []


def test_a_backup_says_by_its_objects_that_it_is_not_one_moment() -> None:
    objects = [("db/h/20260131T100000Z-00000000/inconsistent-dump", 5), ("db/h/20260131T110000Z-00000000/dump", 5)]
    assert [entry.consistent for entry in layout.entries("db", "h", objects)] == [False, True]


def entry(*names: str) -> Entry:
    (only,) = layout.entries("db", "h", [(f"db/h/{ID}/{name}", 5) for name in ("dump", "manifest.json", *names)])
    return only


def test_a_verification_is_read_from_the_name_it_was_written_under() -> None:
    name = layout.verification_name(MOMENT, Level.RESTORED, True, "1f2e3d4c")
    assert name == "verification-20260131T023000Z-L3-passed-1f2e3d4c.json"
    assert layout.verification(name) == Verification(MOMENT, Level.RESTORED, True)


@pytest.mark.parametrize(
    "name",
    [
        "verification-20260131T023000Z-L5-passed-1f2e3d4c.json",
        "verification-20260131T023000Z-L3-maybe-1f2e3d4c.json",
        "verification-20261331T023000Z-L3-passed-1f2e3d4c.json",
        "manifest.json",
    ],
)
def test_what_is_no_verification(name: str) -> None:
    assert layout.verification(name) is None


def passed(day: int, level: int) -> str:
    return f"verification-202602{day:02}T023000Z-L{level}-passed-1f2e3d4c.json"


def failed(day: int, level: int) -> str:
    return f"verification-202602{day:02}T023000Z-L{level}-failed-1f2e3d4c.json"


@pytest.mark.parametrize(
    ("names", "level", "is_failed", "verified"),
    [
        pytest.param([], 0, False, False, id="never"),
        pytest.param([passed(1, 2)], 2, False, False, id="readable is not verified"),
        pytest.param([passed(1, 3), passed(2, 1)], 3, False, True, id="the highest counts"),
        pytest.param([passed(1, 4)], 4, False, True, id="point in time"),
        pytest.param([passed(1, 3), failed(2, 1)], 0, True, False, id="damaged since"),
        pytest.param(
            [failed(1, 3), passed(2, 1)], 1, False, False, id="what was proven before a failure counts no more"
        ),
        pytest.param([failed(3, 1), passed(2, 3)], 0, True, False, id="in the order of time"),
    ],
)
def test_how_far_a_backup_was_proven(names: list[str], level: int, is_failed: bool, verified: bool) -> None:
    one = entry(*names)
    assert (one.level, one.failed, one.verified) == (level, is_failed, verified)


def test_records_and_pins_are_not_part_of_the_size() -> None:
    one = entry(passed(1, 3), "pin.json")
    assert (one.bytes, one.pinned) == (10, True)
