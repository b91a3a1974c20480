# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.backup.model import (
    Entry,
    Level,
    Settings,
    Source,
    Store,
    Verification,
)
from ansible_collections.composeops.stack.plugins.module_utils.backup.verification import record
from ansible_collections.composeops.stack.plugins.module_utils.backup.verification.run import Wanted
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError, InvalidInput
from ansible_collections.composeops.stack.plugins.module_utils.io.runner import Runner
from ansible_collections.composeops.stack.plugins.modules import backup_verify

NOW = datetime.now(timezone.utc)
SOURCES = tuple(Source(name, "redis", "petcare", "redis") for name in ("proven", "new", "bad", "stuck"))
SETTINGS = Settings("petcare1", Store("b", "i", "s"), SOURCES)
GIVEN = {"sources": [], "level": None, "backup": "newest", "host": "", "identity": "", "older_than": ""}


def entry(name: str) -> Entry:
    proofs = (Verification(NOW - timedelta(hours=1), Level.RESTORED, True),) if name == "proven" else ()
    return Entry(name, "petcare1", f"id-of-{name}", NOW - timedelta(hours=2), True, 1, verifications=proofs)


class Verifying:
    """Ends as the name of its source says."""

    def __init__(self, _settings: Settings, source: Source, _runner: Runner, wanted: Wanted) -> None:
        self.name = source.name
        self.level = wanted.level or Level.RESTORED

    def chosen(self) -> tuple[Entry, list[Entry]]:
        return entry(self.name), [entry(self.name)]

    def run(self) -> record.Verification:
        if self.name == "stuck":
            raise ComposeOpsError("The image is gone.")
        bad = self.name == "bad"
        return record.Verification(
            *(entry(self.name).id, self.name, "petcare1", "petcare1", self.level),
            *("failed" if bad else "passed", "s", "f"),
            rto_seconds=None if bad else 2.0,
            error="A flipped bit." if bad else "",
        )


@pytest.fixture(autouse=True)
def verifying(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backup_verify, "Verifying", Verifying)


def drills(**given: Any) -> backup_verify.Drills:
    return backup_verify.Drills({**GIVEN, **given}, SETTINGS)


def test_check_mode_predicts_what_a_run_does() -> None:
    names = ["proven", "new"]
    predicted = backup_verify.predict(drills(sources=names, older_than="1d"))
    done, problems = backup_verify.apply(drills(sources=names, older_than="1d"))
    assert problems == []
    assert predicted["changed"] is done["changed"] is True
    assert predicted["plan"] == done["plan"] == ["Verify new to level 3: backup id-of-new; none was before."]
    assert predicted["verified"] == []
    assert [one["source"] for one in done["verified"]] == ["new"]
    assert predicted["diff"][0]["before"] == done["diff"][0]["before"] == "new: committed\n"


def test_what_was_proven_of_late_is_left_and_nothing_changed() -> None:
    for result in (
        backup_verify.predict(drills(sources=["proven"], older_than="1d")),
        backup_verify.apply(drills(sources=["proven"], older_than="1d"))[0],
    ):
        assert (result["changed"], result["plan"], result["verified"]) == (False, [], [])


def test_one_that_is_bad_and_one_that_is_stuck_do_not_keep_the_others_from_being_proven() -> None:
    done, problems = backup_verify.apply(drills())
    assert [(one["source"], one["outcome"], one["level"]) for one in done["verified"]] == [
        ("proven", "passed", 3),
        ("new", "passed", 3),
        ("bad", "failed", 3),
    ]
    assert problems == [
        "Backup id-of-bad of bad is bad: A flipped bit.",
        "The verification of stuck could not be made: The image is gone.",
    ]
    assert done["changed"]
    assert [row[:2] for row in done["summary"][0]["rows"]] == [
        [name, f"id-of-{name}"] for name in ("proven", "new", "bad")
    ]


def test_a_run_that_could_judge_nothing_changed_nothing() -> None:
    done, problems = backup_verify.apply(drills(sources=["stuck"]))
    assert not done["changed"]
    assert len(problems) == 1


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"backup": "x"}, "A backup is of one source"),
        ({"backup": "x", "sources": ["new", "bad"]}, "A backup is of one source"),
        ({"sources": ["nowhere"]}, "nowhere is not a backup source"),
        ({"older_than": "soon"}, "is not a duration"),
    ],
    ids=["a backup of all", "a backup of two", "unknown", "no duration"],
)
def test_what_makes_no_sense_is_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        drills(**given)
