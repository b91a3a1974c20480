"""CPU, memory and disks: when their use is reported, and when that is over."""

from __future__ import annotations

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.monitor import resources
from ansible_collections.composeops.stack.plugins.module_utils.monitor.model import State, Thresholds
from hypothesis import given
from hypothesis import strategies as st

THRESHOLDS = Thresholds(cpu=90, memory=80, disk=85, margin=5, failures=3)


def kinds(name: str, samples: list[float], thresholds: Thresholds = THRESHOLDS) -> list[str]:
    state, found = State(), []
    for step, percent in enumerate(samples):
        decision = resources.judge(thresholds, state, {name: percent}, step * 30.0)
        state = decision.state
        found += [alert.kind for alert in decision.alerts]
    return found


@pytest.mark.parametrize(
    ("name", "samples", "expected"),
    [
        ("cpu", [95, 95], []),
        ("cpu", [95, 95, 95], ["resource"]),
        ("cpu", [90, 90, 90], ["resource"]),
        ("cpu", [95, 95, 89, 95, 95], []),
        ("cpu", [95, 95, 95, 95, 95, 95], ["resource"]),
        ("cpu", [95, 95, 95, 86, 95, 95, 95, 95], ["resource"]),
        ("cpu", [95, 95, 95, 85], ["resource", "resource_recovered"]),
        ("cpu", [95, 95, 95, 85, 95, 95, 95], ["resource", "resource_recovered", "resource"]),
        ("memory", [85, 85, 85], ["resource"]),
        ("disk /", [84.9] * 5, []),
        ("disk /", [86] * 5, ["resource"]),
    ],
)
def test_resource_is_reported_once_until_it_is_well_below_its_threshold(
    name: str, samples: list[float], expected: list[str]
) -> None:
    assert kinds(name, samples) == expected


def test_sentences() -> None:
    state = State()
    for at in (0.0, 30.0, 60.0):
        decision = resources.judge(THRESHOLDS, state, {"disk /srv": 97.4}, at)
        state = decision.state
    assert decision.alerts[0].title == "disk /srv is running short"
    assert decision.alerts[0].text == "97 % of disk /srv is in use, and it was above 85 % for 1 min."
    decision = resources.judge(THRESHOLDS, state, {"disk /srv": 40}, 600.0)
    assert decision.alerts[0].text == "40 % of disk /srv is in use; it was above 85 % for 10 min."


def test_threshold_of_zero_watches_nothing() -> None:
    assert kinds("cpu", [100] * 9, Thresholds(cpu=0)) == []


@pytest.mark.parametrize(
    ("name", "watched"), [("cpu", True), ("memory", False), ("disk /", True), ("disk /gone", False)]
)
def test_watched_resources(name: str, watched: bool) -> None:
    assert resources.watched(Thresholds(memory=0), name) is watched


@given(st.lists(st.floats(0, 100), max_size=60), st.floats(1, 100), st.floats(0, 50), st.integers(1, 4))
def test_reports_and_recoveries_take_turns(
    samples: list[float], threshold: float, margin: float, failures: int
) -> None:
    found = kinds("cpu", samples, Thresholds(cpu=threshold, margin=margin, failures=failures))
    assert found == [["resource", "resource_recovered"][place % 2] for place in range(len(found))]
