"""SAG-04: containers, volumes and configuration are destroyed, and come back in the order of the requirement.

A stand-in plays MongoDB, mongodump and mongorestore where Docker Hub does not answer: that MongoDB's own tools do what
this restore asks of them was then not shown.
"""

from __future__ import annotations

import json
import uuid
from datetime import datetime
from typing import Any

from tests.integration.bed_host import ROOT, BedHost, PlaybookRun
from tests.support.containers import containers, identifiers
from tests.support.outside import Outside

SITE = "sagacity.example.com"
STACK = "sagacity"
INVENTORIES = [ROOT / "inventories/sagacity", ROOT / "molecule/sagacity/overlay"]
SETTINGS = "/var/lib/docker/volumes/sagacity_backend_config/_data/settings.json"


def play(operator: BedHost, name: str, **extra: Any) -> PlaybookRun:
    run = operator.playbook(ROOT / f"playbooks/{name}.yml", inventories=INVENTORIES, extra_variables=extra)
    assert run.ok, run.output
    return run


def moment(text: str) -> datetime:
    """Read the engine's time stamps, whose nanoseconds Python does not take."""
    return datetime.fromisoformat(text[:26].rstrip("Z") + "+00:00")


def started_after_its_stores(operator: BedHost) -> bool:
    """Whether backend and worker were started after MongoDB and Redis had passed their first health checks."""
    found = containers(operator.output, STACK)
    first = []
    for store in ("mongodb", "redis"):
        log = found[store]["State"]["Health"]["Log"]
        first.append(min(moment(entry["End"]) for entry in log if not entry["ExitCode"]))
    return all(moment(found[name]["State"]["StartedAt"]) >= max(first) for name in ("backend", "worker"))


def test_sag_04_system_comes_back_in_order_after_its_data_and_configuration_are_destroyed_with_a_mongo_stand_in(
    operator: BedHost, outside: Outside
) -> None:
    token = uuid.uuid4().hex
    assert outside.https(SITE, f"/api/documents/{token}", method="PUT", body={"name": "Phoenix"}).status == 200
    assert outside.https(SITE, f"/api/cache/{token}", method="PUT", body="ashes").status == 200
    operator.run(f"echo '{token}' > {SETTINGS}; chmod 0640 {SETTINGS}; chown 10001:10001 {SETTINGS}", check=True)
    run = play(operator, "backup")
    taken = {entry["source"]: entry["id"] for task in run.tasks for entry in task["result"].get("backups", [])}
    assert set(taken) == {"mongodb", "redis", "configuration"}

    operator.run(["docker", "rm", "--force", *identifiers(operator.output, STACK)], check=True)
    listed = f"docker volume ls -q --filter label=com.docker.compose.project={STACK}"
    operator.run(f"{listed} | xargs docker volume rm", check=True)
    assert outside.https(SITE, "/api/health").status == 502

    # Infrastructure: everything runs again, in its order, and is empty.
    play(operator, "deploy")
    assert started_after_its_stores(operator)
    assert outside.https(SITE, f"/api/documents/{token}").status == 404
    assert operator.run(["test", "-e", SETTINGS]).ok is False

    # Data, then configuration.
    for source in ("mongodb", "redis", "configuration"):
        restored = play(operator, "restore", source=source, backup=taken[source], unverified=True)
        assert restored.changed == ["Restore the source"]
    assert outside.https(SITE, f"/api/documents/{token}").json()["name"] == "Phoenix"
    assert outside.https(SITE, f"/api/cache/{token}").body == b"ashes"
    assert operator.output(f"cat {SETTINGS}") == token
    assert operator.output(f"stat -c '%a %u' {SETTINGS}") == "640 10001"
    secrets = json.loads(operator.output(f"cat /etc/composeops/secrets/{STACK}.json"))
    assert set(secrets) == {"MONGO_PASSWORD", "REDIS_PASSWORD", "JWT_SECRET"}

    # Verification. What was restored is written to again, and survives a restart.
    assert outside.https(SITE, f"/api/documents/{token}-again", method="PUT", body={"name": "new"}).status == 200
    play(operator, "restart")
    assert outside.https(SITE, f"/api/documents/{token}-again").json()["name"] == "new"
    assert outside.https(SITE, f"/api/documents/{token}").json()["name"] == "Phoenix"
    audit = operator.output("composeops audit")
    assert audit.count("restore") >= 3


def test_whole_site_changes_nothing_after_all_this(operator: BedHost) -> None:
    assert play(operator, "site").changed == []
