# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.release import active
from ansible_collections.composeops.stack.plugins.module_utils.release.canary_run import (
    Canary,
    CanaryFailed,
    StepFigures,
)
from ansible_collections.composeops.stack.plugins.module_utils.release.model import CanaryPolicy
from ansible_collections.composeops.stack.tests.unit.support.fake_engine import FakeClock

POLICY = CanaryPolicy(steps=(5, 50), hold=10, requests=20)


@dataclass
class Edge(FakeClock):
    """An nginx that answers requests while somebody sleeps: 100 a second, shared out by the weights that it finds."""

    root: Path = field(default_factory=Path)
    rate: int = 100
    fails: Callable[[int, int], bool] = lambda percent, second: False
    """Whether green fails, at a weight and so many seconds into it."""
    takes: str = "0.010"
    steps: list[tuple[int, int]] = field(default_factory=list)
    """Percent and seconds, as they were seen."""
    killed_at: int = 0
    seen: int = 0

    @property
    def directory(self) -> str:
        return str(self.root / "active")

    @property
    def log(self) -> Path:
        return self.root / "composeops-shop.log"

    def weight(self) -> int:
        return active.weights("shop", self.directory).get("green", 0)

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        percent = self.weight()
        if percent != self.seen:
            self.seen = percent
            return  # nginx does not see a weight before
        if not self.steps or self.steps[-1][0] != percent:
            self.steps.append((percent, 0))
        self.steps[-1] = (percent, self.steps[-1][1] + 1)
        if self.killed_at and sum(held for _, held in self.steps) >= self.killed_at:
            raise KeyboardInterrupt
        green = self.rate * percent // 100
        status = 500 if self.fails(percent, self.steps[-1][1]) else 200
        with self.log.open("a") as stream:
            stream.write(f"green;{status};{self.takes}\n" * green + "blue;200;0.010\n" * (self.rate - green))

    def run(self, policy: CanaryPolicy = POLICY) -> tuple[StepFigures, ...]:
        return Canary("shop", policy, self, self.directory, str(self.root)).run(colour="green", before="blue")


@pytest.fixture
def edge(tmp_path: Path) -> Edge:
    found = Edge(root=tmp_path)
    found.log.write_text("green;500;0.001\n" * 1000)
    return found


def test_sag_07_each_step_is_held_and_its_figures_are_returned(edge: Edge) -> None:
    figures = edge.run()
    assert edge.steps == [(5, 10), (50, 10)]
    assert figures == (
        StepFigures(5, 10.0, 50, 0, 0.010, 950, 0, 0.010),
        StepFigures(50, 10.0, 500, 0, 0.010, 500, 0, 0.010),
    )
    assert asdict(figures[0])["requests"] == 50


def test_the_last_weight_stays_until_the_switch(edge: Edge) -> None:
    edge.run()
    assert edge.weight() == 50


def test_what_it_measured_is_not_left_in_the_log(edge: Edge) -> None:
    edge.run()
    assert edge.log.read_text() == ""


@pytest.mark.parametrize(
    ("sticky", "mark"), [("none", "by-request"), ("address", "by-address"), ("cookie", "by-cookie")]
)
def test_clients_stay_where_they_are_as_asked(edge: Edge, sticky: str, mark: str) -> None:
    edge.run(replace(POLICY, sticky=sticky))
    assert mark in os.listdir(active.canary("shop", edge.directory))


def test_a_release_that_fails_gets_nothing_any_more_within_seconds(edge: Edge) -> None:
    edge.fails = lambda percent, second: True
    with pytest.raises(CanaryFailed) as raised:
        edge.run()
    assert edge.steps == [(5, 1)]
    assert edge.weight() == 0
    assert str(raised.value) == (
        "Stack shop: the canary was ended after 1 s at 5 %: 5 of 5 requests failed in green (100.0 %), 0 of 95 in blue"
        " (0.0 %). All requests go to blue again."
    )
    assert raised.value.figures == (StepFigures(5, 1.0, 5, 5, 0.010, 95, 0, 0.010),)
    assert edge.log.read_text() == ""


def test_a_release_that_fails_at_a_later_step_has_the_figures_of_those_before(edge: Edge) -> None:
    edge.fails = lambda percent, second: percent == 50 and second > 3
    with pytest.raises(CanaryFailed, match="at 50 %") as raised:
        edge.run()
    assert [step.percent for step in raised.value.figures] == [5, 50]
    assert edge.steps == [(5, 10), (50, 4)]


def test_a_slow_release_is_ended_at_the_end_of_the_step(edge: Edge) -> None:
    edge.takes = "0.800"
    with pytest.raises(CanaryFailed, match="95 of 100 answers took up to 800 ms in green, 10 ms in blue"):
        edge.run()
    assert (edge.steps, edge.weight()) == ([(5, 10)], 0)


def test_a_step_waits_for_enough_requests(edge: Edge) -> None:
    edge.rate = 20
    edge.run()
    assert edge.steps == [(5, 20), (50, 10)]


def test_too_few_requests_are_no_proof(edge: Edge) -> None:
    edge.rate = 0
    with pytest.raises(CanaryFailed) as raised:
        edge.run()
    assert (edge.steps, edge.weight()) == ([(5, 50)], 0)
    assert str(raised.value).startswith(
        "Stack shop: the canary was ended after 50 s at 5 %: green answered 0 requests, and 20 are needed. "
        "All requests go to blue again. Where there are few requests, lower canary.requests"
    )


def test_where_few_requests_are_left_for_the_one_before_earlier_steps_count_too(edge: Edge) -> None:
    """At 99 % the release before answers one request a second, which is little to compare with."""
    edge.fails = lambda percent, second: percent == 99 and second in (4, 5)
    with pytest.raises(CanaryFailed, match=r"0 of 9[0-9]{2} in blue"):
        edge.run(replace(POLICY, steps=(5, 99), errors=1.0))


def test_a_hold_below_a_second_is_held_so_long(edge: Edge) -> None:
    began = edge.time
    edge.run(replace(POLICY, steps=(50,), hold=0.5))
    assert edge.time - began == pytest.approx(0.5 + 1 + active.MARGIN)


def test_a_run_that_is_interrupted_takes_the_weights_away(edge: Edge) -> None:
    edge.killed_at = 3
    with pytest.raises(KeyboardInterrupt):
        edge.run()
    assert edge.weight() == 0


def test_what_cannot_be_measured_does_not_begin(edge: Edge) -> None:
    edge.log.unlink()
    with pytest.raises(ComposeOpsError, match="A canary cannot be measured"):
        edge.run()
    assert edge.steps == []
