"""Containers and volumes are destroyed, and come back from the backups: a row and a key written through the API."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from tests.integration.bed_host import ROOT, BedHost, PlaybookRun
from tests.support.containers import containers, identifiers
from tests.support.outside import Outside

APP = "app.petcare.com"
PETCARE = ROOT / "inventories/petcare"


def play(operator: BedHost, name: str, **extra: Any) -> PlaybookRun:
    run = operator.playbook(ROOT / f"playbooks/{name}.yml", inventories=[PETCARE], extra_variables=extra)
    assert run.ok, run.output
    return run


def moment(text: str) -> datetime:
    """Read the engine's time stamps, whose nanoseconds Python does not take."""
    return datetime.fromisoformat(text[:26].rstrip("Z") + "+00:00")


def test_pet_07_row_and_key_survive_the_loss_of_containers_and_volumes(operator: BedHost, outside: Outside) -> None:
    token = uuid.uuid4().hex
    body = {"name": "Phoenix", "species": "bird", "request_id": token}
    number = outside.https(APP, "/api/pets", method="POST", body=body).json()["id"]
    assert outside.https(APP, f"/api/cache/{token}", method="PUT", body="ashes").status == 200

    run = play(operator, "backup")
    taken = {entry["source"]: entry["id"] for task in run.tasks for entry in task["result"].get("backups", [])}
    assert set(taken) == {"database", "redis"}

    operator.run(["docker", "rm", "--force", *identifiers(operator.output)], check=True)
    operator.run(
        "docker volume ls -q --filter label=com.docker.compose.project=petcare | xargs docker volume rm", check=True
    )
    assert outside.https(APP, "/api/health").status == 502

    play(operator, "deploy")
    assert_pet_05_backend_waited_for_postgres(operator)
    assert outside.https(APP, f"/api/pets/{number}").status == 404
    assert outside.https(APP, f"/api/cache/{token}").status == 404

    for source, identifier in taken.items():
        restored = play(operator, "restore", source=source, backup=identifier, unverified=True)
        assert restored.changed == ["Restore the source"]
    assert outside.https(APP, f"/api/pets/{number}").json()["name"] == "Phoenix"
    assert outside.https(APP, f"/api/cache/{token}").body == b"ashes"

    # What was restored is written to again, and survives a restart.
    again = {**body, "request_id": f"{token}-again"}
    assert outside.https(APP, "/api/pets", method="POST", body=again).status == 201
    assert outside.https(APP, f"/api/cache/{token}-again", method="PUT", body="new").status == 200
    play(operator, "restart")
    assert outside.https(APP, f"/api/cache/{token}").body == b"ashes"
    assert outside.https(APP, f"/api/cache/{token}-again").body == b"new"
    assert play(operator, "site").changed == []


def assert_pet_05_backend_waited_for_postgres(operator: BedHost) -> None:
    """On the first start of an empty database the backend was started after PostgreSQL had been healthy."""
    found = containers(operator.output)
    log = found["postgres"]["State"]["Health"]["Log"]
    healthy = [moment(entry["End"]) for entry in log if not entry["ExitCode"]]
    assert healthy, "PostgreSQL has no passed health check"
    assert moment(found["backend"]["State"]["StartedAt"]) >= min(healthy)
