"""All five services and their gateway move to another version, with one instance more, while clients use them."""

from __future__ import annotations

import threading
import time

from tests.integration.bed_host import BedHost
from tests.load.attempts import under_load
from tests.load.process import Load
from tests.load.report import Report
from tests.support.outside import Outside
from tests.support.zviewer import PATHS, ask, instances, keys, play, version

ROLLOUT = {"strategy": "blue_green", "drain": 10}
"""The longest answers take five seconds; only WebSockets are open after ten, and those would be waited for."""
SERVICE_RESTART = 1012
REPLICAS = {**dict.fromkeys([*PATHS, "gateway"], 2), "main-server": 3}


class Partner(threading.Thread):
    """A client with a key, a few times a second: the services that want one are not among those under load."""

    def __init__(self, outside: Outside, key: str) -> None:
        super().__init__(daemon=True)
        self.answers: list[tuple[str, int, str]] = []
        self._outside, self._key = outside, key
        self._ended = threading.Event()

    def run(self) -> None:
        while not self._ended.wait(0.3):
            for service in ("payments-service", "admin-service"):
                answer = ask(self._outside, service, "/version", key=self._key)
                self.answers.append((service, answer.status, answer.headers.get("x-app-version", "")))

    def end(self) -> None:
        self._ended.set()
        self.join()


def released_under_load(operator: BedHost, outside: Outside) -> tuple[Report, Partner, float]:
    """Deploy 1.1.0 while 100 requests a second come in; return what the clients saw, and how long it took."""

    def at_first() -> None:
        if version(outside) != "1.0.0":
            play(operator, "rollback")

    def deploy() -> tuple[Partner, float]:
        partner = Partner(outside, keys(operator)["partner"])
        partner.start()
        began = time.monotonic()
        play(operator, "deploy", zviewer_version="1.1.0", zviewer_replicas=REPLICAS, zviewer_rollout=ROLLOUT)
        seconds = time.monotonic() - began
        counted = {service: len(found) for service, found in instances(operator.output).items()}
        assert counted == {**REPLICAS, "postgres": 1, "consul": 1}
        partner.end()
        return partner, seconds

    report, outcome = under_load(lambda: Load(operator.inventory, system="zviewer", rate=100), deploy, begin=at_first)
    return report, *outcome


def test_zvw_04_release_of_all_services_loses_no_request(operator: BedHost, outside: Outside) -> None:
    assert version(outside) == "1.0.0"
    report, partner, seconds = released_under_load(operator, outside)
    print(report)
    print(f"deployed after {seconds:.0f} s")
    assert report.passed, report
    assert [answer for answer in partner.answers if answer[1] != 200] == []
    seen = {(service, name) for service, _, name in partner.answers}
    assert seen == {(service, name) for service in ("payments-service", "admin-service") for name in ("1.0.0", "1.1.0")}
    # WebSockets end when their release is stopped, as its services say and the gateway hands on.
    assert set(report.sockets.closes) <= {SERVICE_RESTART}
    # ZVW-08: a deployment takes less than five minutes.
    assert seconds < 300
    assert version(outside) == "1.1.0"


def test_zvw_04_rollback_brings_version_and_number_of_instances_back(operator: BedHost, outside: Outside) -> None:
    play(operator, "rollback")
    assert version(outside) == "1.0.0"
    assert {len(found) for service, found in instances(operator.output).items() if service in REPLICAS} == {2}
