"""Releases of the Reflex application behind Traefik, the way back, and each way to migrate."""

from __future__ import annotations

import json
from typing import Any

from tests.integration.bed_host import BedHost
from tests.load.attempts import under_load
from tests.load.process import Load
from tests.load.report import Report
from tests.support import containers as stack
from tests.support.outside import Outside
from tests.support.reflexapp import SITE, STACK, forget_everything, play, version

RATE = 60
"""Requests a second: the machine of the tests does other things meanwhile."""


def newest(operator: BedHost) -> dict[str, Any]:
    """What the host has recorded of the newest release."""
    found: list[dict[str, Any]] = json.loads(operator.output("composeops releases --json"))[STACK]
    return found[0]


def released_under_load(operator: BedHost, outside: Outside) -> Report:
    """Deploy 1.1.0, a quarter of the requests first, while clients use the system; return what they saw."""

    def at_first() -> None:
        if version(outside) != "1.0.0":
            play(operator, "deploy")

    report, _ = under_load(
        lambda: Load(operator.inventory, system=STACK, rate=RATE),
        lambda: play(operator, "deploy", reflexapp_version="1.1.0", reflexapp_canary={"steps": [25], "hold": 5}),
        begin=at_first,
    )
    return report


def test_rfx_05_release_under_load_loses_no_request(operator: BedHost, outside: Outside) -> None:
    assert version(outside) == "1.0.0"
    report = released_under_load(operator, outside)
    print(report)
    assert report.passed, report
    assert version(outside) == "1.1.0"

    # Traefik itself shared the requests out, and its own log is what the canary was judged by.
    (canary,) = newest(operator)["canary"]
    assert canary["percent"] == 25
    assert 0.1 < canary["requests"] / (canary["requests"] + canary["before_requests"]) < 0.4
    assert canary["failed"] == canary["before_failed"] == 0


def test_rfx_02_migration_before_the_release(operator: BedHost) -> None:
    assert {"backup", "migrate"} <= set(newest(operator)["seconds"])


def test_rfx_02_migration_as_a_job_of_its_own(operator: BedHost, outside: Outside, overlay: dict[str, Any]) -> None:
    forget_everything(operator, overlay["reflexapp_database_password"])
    play(operator, "deploy", reflexapp_version="1.0.0", reflexapp_migration="job")
    job = stack.containers(operator.output, STACK)["migrate"]
    assert (job["State"]["Status"], job["State"]["ExitCode"]) == ("exited", 0)
    assert "applied: 1" in operator.output(["docker", "logs", job["Id"]])
    assert "migrate" not in newest(operator)["seconds"]
    assert outside.https(SITE, "/pets/count").json() == {"count": 0}


def test_rfx_02_migration_in_the_entrypoint(operator: BedHost, outside: Outside, overlay: dict[str, Any]) -> None:
    forget_everything(operator, overlay["reflexapp_database_password"])
    play(operator, "deploy", reflexapp_version="1.1.0", reflexapp_migration="entrypoint")
    assert set(stack.containers(operator.output, STACK)) == {"app"}
    assert "migrate" not in newest(operator)["seconds"]
    assert outside.https(SITE, "/pets/count").json() == {"count": 0}


def test_rfx_05_going_back_is_the_same_way(operator: BedHost, outside: Outside) -> None:
    play(operator, "rollback")
    assert version(outside) == "1.0.0"
    play(operator, "deploy")
    assert version(outside) == "1.0.0"
    assert set(stack.containers(operator.output, STACK)) == {"app"}
