"""What happens to the sagacity system from day to day: errors in the logs, a worker that ends, runbooks."""

from __future__ import annotations

import ipaddress
import re
import time
import uuid
from collections.abc import Callable, Iterator

import pytest

from tests.integration.bed_host import ROOT, BedHost
from tests.monitor.receiver import Receiver
from tests.support.containers import name
from tests.support.outside import Outside

SITE = "sagacity.example.com"
STACK = "sagacity"
PORT = 18433
"""Of molecule/sagacity/overlay."""
INTERVAL, SLACK = 3, 30
RUNBOOKS = ROOT / "docs/runbooks.md"


@pytest.fixture(scope="module")
def receiver(operator: BedHost) -> Iterator[Receiver]:
    """Who gets the alerts: on the machine that carries the bed."""
    machine = ipaddress.ip_network(f"{operator.address}/24", strict=False)[1]
    found = Receiver(address=str(machine), port=PORT)
    # What it could not tell anybody until now waits for its next try, and alerts keep their order.
    operator.run("systemctl stop composeops-monitor && rm -f /var/lib/composeops/monitor/state.json", check=True)
    operator.run("systemctl start composeops-monitor", check=True)
    yield found
    found.close()


def until(condition: Callable[[], bool], what: str, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds:g} s for {what}"
        time.sleep(0.1)


def test_sag_03_line_with_error_is_told_and_is_in_the_file_of_errors(operator: BedHost, receiver: Receiver) -> None:
    token = uuid.uuid4().hex
    backend = name(operator.output, "backend", STACK)
    logged = (
        "import logging; from sample import logs; logs.configure('/app/config/logging.toml'); "
        f"logging.getLogger('desk').critical('cannot trade: {token}')"
    )
    operator.run(["docker", "exec", backend, "sh", "-c", f'python3 -c "{logged}" > /proc/1/fd/1'], check=True)
    began = time.monotonic()
    alert = receiver.wait_for(lambda received: "backend-errors" in received.text, "alert", 3 * INTERVAL + SLACK)
    print(f"SAG-03: told after {time.monotonic() - began:.1f} s")
    assert "CRITICAL desk: cannot trade" in alert.text
    kept = operator.output("cat /var/lib/docker/volumes/sagacity_backend_logs/_data/tradingagents_error.log")
    assert token in kept


def test_sag_01_worker_finishes_what_it_has_in_hand(operator: BedHost, outside: Outside) -> None:
    token = uuid.uuid4().hex
    worker = name(operator.output, "worker", STACK)
    assert outside.https(SITE, "/api/queue", method="POST", body={"id": token, "seconds": 4}).status == 202
    until(lambda: outside.https(SITE, "/api/queue").json()["taken"] == 1, "the worker to take it")
    operator.run(["docker", "stop", worker], check=True)
    try:
        assert outside.https(SITE, f"/api/work/{token}").json()["times"] == 1
        assert operator.output(["docker", "inspect", "--format", "{{.State.ExitCode}}", worker]) == "0"
    finally:
        operator.run(["docker", "start", worker], check=True)


def test_sag_01_item_of_a_worker_that_was_killed_is_done_by_the_next(operator: BedHost, outside: Outside) -> None:
    token = uuid.uuid4().hex
    worker = name(operator.output, "worker", STACK)
    assert outside.https(SITE, "/api/queue", method="POST", body={"id": token, "seconds": 3}).status == 202
    until(lambda: outside.https(SITE, "/api/queue").json()["taken"] == 1, "the worker to take it")
    operator.run(["docker", "kill", worker], check=True)
    assert outside.https(SITE, f"/api/work/{token}").status == 404
    operator.run(["docker", "start", worker], check=True)
    until(lambda: outside.https(SITE, f"/api/work/{token}").status == 200, "the item to be done")


def test_sag_05_operations_are_in_the_audit_log(operator: BedHost) -> None:
    run = operator.playbook(ROOT / "playbooks/restart.yml", inventories=[ROOT / "inventories/sagacity"],
                            extra_variables={"service": "worker"})  # fmt: skip
    assert run.ok, run.output
    audit = operator.output("composeops audit")
    assert re.search(r"sagacity +deploy +\S+ +ansible", audit)
    assert re.search(r"sagacity +restart +\S+ +ansible", audit)
    assert operator.output("stat -c %a /var/log/composeops/audit.jsonl") == "600"


def commands() -> list[str]:
    """Return what the runbooks tell to type on the host: lines of console blocks that begin with sudo."""
    blocks = re.findall(r"```console\n(.*?)```", RUNBOOKS.read_text(encoding="utf-8"), re.DOTALL)
    lines = [line.partition("#")[0].strip() for block in blocks for line in block.splitlines()]
    return [line.removeprefix("sudo ") for line in lines if line.startswith("sudo ")]


def test_sag_08_commands_of_the_runbooks_work_on_the_host(operator: BedHost) -> None:
    found = commands()
    assert len(found) >= 12
    for command in found:
        done = operator.run(command)
        assert done.ok, f"{command}: {done.stderr or done.stdout}"


def test_sag_08_runbooks_name_playbooks_that_there_are() -> None:
    named = set(re.findall(r"playbooks/(\w+)\.yml", RUNBOOKS.read_text(encoding="utf-8")))
    assert {"logs", "status", "restart", "rollback", "deploy", "verify"} <= named
    assert [name for name in sorted(named) if not (ROOT / f"playbooks/{name}.yml").is_file()] == []


def test_sag_08_database_that_refuses_is_seen_by_its_check(operator: BedHost, outside: Outside) -> None:
    mongodb = name(operator.output, "mongodb", STACK)
    operator.run(["docker", "stop", mongodb], check=True)
    try:
        checked = operator.run("composeops check mongodb api")
        assert not checked.ok
        assert "mongodb (mongo sagacity/mongodb): Service mongodb of stack sagacity has no running" in checked.stderr
        assert outside.https(SITE, "/api/health").json()["mongodb"] == "disconnected"
    finally:
        operator.run(["docker", "start", mongodb], check=True)
    until(lambda: operator.run("composeops check mongodb api").ok, "the database to be back")
