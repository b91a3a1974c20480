"""INT-04 and INT-06: what the monitor in the container sees, says and mends.

Its intervals are short here, as the overlay says. What they are in production moves the times: three intervals and one
time-out until the restart (docs/monitoring.md).
"""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Callable, Iterator

import pytest

from tests.integration.bed_host import BedHost
from tests.monitor.receiver import Received, Receiver
from tests.support.containers import name
from tests.support.outside import Outside

SITE = "integrated.example.com"
PORT = 18432
INTERVAL, TIMEOUT, STOP = 2, 4, 15
"""Of molecule/integrated/overlay, and the most that supervisord waits for what does not stop by itself."""
SLACK = 15
"""What a busy machine adds."""


@pytest.fixture(scope="module")
def receiver(operator: BedHost) -> Iterator[Receiver]:
    """Slack, as far as the container can tell: on the machine that carries the bed."""
    machine = ipaddress.ip_network(f"{operator.address}/24", strict=False)[1]
    found = Receiver(address=str(machine), port=PORT)
    yield found
    found.close()


@pytest.fixture
def app(operator: BedHost) -> str:
    return name(operator.output, "app", "integrated")


def about(words: str) -> Callable[[Received], bool]:
    return lambda alert: words in alert.text


def until(condition: Callable[[], bool], what: str, seconds: float) -> float:
    """Wait, and return when it came."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds:g} s for {what}"
        time.sleep(0.1)
    return time.time()


def healthy(outside: Outside) -> bool:
    try:
        return outside.https(SITE, "/api/health").status == 200
    except OSError:
        return False


def test_int_04_frozen_backend_is_told_and_restarted(
    operator: BedHost, outside: Outside, receiver: Receiver, app: str
) -> None:
    before = operator.output(["docker", "exec", app, "supervisorctl", "pid", "backend"])
    operator.run(["docker", "exec", app, "sh", "-c", f"kill -STOP {before}"], check=True)
    began = time.time()
    alert = receiver.wait_for(about("backend is failing"), "alert", 3 * INTERVAL + 3 * TIMEOUT + SLACK)
    assert "failed 3 times in a row" in alert.text
    assert "Backend is being restarted (restart " in alert.text
    served = until(lambda: healthy(outside), "the backend to answer", STOP + 2 * SLACK)
    recovered = receiver.wait_for(about("backend recovered"), "news of the recovery", 60)
    assert operator.output(["docker", "exec", app, "supervisorctl", "pid", "backend"]) != before
    assert receiver.refused == []
    times = {"alert": alert.at - began, "serves again": served - began, "recovery told": recovered.at - began}
    print("INT-06, frozen backend:", ", ".join(f"{what} after {seconds:.1f} s" for what, seconds in times.items()))
    # With the intervals of production: three of 30 s, one time-out of 10 s, and what came after the alert here.
    in_production = 3 * 30 + 10 + times["serves again"] - times["alert"]
    assert in_production < 120, times


def test_int_04_machine_is_measured_in_the_container(operator: BedHost, app: str) -> None:
    """What happens at a threshold shows in tests/monitor: here nothing may depend on how busy the machine is."""
    metrics = operator.output(["docker", "exec", app, "cat", "/run/app/monitor/monitor.prom"])
    for resource in ("memory", "disk /var/log/app"):
        assert f'composeops_monitor_resource_percent{{resource="{resource}"}}' in metrics
    for check in ("database", "backend", "frontend"):
        assert f'composeops_monitor_check_up{{check="{check}"' in metrics


def test_int_06_killed_backend_is_back_at_once(operator: BedHost, outside: Outside, app: str) -> None:
    operator.run(["docker", "exec", app, "sh", "-c", "kill -KILL $(supervisorctl pid backend)"], check=True)
    began = time.time()
    served = until(lambda: healthy(outside), "the backend to answer", 60)
    print(f"INT-06, killed backend: serves again after {served - began:.1f} s, by supervisord alone")
    assert served - began < 120


def test_int_04_frozen_frontend_is_told_and_restarted(
    operator: BedHost, outside: Outside, receiver: Receiver, app: str
) -> None:
    """nginx goes with the program that started it, so the port is free for the next one."""
    script = (
        "import os, signal; from pathlib import Path;"
        "found = [p for p in Path('/proc').glob('[0-9]*/cmdline') if p.read_bytes().startswith(b'nginx: ')];"
        "[os.kill(int(p.parent.name), signal.SIGSTOP) for p in found]; print(len(found))"
    )
    stopped = operator.output(["docker", "exec", app, "python", "-c", script])
    assert int(stopped) >= 2
    alert = receiver.wait_for(about("frontend is failing"), "alert", 3 * INTERVAL + 3 * TIMEOUT + SLACK)
    assert "Frontend is being restarted" in alert.text
    until(lambda: healthy(outside), "the frontend to answer", STOP + 2 * SLACK)
    receiver.wait_for(about("frontend recovered"), "news of the recovery", 60)
