"""The host goes down and comes back, and the data is lost and comes back from its backup."""

from __future__ import annotations

import os
import subprocess
import time
import uuid
from typing import Any

from tests.integration.bed_host import ROOT, BedHost
from tests.support.outside import Outside
from tests.support.reflexapp import SITE, forget_everything, play

NAME = os.environ.get("COMPOSEOPS_BED_HOST", "reflexapp-scenario")
PATIENCE = 120


def added(outside: Outside, name: str) -> int:
    body = {"name": name, "species": "snake", "request_id": uuid.uuid4().hex}
    return int(outside.https(SITE, "/pets", method="POST", body=body).json()["id"])


def test_rfx_06_data_that_was_lost_comes_back_over_the_network(
    operator: BedHost, outside: Outside, overlay: dict[str, Any]
) -> None:
    number = added(outside, "Kaa")
    run = play(operator, "backup")
    (taken,) = [entry["id"] for task in run.tasks for entry in task["result"].get("backups", [])]
    forget_everything(operator, overlay["reflexapp_database_password"])
    assert outside.https(SITE, f"/pets/{number}").status >= 500

    restored = play(operator, "restore", source="database", backup=taken, unverified=True)
    assert restored.changed == ["Restore the source"]
    assert outside.https(SITE, f"/pets/{number}").json()["name"] == "Kaa"
    assert added(outside, "Nag") > number


def test_rfx_01_host_that_was_stopped_and_started_serves_by_itself(operator: BedHost, outside: Outside) -> None:
    number, certificate = added(outside, "Nagaina"), outside.certificate(SITE)["serialNumber"]
    for action in ("stop", "start"):
        subprocess.run([ROOT / "molecule/testbed/bed", "host", action, NAME], check=True, stdin=subprocess.DEVNULL)
    deadline = time.monotonic() + PATIENCE
    while not (checked := operator.run("composeops check")).ok:
        assert time.monotonic() < deadline, f"not back after {PATIENCE} s:\n{checked.stdout}{checked.stderr}"
        time.sleep(1)
    assert outside.https(SITE, f"/pets/{number}").json()["name"] == "Nagaina"
    assert outside.certificate(SITE)["serialNumber"] == certificate
    assert play(operator, "site").changed == []
