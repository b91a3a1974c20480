"""One instance dies while requests come in: they go on, and it comes back by itself (ZVW-03, ZVW-08)."""

from __future__ import annotations

import itertools
import threading
import time
from typing import Any

import pytest

from tests.integration.bed_host import BedHost
from tests.support.outside import Outside
from tests.support.zviewer import ask, consul, instances, seconds_until_healthy

BEFORE, AFTER = 1.0, 5.0


class Client(threading.Thread):
    """Asks again and again, and keeps every answer with its time."""

    def __init__(self, outside: Outside) -> None:
        super().__init__(daemon=True)
        self.answers: list[tuple[float, int]] = []
        self._outside = outside
        self._ended = threading.Event()

    def run(self) -> None:
        while not self._ended.wait(0.05):
            try:
                status = ask(self._outside, "main-server", "/version").status
            except OSError:
                status = 0
            self.answers.append((time.monotonic(), status))

    def end(self) -> None:
        self._ended.set()
        self.join()

    @property
    def failed(self) -> list[int]:
        return [status for _, status in self.answers if status != 200]

    @property
    def longest_silence(self) -> float:
        """The longest time between two good answers."""
        good = [moment for moment, status in self.answers if status == 200]
        return max(later - earlier for earlier, later in itertools.pairwise(good))


@pytest.mark.parametrize("service", ["main-server", "gateway"])
def test_zvw_08_requests_go_on_when_an_instance_dies(operator: BedHost, outside: Outside, service: str) -> None:
    victim = instances(operator.output)[service][0]
    client = Client(outside)
    client.start()
    time.sleep(BEFORE)
    operator.run(["kill", "-9", str(victim["State"]["Pid"])], check=True)
    time.sleep(AFTER)
    client.end()
    print(f"{service}: {len(client.answers)} requests, longest without a good answer {client.longest_silence:.2f} s")
    assert len(client.answers) > 10
    assert client.failed == []
    assert client.longest_silence < 30

    def again() -> dict[str, Any]:
        return next(found for found in instances(operator.output)[service] if found["Id"] == victim["Id"])

    deadline = time.monotonic() + 30
    while again()["State"].get("Health", {}).get("Status") != "healthy":
        assert time.monotonic() < deadline, again()["State"]
        time.sleep(0.5)
    assert again()["RestartCount"] >= 1
    # ZVW-08: a container starts within 30 s.
    seconds = seconds_until_healthy(again())
    print(f"{service}: healthy {seconds} s after its start")
    assert seconds is not None
    assert seconds < 30


def test_zvw_01_an_instance_that_stops_is_found_no_more_and_again_when_it_is_back(operator: BedHost) -> None:
    name = instances(operator.output)["media-service"][0]["Name"].removeprefix("/")

    def passing() -> int:
        return len(consul(operator, "health/service/media-service?passing=true"))

    operator.run(["docker", "stop", name], check=True)
    try:
        # It said so itself: nobody had to wait for a check to fail.
        assert len(consul(operator, "health/service/media-service")) == 1
    finally:
        operator.run(["docker", "start", name], check=True)
    deadline = time.monotonic() + 30
    while passing() != 2:
        assert time.monotonic() < deadline
        time.sleep(0.5)
