# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.backup.retention import policy
from ansible_collections.composeops.stack.plugins.module_utils.errors import InvalidInput


def test_what_is_not_said_keeps_a_day_and_a_week_of_log() -> None:
    parsed = policy.parse({"daily": 30, "hourly": None, "minimum_age": "", "point_in_time": None})
    assert parsed == policy.Policy(daily=30, minimum_age=timedelta(days=1), point_in_time=timedelta(days=7))


def test_a_source_of_its_own_replaces_the_general_policy_whole() -> None:
    policies = policy.parse_all({"daily": 30, "sources": [{"name": "mongodb", "hourly": 48, "minimum_age": "2h"}]})
    assert policies.of("mongodb") == policy.Policy(hourly=48, minimum_age=timedelta(hours=2))
    assert policies.of("mongodb2") == policies.of("redis") == policy.Policy(daily=30)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, r"backup_retention keeps no backup by its age: hourly, daily, .* are all 0"),
        ({"minimum_age": "30d"}, "keeps no backup by its age"),
        ({"daily": -1}, r"backup_retention\.daily is -1"),
        ({"daily": 1, "minimum_age": "1 day"}, "'1 day' is not a duration"),
        ({"daily": 1, "sources": [{"name": "a"}]}, r"backup_retention\.sources, a keeps no backup"),
        ({"daily": 1, "sources": [{"name": "a", "daily": 1}] * 2}, "has a twice"),
    ],
    ids=["nothing", "only an age", "negative", "no duration", "nothing of one source", "a source twice"],
)
def test_a_policy_that_cannot_be_meant_is_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        policy.parse_all(given)


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("hourly", "2027-01-01 23"),
        ("daily", "2027-01-01"),
        ("weekly", "2026 week 53"),
        ("monthly", "2027-01"),
        ("yearly", "2027"),
    ],
)
def test_periods_sort_like_the_time_they_are_of(kind: str, name: str) -> None:
    moment = datetime(2027, 1, 1, 23, 59, tzinfo=timezone.utc)
    assert policy.period(kind, moment) == name
    assert policy.period(kind, moment - timedelta(days=400)) < name < policy.period(kind, moment + timedelta(days=400))
