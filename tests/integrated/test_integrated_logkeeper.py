"""INT-05: which logs are closed, and which are removed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from integrated.logkeeper import DAY, File, keep, plan

NOW = 1_770_000_000.0
OWN, OTHER = Path("/logs/own"), Path("/logs/other")
LIMIT = 100


def log(path: Path, *, age_in_days: float = 0, size: int = 10) -> File:
    return File(path, NOW - age_in_days * DAY, size)


def decide(*files: File, new_day: bool = False) -> tuple[list[str], list[str]]:
    found = plan(files, OWN, NOW, new_day=new_day, days=7, limit=LIMIT)
    return [str(path) for path in found.close], [str(path) for path in found.remove]


def test_log_of_the_day_is_left_alone() -> None:
    assert decide(log(OWN / "backend.log")) == ([], [])


def test_logs_are_closed_when_a_day_begins_but_not_empty_ones_and_not_those_of_other_containers() -> None:
    files = [log(OWN / "backend.log"), log(OWN / "frontend.log", size=0), log(OTHER / "backend.log")]
    assert decide(*files, new_day=True) == (["/logs/own/backend.log"], [])


def test_log_that_another_day_ended_is_closed_by_a_keeper_that_was_not_there() -> None:
    assert decide(log(OWN / "backend.log", age_in_days=2)) == (["/logs/own/backend.log"], [])


def test_closed_log_is_removed_after_seven_days() -> None:
    files = [log(OWN / "backend.log-1", age_in_days=6.9), log(OWN / "backend.log-2", age_in_days=7.1)]
    assert decide(*files)[1] == ["/logs/own/backend.log-2"]


@pytest.mark.parametrize(("age", "removed"), [(6.9, []), (7.1, ["/logs/other/backend.log", "/logs/other/monitor.log"])])
def test_container_that_is_gone_keeps_its_logs_for_seven_days(age: float, removed: list[str]) -> None:
    files = [log(OTHER / "backend.log", age_in_days=age), log(OTHER / "monitor.log", age_in_days=9)]
    assert decide(*files)[1] == removed


def test_limit_takes_the_oldest_closed_logs_first_and_never_one_in_use() -> None:
    files = [
        log(OWN / "backend.log", size=60),
        log(OWN / "backend.log-new", age_in_days=1, size=30),
        log(OWN / "backend.log-old", age_in_days=3, size=30),
        log(OTHER / "backend.log-older", age_in_days=4, size=30),
    ]
    assert decide(*files)[1] == ["/logs/other/backend.log-older", "/logs/own/backend.log-old"]


def test_keeper_renames_has_the_logs_opened_anew_and_tidies_up(tmp_path: Path) -> None:
    own, gone = tmp_path / "own", tmp_path / "gone"
    for directory in (own, gone):
        directory.mkdir()
        (directory / "backend.log").write_text("line\n")
    os.utime(gone / "backend.log", (NOW - 8 * DAY, NOW - 8 * DAY))
    os.utime(own / "backend.log", (NOW, NOW))
    opened: list[bool] = []
    keep(own, lambda: opened.append(True), new_day=True, days=7, limit=LIMIT, now=NOW)
    assert opened == [True]
    assert [path.name for path in own.iterdir()] == ["backend.log-20260202T024000Z"]
    assert not gone.exists()
