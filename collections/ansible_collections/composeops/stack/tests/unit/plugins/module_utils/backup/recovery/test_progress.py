# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.backup.recovery import progress
from ansible_collections.composeops.stack.plugins.module_utils.backup.recovery.progress import (
    FINISHED,
    PHASES,
    Progress,
)
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError, InvalidInput

NOW = "2026-11-22T12:00:00+00:00"


def begun(clock: float = 100.0) -> Progress:
    return progress.begin(None, "", now=NOW, clock=clock, overwrite=False)


def test_phases_are_timed_one_after_the_other() -> None:
    found, clock = begun(), 100.0
    for phase, spent in zip((*PHASES[1:], FINISHED), (60.04, 20.0, 30.0, 5.0), strict=True):
        clock += spent
        found = progress.enter(found, phase, now=NOW, clock=clock)
    assert found.seconds == {"infrastructure": 60.0, "data": 20.0, "configuration": 30.0, "verification": 5.0}
    assert (found.finished, found.phase) == (NOW, "")
    assert progress.rows(found)[-1] == ["all", "115.0"]


def test_a_run_that_goes_on_adds_its_time_and_not_the_time_between() -> None:
    found = progress.restored(progress.enter(begun(), "data", now=NOW, clock=160.0), "database", "1")
    again = progress.begin(found, "stack shop is deployed", now="later", clock=9000.0, overwrite=False)
    assert again.restored == {"database": "1"}
    assert again.started == NOW
    assert progress.enter(again, "data", now=NOW, clock=9007.0).seconds == {"infrastructure": 67.0}


def test_a_clock_that_began_anew_with_the_host_takes_nothing_back() -> None:
    assert progress.enter(begun(500.0), "data", now=NOW, clock=3.0).seconds == {"infrastructure": 0.0}


@pytest.mark.parametrize("ended", [False, True], ids=["never recovered", "recovered once"])
def test_a_host_with_data_is_refused_unless_it_is_to_be_overwritten(ended: bool) -> None:
    found = progress.enter(begun(), FINISHED, now=NOW, clock=101.0) if ended else None
    with pytest.raises(InvalidInput, match="not empty: stack shop is deployed") as raised:
        progress.begin(found, "stack shop is deployed", now=NOW, clock=1.0, overwrite=False)
    assert ("It was recovered at 2026" in str(raised.value)) is ended
    anew = progress.begin(found, "stack shop is deployed", now=NOW, clock=1.0, overwrite=True)
    assert (anew.restored, anew.seconds, anew.finished) == ({}, {}, "")
    assert not anew.empty


def test_a_host_that_was_empty_when_it_began_stays_so_whatever_was_restored_meanwhile() -> None:
    assert begun().empty
    again = progress.begin(begun(), "stack shop is deployed", now="later", clock=9.0, overwrite=True)
    assert again.empty


def test_what_is_written_is_what_is_read() -> None:
    found = progress.restored(progress.enter(begun(), "data", now=NOW, clock=160.0), "database", "1")
    assert progress.parse(progress.serialise(found).decode(), "there") == found


@pytest.mark.parametrize("text", ["", "{}", '{"schema": 1, "colour": 1}', "[]"])
def test_what_is_no_record_is_told(text: str) -> None:
    with pytest.raises(ComposeOpsError, match="there is not the record of a recovery"):
        progress.parse(text, "there")
