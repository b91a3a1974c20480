"""Containers and volumes are destroyed; a row and a file that were written before come back from backups (ZVW-07)."""

from __future__ import annotations

import time
import uuid

from tests.integration.bed_host import BedHost
from tests.support.containers import identifiers
from tests.support.outside import Outside
from tests.support.zviewer import SITE, instances, play


def in_media(operator: BedHost, *command: str) -> str:
    """Run a command in an instance of the media service, as its own user."""
    return operator.output(["docker", "exec", instances(operator.output)["media-service"][0]["Id"], *command])


def test_zvw_07_row_and_file_survive_the_loss_of_containers_and_volumes(operator: BedHost, outside: Outside) -> None:
    body = {"name": "Phoenix", "species": "bird", "request_id": uuid.uuid4().hex}
    number = outside.https(SITE, "/api/pets", method="POST", body=body).json()["id"]
    in_media(operator, "sh", "-c", f"echo {body['request_id']} > /app/media/phoenix.txt")
    run = play(operator, "backup")
    taken = {entry["source"]: entry["id"] for task in run.tasks for entry in task["result"].get("backups", [])}
    assert set(taken) == {"zviewer-database", "zviewer-media"}

    operator.run(["docker", "rm", "--force", *identifiers(operator.output, "zviewer")], check=True)
    listed = "docker volume ls -q --filter label=com.docker.compose.project=zviewer"
    operator.run(f"{listed} | xargs docker volume rm", check=True)
    assert outside.https(SITE, "/api/health").status == 502

    began = time.monotonic()
    play(operator, "deploy")
    assert outside.https(SITE, f"/api/pets/{number}").status == 404
    assert in_media(operator, "ls", "/app/media") == ""
    for source, identifier in taken.items():
        restored = play(operator, "restore", source=source, backup=identifier, unverified=True)
        assert restored.changed == ["Restore the source"]
    seconds = time.monotonic() - began
    print(f"recovered after {seconds:.0f} s")
    assert outside.https(SITE, f"/api/pets/{number}").json()["name"] == "Phoenix"
    assert in_media(operator, "cat", "/app/media/phoenix.txt") == body["request_id"]
    # ZVW-08: recovery takes less than five minutes.
    assert seconds < 300
    play(operator, "verify")
