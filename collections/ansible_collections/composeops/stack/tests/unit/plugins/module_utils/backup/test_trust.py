# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.backup import layout, trust
from ansible_collections.composeops.stack.plugins.module_utils.backup.model import Entry, Level, Verification
from ansible_collections.composeops.stack.plugins.module_utils.backup.trust import Told
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError

NOW = datetime(2026, 1, 31, 12, 0, tzinfo=timezone.utc)
ROWS = "there are rows in app: public.pets"
DRILLED = ((3, True),)
FAILED = ((3, True), (1, False))


def entry(hours: float, *found: tuple[int, bool]) -> Entry:
    created = NOW - timedelta(hours=hours)
    proofs = tuple(
        Verification(created + timedelta(minutes=n), Level(level), ok) for n, (level, ok) in enumerate(found)
    )
    return Entry("database", "h", layout.backup_id(created, "00000000"), created, True, 1, verifications=proofs)


def judge(one: Entry, *others: Entry, told: Told | None = None, there: str = ROWS) -> str:
    return trust.judge(one, [one, *others], NOW, told or Told(), lambda: there)


@pytest.mark.parametrize(
    ("one", "told", "there", "said"),
    [
        pytest.param(entry(1, *DRILLED), Told(), ROWS, "so far: restored and compared.", id="verified"),
        pytest.param(entry(1, (4, True)), Told(), ROWS, "to a point in time and compared.", id="verified to a moment"),
        pytest.param(entry(1), Told(), "", "never drilled; nothing is there that it replaces.", id="nothing there"),
        pytest.param(entry(1, (2, True)), Told(), "", "readable; nothing is there that", id="read, and nothing there"),
        pytest.param(entry(1), Told(unverified=True), ROWS, "drilled; it is restored because that", id="told"),
        pytest.param(entry(1), Told(expendable=True), ROWS, "what it replaces was made for this", id="expendable"),
        pytest.param(entry(1, *FAILED), Told(unverified=True), ROWS, "last verification failed; it is", id="failed"),
    ],
)
def test_what_may_be_restored_and_what_is_said_of_it(one: Entry, told: Told, there: str, said: str) -> None:
    assert said in judge(one, told=told, there=there)


@pytest.mark.parametrize("found", [(), ((1, True),), ((2, True),)], ids=["never drilled", "intact", "readable"])
def test_data_is_not_replaced_by_what_is_not_verified(found: tuple[tuple[int, bool], ...]) -> None:
    one = entry(1, *found)
    with pytest.raises(ComposeOpsError, match=f"{one.id} of database is not verified, and would replace data: {ROWS}"):
        judge(one)


@pytest.mark.parametrize("told", [Told(), Told(expendable=True)], ids=["nothing", "expendable"])
@pytest.mark.parametrize("there", ["", ROWS], ids=["nothing there", "data there"])
def test_a_backup_that_failed_comes_nowhere_unless_it_is_wanted(told: Told, there: str) -> None:
    with pytest.raises(ComposeOpsError, match="failed its last verification, to level 1, at 2026-01-31T11:01:00Z"):
        judge(entry(1, *FAILED), told=told, there=there)


def test_a_refusal_names_every_way_on() -> None:
    older, good, damaged, newest = entry(9, *DRILLED), entry(5, *DRILLED), entry(3, *FAILED), entry(1)
    with pytest.raises(ComposeOpsError) as refused:
        judge(newest, older, good, damaged)
    for way in (
        f"The newest verified one is {good.id}, 5 h old",
        f"`composeops drill database --backup {newest.id}`",
        "-e unverified=true, or --unverified",
    ):
        assert way in refused.value.remedy
    with pytest.raises(ComposeOpsError, match="None of its backups is verified"):
        judge(newest, damaged)


@pytest.mark.parametrize(
    ("one", "told"),
    [
        pytest.param(entry(1, *DRILLED), Told(), id="verified"),
        pytest.param(entry(1), Told(unverified=True), id="told"),
        pytest.param(entry(1), Told(expendable=True), id="expendable"),
    ],
)
def test_what_is_there_is_asked_for_only_where_it_matters(one: Entry, told: Told) -> None:
    def there() -> str:
        raise AssertionError("asked")

    trust.judge(one, [one], NOW, told, there)
