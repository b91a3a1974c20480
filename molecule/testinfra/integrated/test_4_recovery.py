"""Containers and volumes are destroyed, and the row that was written before comes back from the backup."""

from __future__ import annotations

import time
import uuid
from typing import Any

from tests.integration.bed_host import ROOT, BedHost, PlaybookRun
from tests.support.containers import identifiers, name
from tests.support.outside import Outside

SITE = "integrated.example.com"
INVENTORIES = [ROOT / "inventories/integrated", ROOT / "molecule/integrated/overlay"]


def play(operator: BedHost, name: str, **extra: Any) -> PlaybookRun:
    run = operator.playbook(ROOT / f"playbooks/{name}.yml", inventories=INVENTORIES, extra_variables=extra)
    assert run.ok, run.output
    return run


def test_int_03_container_waits_for_a_database_that_starts_after_it(operator: BedHost, outside: Outside) -> None:
    app, database = (name(operator.output, service, "integrated") for service in ("app", "postgres"))
    operator.run(["docker", "stop", app, database], check=True)
    operator.run(["docker", "start", app], check=True)
    try:
        running = operator.output(["docker", "exec", app, "cat", "/proc/1/cmdline"])
        assert "app\0start" in running, "supervisord was started without a database"
    finally:
        operator.run(["docker", "start", database], check=True)
    deadline = time.monotonic() + 60
    while operator.output(["docker", "inspect", "--format", "{{.State.Health.Status}}", app]) != "healthy":
        assert time.monotonic() < deadline, operator.output(["docker", "logs", "--tail", "20", app])
        time.sleep(0.2)
    # The same container, which was not started again: it waited.
    assert operator.output(["docker", "inspect", "--format", "{{.RestartCount}}", app]) == "0"
    assert outside.https(SITE, "/api/health").status == 200


def test_row_survives_the_loss_of_containers_and_volumes(operator: BedHost, outside: Outside) -> None:
    body = {"name": "Phoenix", "species": "bird", "request_id": uuid.uuid4().hex}
    number = outside.https(SITE, "/api/pets", method="POST", body=body).json()["id"]
    run = play(operator, "backup")
    (taken,) = [entry["id"] for task in run.tasks for entry in task["result"].get("backups", [])]

    operator.run(["docker", "rm", "--force", *identifiers(operator.output, "integrated")], check=True)
    listed = "docker volume ls -q --filter label=com.docker.compose.project=integrated"
    operator.run(f"{listed} | xargs docker volume rm", check=True)
    assert outside.https(SITE, "/api/health").status == 502

    play(operator, "deploy")
    assert outside.https(SITE, f"/api/pets/{number}").status == 404
    assert play(operator, "restore", source="database", backup=taken, unverified=True).changed == ["Restore the source"]
    assert outside.https(SITE, f"/api/pets/{number}").json()["name"] == "Phoenix"
    again = {**body, "request_id": f"{body['request_id']}-again"}
    assert outside.https(SITE, "/api/pets", method="POST", body=again).status == 201


def test_whole_site_changes_nothing_after_all_this(operator: BedHost) -> None:
    assert play(operator, "site").changed == []
