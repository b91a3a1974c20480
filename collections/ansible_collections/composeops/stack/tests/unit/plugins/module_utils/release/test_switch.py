# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.io.traefik import NotRunning, Traefik
from ansible_collections.composeops.stack.plugins.module_utils.release import active, switch, traefik_file
from ansible_collections.composeops.stack.plugins.module_utils.release.canary_run import Canary
from ansible_collections.composeops.stack.plugins.module_utils.release.model import CanaryPolicy
from ansible_collections.composeops.stack.plugins.module_utils.release.switch import NginxSwitch, TraefikSwitch
from ansible_collections.composeops.stack.plugins.module_utils.release.traefik_file import Choice
from ansible_collections.composeops.stack.tests.unit.plugins.module_utils.release.test_traefik_file import HTTP
from ansible_collections.composeops.stack.tests.unit.support.fake_engine import FakeClock


@dataclass
class Edge(Traefik):
    """A Traefik that reads the file of a stack when it was asked so often."""

    path: Path
    asked: int = 0
    takes_after: int = 3
    running: bool = True
    too_busy_for: int = 0
    served: list[Choice] = field(default_factory=list)

    def has_taken(self, marker: str) -> bool:
        if not self.running:
            raise NotRunning("Traefik does not run on this host.")
        self.asked += 1
        if self.asked <= self.too_busy_for:
            raise ComposeOpsError("127.0.0.1:20999 did not answer within 5 s.")
        if self.asked % self.takes_after:
            return False
        text = self.path.read_text()
        self.served.append(traefik_file.parse(text)[0])
        return traefik_file.marker(text) == marker


@dataclass
class Host:
    edge: Edge
    switch: TraefikSwitch
    clock: FakeClock
    log: Path

    def choice(self) -> Choice:
        return traefik_file.parse(self.edge.path.read_text())[0]


@pytest.fixture
def host(tmp_path: Path) -> Host:
    edge, clock, log = Edge(tmp_path / "stack-shop.yml"), FakeClock(), tmp_path / "access.log"
    log.touch()
    lock = str(tmp_path / "lock")
    return Host(edge, TraefikSwitch("shop", clock, edge, directory=str(tmp_path), log=str(log), lock=lock), clock, log)


def test_the_edge_of_a_host_is_traefik_where_its_directory_is(tmp_path: Path) -> None:
    absent = str(tmp_path / "absent")
    assert isinstance(switch.of_host("shop", FakeClock(), traefik=absent), NginxSwitch)
    assert isinstance(switch.of_host("shop", FakeClock(), traefik=str(tmp_path)), TraefikSwitch)


def test_what_nginx_does_not_see_at_once_is_waited_for(tmp_path: Path) -> None:
    clock = FakeClock()
    nginx = NginxSwitch("shop", clock, str(tmp_path))
    changes = (lambda: nginx.switch("green"), lambda: nginx.weigh("blue", 5, "none"), nginx.clear_weights)
    for number, change in enumerate(changes, start=1):
        clock.time = began = 1_700_000_000.25
        change()
        assert clock.time - began == 0.75 + active.MARGIN, number


def test_where_no_canary_runs_there_is_nothing_to_wait_for(tmp_path: Path) -> None:
    clock = FakeClock()
    began = clock.time
    NginxSwitch("shop", clock, str(tmp_path)).clear_weights()
    assert clock.time == began


def test_a_switch_returns_when_traefik_serves_by_it(host: Host) -> None:
    assert host.switch.serving() == "blue"
    host.switch.switch("green")
    assert host.switch.serving() == "green"
    assert (host.edge.asked, host.edge.served) == (3, [Choice("green")])


def test_a_switch_that_was_made_already_is_waited_for_as_well(host: Host) -> None:
    host.switch.switch("green")
    host.switch.switch("green")
    assert host.edge.asked == 6


def test_a_switch_keeps_what_leads_to_the_stack(host: Host) -> None:
    host.edge.path.write_text(traefik_file.render("shop", Choice(), HTTP))
    host.switch.switch("green")
    assert host.edge.path.read_text() == traefik_file.render("shop", Choice("green"), HTTP)


def test_a_switch_that_traefik_does_not_take_is_taken_back(host: Host) -> None:
    before = traefik_file.render("shop", Choice("blue"), HTTP)
    host.edge.path.write_text(before)
    host.edge.takes_after = 10**9
    with pytest.raises(ComposeOpsError, match=r"Traefik did not take .*stack-shop\.yml within 30 s"):
        host.switch.switch("green")
    assert host.edge.path.read_text() == before


def test_a_traefik_that_is_too_busy_to_answer_is_asked_again(host: Host) -> None:
    host.edge.too_busy_for = 4
    host.switch.switch("green")
    assert (host.edge.asked, host.choice()) == (6, Choice("green"))


def test_a_traefik_that_does_not_run_reads_the_choice_when_it_starts(host: Host) -> None:
    host.edge.running = False
    host.switch.switch("green")
    assert host.choice() == Choice("green")


def test_weights_stand_beside_the_colour_until_they_are_cleared(host: Host) -> None:
    host.switch.switch("green")
    host.switch.weigh("blue", 5, "none")
    assert (host.switch.serving(), host.switch.weights()) == ("green", {"blue": 5})
    host.switch.clear_weights()
    assert (host.switch.serving(), host.switch.weights()) == ("green", {})
    asked = host.edge.asked
    host.switch.clear_weights()
    assert host.edge.asked == asked


def test_a_switch_ends_a_canary(host: Host) -> None:
    host.switch.weigh("green", 50, "cookie")
    host.switch.switch("green")
    assert host.choice() == Choice("green")


def test_a_canary_rises_behind_traefik_and_leaves_the_log_alone(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    line = '{"ServiceName":"shop-web-80-%s@file","DownstreamStatus":200,"OriginDuration":10000000}\n'
    sleep, seen = host.clock.sleep, []

    def answering(seconds: float) -> None:
        sleep(seconds)
        weights = host.switch.weights()
        if seconds >= 1 and weights:
            seen.append(weights["green"])
            with host.log.open("a") as stream:
                stream.write(line % "green" * weights["green"] + line % "blue" * (100 - weights["green"]))

    monkeypatch.setattr(host.clock, "sleep", answering)
    policy = CanaryPolicy(steps=(20, 50), hold=2, requests=20)
    figures = Canary("shop", policy, host.clock, switch=host.switch).run(colour="green", before="blue")
    assert [(step.percent, step.failed, step.p95) for step in figures] == [(20, 0, 0.01), (50, 0, 0.01)]
    assert sorted(set(seen)) == [20, 50]
    assert host.log.stat().st_size > 0
