# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A host in memory on which stacks are released with two colours, and ways to have its runs die."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.io import files, sockets
from ansible_collections.composeops.stack.plugins.module_utils.release import active, probe, state
from ansible_collections.composeops.stack.plugins.module_utils.release.colour_plan import DeploymentPlan
from ansible_collections.composeops.stack.plugins.module_utils.release.deployment import (
    Deployment,
    DeploymentFailed,
    Outcome,
)
from ansible_collections.composeops.stack.plugins.module_utils.release.history import History
from ansible_collections.composeops.stack.plugins.module_utils.release.model import (
    HealthPolicy,
    RolloutPolicy,
    Routed,
    StackRequest,
)
from ansible_collections.composeops.stack.plugins.module_utils.release.operations import Operations
from ansible_collections.composeops.stack.plugins.module_utils.secrets import store
from ansible_collections.composeops.stack.tests.unit.support.fake_engine import FakeClock, FakeEngine, Killed

HEALTH = {"restart": "always", "healthcheck": {"test": ["CMD", "true"]}}
COMPOSE: dict[str, Any] = {
    "name": "shop",
    "services": {
        "db": {"image": "db:1", "networks": {"default": None}, **HEALTH},
        "web": {
            "image": "web:${VERSION}",
            "networks": {"default": None},
            "depends_on": {"db": {"condition": "service_healthy"}},
            "volumes": [{"type": "volume", "source": "logs", "target": "/logs"}],
            **HEALTH,
        },
    },
    "networks": {"default": {"name": "shop_default"}},
    "volumes": {"logs": {"name": "shop_logs"}},
}

JOBS = {"image": "web:${VERSION}", "networks": {"default": None}, **HEALTH}
WITH_JOBS = json.dumps({**COMPOSE, "services": {**COMPOSE["services"], "jobs": JOBS}})
"""The stack with a worker that is routed nowhere."""


@dataclass
class Host:
    """A host in memory, whose edge serves whatever the active file says."""

    root: Path
    engine: FakeEngine
    clock: FakeClock
    version: str = "1"
    options: dict[str, Any] = field(default_factory=dict)
    answers: Callable[[str], str] = lambda image: ""
    """What is wrong with the answers of an image."""
    under_way: list[int] = field(default_factory=list)
    """How many connections lead to the old colour each time it is asked."""

    @property
    def places(self) -> dict[str, Any]:
        return {name: str(self.root / name) for name in ("secrets", "active")} | {"root": str(self.root / "stacks")}

    def request(self, **changes: Any) -> StackRequest:
        request = {
            "name": "shop",
            "compose": json.dumps(COMPOSE),
            "environment": {"VERSION": self.version},
            "routed": (Routed("web", 80),),
            "overlapping": ("web",),
            "rollout": RolloutPolicy("blue_green", watch=2, drain=10, keep=3),
            "health": HealthPolicy(attempts=4, interval=1),
            **self.options,
            **changes,
        }
        return StackRequest(**request)

    def deployment(self, **changes: Any) -> Deployment:
        return Deployment(self.request(**changes), self.engine, clock=self.clock, **self.places)

    def go_back(self, number: int) -> Outcome:
        """Repeat a release."""
        request = self.kept().request(number)
        return self._apply(Deployment(request, self.engine, clock=self.clock, repeats=number, **self.places))

    def operations(self) -> Operations:
        return Operations("shop", self.engine, clock=self.clock, **self.places)

    def kept(self) -> History:
        return History("shop", str(self.root / "stacks"))

    def deploy(self, version: str | None = None, **changes: Any) -> Outcome:
        self.version = version or self.version
        return self._apply(self.deployment(**changes))

    def _apply(self, deployment: Deployment) -> Outcome:
        deployment.prepare()
        observed = deployment.observe()
        target = deployment.target(observed)
        return deployment.apply(observed, target, deployment.plan(observed, target))

    def predict(self, version: str, **changes: Any) -> DeploymentPlan:
        self.version = version
        deployment = self.deployment(**changes)
        observed = deployment.observe()
        return deployment.plan(observed, deployment.target(observed))

    def fail(self, version: str) -> DeploymentFailed:
        with pytest.raises(DeploymentFailed) as raised:
            self.deploy(version)
        return raised.value

    @property
    def record(self) -> state.StackState:
        record = state.read_state("shop", str(self.root / "stacks"))
        assert record is not None
        return record

    @property
    def serving(self) -> str:
        return active.serving("shop", str(self.root / "active"))

    def history(self) -> dict[int, str]:
        return {release.number: release.status for release in self.kept().all()}

    def running(self) -> dict[str, str]:
        """Return the image of each container by the project it is in."""
        return {
            found["Config"]["Labels"]["com.docker.compose.project"]: found["Config"]["Image"]
            for found in self.engine.containers.values()
        }

    def served(self) -> str:
        """Return the image that answers requests; fail when none does."""
        for found in self.engine.containers.values():
            if found["Config"]["Labels"]["com.docker.compose.project"] == f"shop-{self.serving}":
                state_now = self.engine._now(found)["State"]
                if state_now["Status"] == "running" and state_now["Health"]["Status"] == "healthy":
                    return str(found["Config"]["Image"])
        raise AssertionError(f"nothing answers in {self.serving}")


@pytest.fixture(name="host")
def host_fixture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    clock = FakeClock()
    registry = {"db:1": "sha256:db1", "web:1": "sha256:web1", "web:2": "sha256:web2", "web:3": "sha256:web3"}
    store.write("shop", {}, str(tmp_path / "secrets"))
    found = Host(tmp_path, FakeEngine(clock, registry), clock)

    def ask(route: Routed, endpoint: state.Endpoint) -> str:
        return found.answers(found.running().get(f"shop-{endpoint.colour}", "nothing"))

    monkeypatch.setattr(sockets, "listening", list)
    monkeypatch.setattr(sockets, "connections", lambda ports: found.under_way.pop(0) if found.under_way else 0)
    monkeypatch.setattr(probe, "ask", ask)
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    return found


def late(image: str, after: float, host: Host) -> Callable[[str], str]:
    """Answer badly from so many seconds after now."""
    began = host.clock.now()
    return lambda asked: "it answers / with status 502" if asked == image and host.clock.now() > began + after else ""


def deaths(host: Host, monkeypatch: pytest.MonkeyPatch, act: Callable[[], Any]) -> Iterator[int]:
    """Kill ``act`` at its first touch of the world, then at the next, until it survives; yield after each death."""
    left: list[int] = []
    write, switch = files.write_atomically, active.switch

    def burn() -> None:
        if left:
            left[0] -= 1
            if left[0] < 0:
                raise Killed

    def burning(function: Callable[..., None]) -> Callable[..., None]:
        def burn_around(*arguments: Any, **options: Any) -> None:
            burn()
            function(*arguments, **options)
            burn()

        return burn_around

    monkeypatch.setattr(files, "write_atomically", burning(write))
    monkeypatch.setattr(active, "switch", burning(switch))
    host.engine.before_each = burn
    step = 0
    while True:
        left[:] = [step]
        try:
            act()
        except Killed:
            left.clear()
            yield step
            step += 1
        else:
            left.clear()
            return
