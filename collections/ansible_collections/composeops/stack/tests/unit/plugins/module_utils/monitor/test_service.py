"""The monitor at work: its rhythm, what it does at once, and what does not stop it."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.checks.model import Check
from ansible_collections.composeops.stack.plugins.module_utils.checks.observation import Failure, Observation, Port
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.monitor import memory, service
from ansible_collections.composeops.stack.plugins.module_utils.monitor.model import (
    Alert,
    CheckState,
    Settings,
    State,
    Target,
    Webhook,
)
from ansible_collections.composeops.stack.plugins.module_utils.monitor.queue import Outcome
from ansible_collections.composeops.stack.plugins.module_utils.monitor.restart import Prevented
from ansible_collections.composeops.stack.plugins.module_utils.monitor.service import Monitor, Tools
from ansible_collections.composeops.stack.plugins.module_utils.monitor.settings import parse

PATIENCE = 60
"""Seconds that a busy machine may take; what is waited for comes in a fraction of one."""


@dataclass
class World:
    """What the monitor meets; tests turn its switches."""

    settings: Settings
    up: bool = True
    obstacle: str = ""
    problem: Exception | None = None
    """What a restart ends with."""
    heals: bool = True
    outcome: Outcome = field(default_factory=lambda: Outcome(True))
    sample: Mapping[str, float] = field(default_factory=dict)
    probe: Callable[[Check], Observation] | None = None
    restarts: list[str] = field(default_factory=list)
    posted: list[Alert] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    notified: list[str] = field(default_factory=list)
    stopping: threading.Event = field(default_factory=threading.Event)
    """The monitor has said that it ends."""
    probed: int = 0

    def tools(self) -> Tools:
        return Tools(
            probe=self._probe,
            obstacle=lambda target: self.obstacle,
            restart=self._restart,
            post=self._post,
            sample=lambda: self.sample,
            notify=self._notify,
            say=self.said.append,
        )

    def _probe(self, check: Check) -> Observation:
        self.probed += 1
        if self.probe:
            return self.probe(check)
        return Port(True) if self.up else Failure("Nothing listens.")

    def _notify(self, text: str) -> None:
        self.notified.append(text)
        if text == "STOPPING=1":
            self.stopping.set()

    def _restart(self, target: Target, reason: str) -> None:
        self.restarts.append(f"{target.name}: {reason}")
        if self.problem:
            raise self.problem
        self.up = self.up or self.heals

    def _post(self, webhook: Webhook, alert: Alert) -> Outcome:
        if self.outcome.ok:
            self.posted.append(alert)
        return self.outcome

    @property
    def kinds(self) -> list[str]:
        return [alert.kind for alert in self.posted]

    def run(self, until: Callable[[], bool], state: State | None = None, *, program: str = "", **more: Any) -> Monitor:
        """Watch until a condition holds."""
        monitor = Monitor(replace(self.settings, **more), state or State(), self.tools(), program)

        async def watch() -> None:
            stop = asyncio.Event()

            async def observe() -> None:
                deadline = time.monotonic() + PATIENCE
                try:
                    while not until():
                        assert time.monotonic() < deadline, f"it said {self.said} and posted {self.kinds}"
                        await asyncio.sleep(0.01)
                finally:
                    stop.set()

            observer = asyncio.create_task(observe())
            await monitor.watch(stop)
            observer.cancel()
            if observer.done() and not observer.cancelled():
                observer.result()

        asyncio.run(watch())
        return monitor


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(service, "SPACING", 0.0)
    return World(
        parse(
            {
                "host": "petcare1",
                "checks": [{"name": "api", "type": "tcp", "host": "h", "port": 1}],
                "rules": [{"check": "api", "restart": "docker", "stack": "shop", "service": "api"}],
                "webhooks": [{"name": "ops", "format": "slack", "url": "https://hooks.invalid/secret"}],
                "thresholds": {"cpu": 0, "memory": 0, "disk": 0},
                "interval": 0.1,
                "start_delay": 0,
                "grace": 0,
                "state_directory": str(tmp_path),
                "metrics_file": str(tmp_path / "metrics/monitor.prom"),
            }
        )
    )


def test_service_that_fails_is_restarted_and_people_are_told_of_both(world: World, tmp_path: Path) -> None:
    world.up = False
    monitor = world.run(lambda: world.kinds == ["failing", "recovered"])
    assert world.restarts == ["shop/api: Nothing listens."]
    assert {alert.host for alert in world.posted} == {"petcare1"}
    assert monitor.state.checks["api"].failures == 0
    assert memory.read(str(tmp_path))[0] == monitor.state
    assert 'composeops_monitor_check_up{check="api",type="tcp"}' in (tmp_path / "metrics/monitor.prom").read_text()
    assert world.said[:2] == ["api failed (1 of 3): Nothing listens.", "api failed (2 of 3): Nothing listens."]
    assert world.said[2].startswith("api is failing: The tcp check of h:1 failed 3 times in a row")
    assert not [line for line in world.said if "secret" in line]


def test_systemd_is_told_of_start_life_and_end(world: World) -> None:
    world.run(lambda: "WATCHDOG=1" in world.notified)
    assert world.notified[0] == "READY=1"
    assert world.notified[-1] == "STOPPING=1"


def test_nothing_is_restarted_while_something_stands_against_it(world: World) -> None:
    world.up, world.obstacle = False, "an operator stopped stack shop"
    world.run(lambda: world.probed > 5 and bool(world.posted))
    assert world.restarts == []
    assert world.kinds == ["failing"]
    assert "Shop/api is not restarted: an operator stopped stack shop." in world.posted[0].text


@pytest.mark.parametrize(
    ("problem", "counted"),
    [(ComposeOpsError("docker is gone."), 1), (ValueError("odd"), 1), (Prevented("Held by ann."), 0)],
    ids=["failed", "fault", "prevented"],
)
def test_restart_that_does_not_work_is_told(problem: Exception, counted: int, world: World) -> None:
    world.up, world.problem = False, problem
    monitor = world.run(lambda: "restart_failed" in world.kinds)
    told = next(alert for alert in world.posted if alert.kind == "restart_failed")
    assert str(problem).split(" ", maxsplit=1)[0] in told.text
    assert monitor.state.targets["shop/api"].restarts_total == counted


def test_failures_while_a_restart_is_under_way_do_not_count(world: World, tmp_path: Path) -> None:
    release = threading.Event()
    world.up, world.heals = False, False
    original = world._restart

    def slow(target: Target, reason: str) -> None:
        original(target, reason)
        release.wait(PATIENCE)

    world._restart = slow  # type: ignore[method-assign]
    during: list[CheckState] = []

    def failed_often() -> bool:
        # Read while the restart is still under way: once it has ended, failures count again.
        during.append(memory.read(str(tmp_path))[0].checks.get("api", CheckState()))
        if during[-1].failures > 9:
            release.set()
        return release.is_set()

    world.run(failed_often)
    assert len(world.restarts) == 1
    assert {seen.strikes for seen in during if seen.failures > 3} == {0}


def test_last_answer_of_what_is_being_stopped_is_no_recovery(world: World) -> None:
    seen: list[int] = []
    original = world._restart

    def slow(target: Target, reason: str) -> None:
        original(target, reason)  # from here on it answers
        probed = world.probed
        while world.probed < probed + 3:
            time.sleep(0.01)
        seen.append(len(world.kinds))

    world.up = False
    world._restart = slow  # type: ignore[method-assign]
    world.run(lambda: world.kinds == ["failing", "recovered"])
    assert seen == [1]


def test_check_that_never_ends_fails_and_keeps_no_other_from_its_turn(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "SPARE", 0.05)
    stuck = threading.Event()
    checks = [
        {"name": "stuck", "type": "tcp", "host": "h", "port": 1, "timeout": 0.05},
        {"name": "quick", "type": "tcp", "host": "h", "port": 2},
    ]
    world.settings = replace(world.settings, rules=parse({"checks": checks, "interval": 0.1}).rules)
    asked: dict[str, int] = {}

    def probe(check: Check) -> Observation:
        asked[check.name] = asked.get(check.name, 0) + 1
        if check.name == "stuck":
            stuck.wait(10)
        return Port(True)

    world.probe = probe
    world.run(lambda: "failing" in world.kinds and asked.get("quick", 0) >= 3)
    stuck.set()
    assert "did not end within 0.1 s" in world.posted[0].text
    # No second thread waits beside the first.
    assert asked["stuck"] == 1


def test_fault_of_one_check_is_its_failure(world: World) -> None:
    def probe(check: Check) -> Observation:
        raise RuntimeError("a fault")

    world.probe = probe
    world.run(lambda: world.kinds == ["failing"])
    assert "it could not be carried out: RuntimeError: a fault" in world.posted[0].text.replace("It could", "it could")
    assert world.restarts == []


def test_resources_are_watched(world: World) -> None:
    world.sample = {"disk /": 99.0}
    world.settings = replace(world.settings, thresholds=replace(world.settings.thresholds, disk=85, failures=2))
    world.run(lambda: world.kinds == ["resource"])
    assert world.posted[0].title == "disk / is running short"


def test_outage_is_remembered_through_a_restart_of_the_monitor(world: World) -> None:
    before = State(checks={"api": CheckState(5, 0, time.time() - 60, "x", alerted=True)})
    world.run(lambda: world.kinds == ["recovered"], before)


def test_what_is_not_watched_any_more_is_forgotten(world: World) -> None:
    before = State(checks={"gone": CheckState(5, alerted=True)}, targets={"gone": service.plan.TargetState()})
    monitor = world.run(lambda: world.probed > 0, before)
    assert "gone" not in monitor.state.checks
    assert monitor.state.targets == {}


def test_alert_that_was_refused_for_now_waits(world: World) -> None:
    world.up, world.outcome = False, Outcome(False, "it answered 503")
    monitor = world.run(lambda: any("did not take" in line for line in world.said))
    assert [delivery.alert.kind for delivery in monitor.state.queue][:1] == ["failing"]
    assert any("it answered 503; it is tried again" in line for line in world.said)


def test_disk_that_is_full_does_not_stop_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(directory: str, state: State) -> None:
        raise ComposeOpsError("state.json was not written: No space left on device.")

    monkeypatch.setattr(memory, "write", full)
    world.up = False
    world.run(lambda: world.kinds == ["failing", "recovered"])
    assert len([line for line in world.said if "No space left" in line]) == 1


def test_program_that_was_replaced_begins_anew(world: World, tmp_path: Path) -> None:
    program = tmp_path / "composeops.pyz"
    program.write_text("old")

    def replace_it() -> bool:
        if world.probed == 1:
            program.write_text("newer")
        return any("it begins anew" in line for line in world.said)

    assert world.run(replace_it, program=str(program)).replaced
    # It would be killed for not ending.
    assert "STOPPING=1" not in world.notified


def test_stop_waits_for_a_restart_under_way(world: World) -> None:
    world.up = False

    def slow(target: Target, reason: str) -> None:
        world.restarts.append(target.name)
        # Work that goes on until after the stop has come.
        assert world.stopping.wait(PATIENCE)

    world._restart = slow  # type: ignore[method-assign]
    world.run(lambda: bool(world.restarts))
    # Said when the restart has ended, by a monitor that is still there.
    assert [line for line in world.said if line.startswith("shop/api was restarted in")]


@pytest.mark.parametrize("taken", [True, False])
def test_one_round(taken: bool, world: World) -> None:
    world.up, world.outcome = False, Outcome(taken, "it answered 503")
    state = State(checks={"api": CheckState(2, 2)})
    monitor = Monitor(world.settings, state, world.tools())
    asyncio.run(monitor.once())
    assert world.restarts == ["shop/api: Nothing listens."]
    assert not monitor.runs["api"].ok
    assert (world.kinds == ["failing"]) is taken
    assert (monitor.state.queue == ()) is taken
