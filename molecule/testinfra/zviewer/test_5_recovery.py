"""Containers and volumes are destroyed, and the row that was written before comes back from the backup (ZVW-07)."""

from __future__ import annotations

import time
import uuid

from tests.integration.bed_host import BedHost
from tests.support.containers import identifiers
from tests.support.outside import Outside
from tests.support.zviewer import SITE, play


def test_zvw_07_row_survives_the_loss_of_containers_and_volumes(operator: BedHost, outside: Outside) -> None:
    body = {"name": "Phoenix", "species": "bird", "request_id": uuid.uuid4().hex}
    number = outside.https(SITE, "/api/pets", method="POST", body=body).json()["id"]
    run = play(operator, "backup")
    (taken,) = [entry["id"] for task in run.tasks for entry in task["result"].get("backups", [])]

    operator.run(["docker", "rm", "--force", *identifiers(operator.output, "zviewer")], check=True)
    listed = "docker volume ls -q --filter label=com.docker.compose.project=zviewer"
    operator.run(f"{listed} | xargs docker volume rm", check=True)
    assert outside.https(SITE, "/api/health").status == 502

    began = time.monotonic()
    play(operator, "deploy")
    assert outside.https(SITE, f"/api/pets/{number}").status == 404
    restored = play(operator, "restore", source="zviewer-database", backup=taken)
    assert restored.changed == ["Restore the source"]
    seconds = time.monotonic() - began
    print(f"recovered after {seconds:.0f} s")
    assert outside.https(SITE, f"/api/pets/{number}").json()["name"] == "Phoenix"
    # ZVW-08: recovery takes less than five minutes.
    assert seconds < 300
    play(operator, "verify")
