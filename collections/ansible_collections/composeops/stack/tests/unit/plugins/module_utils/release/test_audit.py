# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import gzip
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.release import audit

BEGAN = audit.Entry("2026-05-01T12:00:00+00:00", "began", "r1", "shop", "deploy", "ada", "ansible", 7, 7)
ENDED = replace(BEGAN, time="2026-05-01T12:00:09+00:00", event="ended", to_release=8, result="ok", seconds=9.1)
REFUSED = audit.Entry("t", "ended", "r2", "shop", "stop", "bob", "console", 8, 8, "refused", reason="held by ada")


@pytest.fixture
def log(tmp_path: Path) -> str:
    return str(tmp_path / "composeops/audit.jsonl")


def test_lines_are_appended_for_root_alone(log: str) -> None:
    for entry in (BEGAN, ENDED, REFUSED):
        audit.append(entry, log)
    assert list(audit.read(log)) == [BEGAN, ENDED, REFUSED]
    assert Path(log).stat().st_mode & 0o777 == 0o600
    assert Path(log).parent.stat().st_mode & 0o777 == 0o750
    assert len(Path(log).read_text().splitlines()) == 3


def test_a_line_that_was_cut_short_takes_no_other_with_it(log: str) -> None:
    audit.append(BEGAN, log)
    with open(log, "a", encoding="utf-8") as stream:
        stream.write('{"time": "2026')
    audit.append(REFUSED, log)
    assert list(audit.read(log)) == [BEGAN, REFUSED]


def test_a_reason_cannot_become_a_line_of_its_own(log: str) -> None:
    audit.append(replace(REFUSED, reason='a\n{"result": "ok"}\u2028'), log)
    assert len(list(audit.read(log))) == 1


def test_rotated_files_are_read_first_and_in_their_order(log: str) -> None:
    entries = [replace(REFUSED, run=name) for name in ("oldest", "older", "old", "new")]
    for entry, end in zip(entries, (".10.gz", ".2.gz", ".1", ""), strict=True):
        audit.append(entry, log)
        if end.endswith(".gz"):
            Path(f"{log}{end}").write_bytes(gzip.compress(Path(log).read_bytes()))
            Path(log).unlink()
        elif end:
            Path(log).rename(f"{log}{end}")
    Path(f"{log}.bak").write_text("nothing of ours")
    assert [entry.run for entry in audit.read(log)] == ["oldest", "older", "old", "new"]


def test_no_log_is_no_failure(log: str) -> None:
    assert list(audit.read(log)) == []


def test_a_log_that_cannot_be_written_is_an_error_that_says_where(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ComposeOpsError, match=r"file/audit\.jsonl cannot be written"):
        audit.append(BEGAN, str(tmp_path / "file/audit.jsonl"))


CONCLUDED = {
    "one that ended": ([BEGAN, ENDED], set(), [("2026-05-01T12:00:00+00:00", "ok")]),
    "one that still runs": ([BEGAN], {"r1"}, [(BEGAN.time, "running")]),
    "one that was killed": ([BEGAN], {"r9"}, [(BEGAN.time, "interrupted")]),
    "one that began nothing": ([REFUSED], set(), [("t", "refused")]),
    "one whose beginning was rotated away": ([ENDED], set(), [(ENDED.time, "ok")]),
    "one meanwhile": ([BEGAN, REFUSED, ENDED], set(), [(BEGAN.time, "ok"), ("t", "refused")]),
}


@pytest.mark.parametrize(("entries", "running", "found"), CONCLUDED.values(), ids=CONCLUDED.keys())
def test_what_became_of_each_run(
    entries: list[audit.Entry], running: set[str], found: list[tuple[str, audit.Result]]
) -> None:
    assert [(run.time, run.result) for run in audit.runs(entries, running)] == found


@pytest.mark.parametrize(
    ("before", "after", "shown"),
    [(7, 8, "7 to 8"), (8, 8, "8"), (0, 1, "- to 1"), (0, 0, "-"), (7, 0, "7")],
    ids=["a release", "none", "the first", "never deployed", "removed"],
)
def test_a_row_shows_from_which_release_to_which(before: int, after: int, shown: str) -> None:
    assert audit.row(replace(ENDED, from_release=before, to_release=after))[5] == shown


def test_the_log_is_where_it_is_documented() -> None:
    assert audit.PATH == "/var/log/composeops/audit.jsonl"
