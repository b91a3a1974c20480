"""The host stops and starts, and everything is back by itself."""

from __future__ import annotations

import os
import subprocess
import time

from tests.integration.bed_host import ROOT, BedHost
from tests.support.outside import Outside

NAME = os.environ.get("COMPOSEOPS_BED_HOST", "petcare1")
PATIENCE = 240


def bed(*arguments: str) -> None:
    subprocess.run([str(ROOT / "molecule/testbed/bed"), *arguments], check=True, stdin=subprocess.DEVNULL)


def test_host_that_was_stopped_and_started_serves_by_itself(operator: BedHost, outside: Outside) -> None:
    body = {"name": "Boots", "species": "cat", "request_id": f"reboot-{time.time_ns()}"}
    number = outside.https("app.petcare.com", "/api/pets", method="POST", body=body).json()["id"]

    bed("host", "stop", NAME)
    bed("host", "start", NAME)

    deadline = time.monotonic() + PATIENCE
    while True:
        checked = operator.run("composeops check")
        if checked.ok:
            break
        assert time.monotonic() < deadline, f"not back after {PATIENCE} s:\n{checked.stdout}{checked.stderr}"
        time.sleep(1)

    assert outside.https("app.petcare.com", f"/api/pets/{number}").status == 200
    assert outside.echo("mobile-api.petcare.com", "/ws", "hello") == "hello"
    assert not outside.reachable(5432)
    assert not outside.reachable(6379)
    run = operator.playbook(ROOT / "playbooks/site.yml", inventories=[ROOT / "inventories/petcare"])
    assert run.ok, run.output
    assert run.changed == []
