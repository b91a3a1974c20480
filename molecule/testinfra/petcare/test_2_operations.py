"""What an operator does with the system every day, through the playbooks; each test leaves it as it found it."""

from __future__ import annotations

import json
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.bed_host import ROOT, BedHost, PlaybookRun
from tests.support.containers import name as container
from tests.support.outside import Outside

APP, MOBILE = "app.petcare.com", "mobile-api.petcare.com"
PETCARE = ROOT / "inventories/petcare"


def play(operator: BedHost, name: str, *, inventory: Path = PETCARE, check: bool = False, **extra: Any) -> PlaybookRun:
    """Run a playbook as its header says."""
    return operator.playbook(
        ROOT / f"playbooks/{name}.yml", inventories=[inventory], extra_variables=extra, check=check
    )


def version(outside: Outside) -> str:
    return str(outside.https(APP, "/api/version").json()["version"])


@pytest.fixture
def pet(outside: Outside) -> Iterator[None]:
    """A row that has to be there afterwards."""
    body = {"name": "Rex", "species": "dog", "request_id": uuid.uuid4().hex}
    number = int(outside.https(APP, "/api/pets", method="POST", body=body).json()["id"])
    yield
    assert outside.https(APP, f"/api/pets/{number}").status == 200


def test_pet_06_status_shows_services_backups_and_addresses(operator: BedHost) -> None:
    run = play(operator, "status")
    assert run.ok, run.output
    assert run.changed == []
    for words in ("Services of petcare", "customer-portal", "Backups", "https://app.petcare.com/", "healthy"):
        assert words in run.output, words


def test_pet_06_logs_of_one_service(operator: BedHost) -> None:
    run = play(operator, "logs", service="backend", lines=5)
    assert run.ok, run.output
    assert run.changed == []
    (shown,) = [task["result"]["results"] for task in run.tasks if task["task"] == "Show them"]
    assert [(item["item"][1]["service"], len(item["msg"])) for item in shown] == [("backend", 5)]


def test_pet_06_misspelt_argument_is_refused(operator: BedHost) -> None:
    run = play(operator, "logs", servise="backend")
    assert not run.ok
    assert "Did you mean service?" in run.output


def test_pet_06_second_deploy_changes_nothing(operator: BedHost) -> None:
    run = play(operator, "deploy")
    assert run.ok, run.output
    assert run.changed == []


@pytest.mark.usefixtures("pet")
def test_pet_06_deploy_brings_another_version_and_shows_table_and_addresses(
    operator: BedHost, outside: Outside
) -> None:
    assert version(outside) == "1.0.0"
    predicted = play(operator, "deploy", check=True, petcare_version="1.1.0")
    assert predicted.ok, predicted.output
    assert "Deploy each stack and wait until it is healthy" in predicted.changed
    assert version(outside) == "1.0.0"

    applied = play(operator, "deploy", petcare_version="1.1.0")
    assert applied.ok, applied.output
    assert applied.changed == predicted.changed
    assert version(outside) == "1.1.0"
    for words in ("Services of petcare", "petcare/backend:1.1.0", "Web addresses", "https://mobile-api.petcare.com/"):
        assert words in applied.output, words

    assert play(operator, "deploy").ok
    assert version(outside) == "1.0.0"


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """The system with a backend that never becomes healthy, and little patience."""
    copy = tmp_path / "petcare"
    shutil.copytree(PETCARE, copy)
    compose = copy / "compose.yaml"
    text = compose.read_text()
    healthy = "    healthcheck: *application-health\n"
    sick = '    healthcheck: {test: [CMD, "false"], interval: 1s, retries: 2}\n'
    start = text.index("  backend:\n")
    compose.write_text(text[:start] + text[start:].replace(healthy, sick, 1))
    stack = copy / "group_vars/all/stack.yml"
    stack.write_text(stack.read_text().replace("{attempts: 30, interval: 5}", "{attempts: 5, interval: 1}"))
    assert sick in compose.read_text()
    assert "attempts: 5" in stack.read_text()
    return copy


@pytest.mark.usefixtures("pet")
def test_pet_06_service_that_stays_unhealthy_fails_the_deploy_with_its_log(
    operator: BedHost, outside: Outside, broken: Path
) -> None:
    run = play(operator, "deploy", inventory=broken, petcare_directory=str(broken))
    assert not run.ok
    (message,) = run.failures
    assert "backend" in message
    assert "unhealthy" in message
    assert "sample" in message, "the service's last log lines are missing"
    assert "The release before serves" in message
    assert version(outside) == "1.0.0"

    repaired = play(operator, "deploy")
    assert repaired.ok, repaired.output
    assert version(outside) == "1.0.0"


@pytest.mark.usefixtures("pet")
def test_pet_06_stop_and_restart(operator: BedHost, outside: Outside) -> None:
    stopped = play(operator, "stop")
    assert stopped.ok, stopped.output
    assert play(operator, "stop").changed == []
    assert outside.https(APP, "/api/health").status == 502

    restarted = play(operator, "restart")
    assert restarted.ok, restarted.output
    assert outside.https(APP, "/api/health").status == 200


def test_pet_06_one_service_is_restarted(operator: BedHost) -> None:
    names = " ".join(container(operator.output, service) for service in ("frontend", "backend"))
    started = f"docker inspect --format '{{{{.State.StartedAt}}}}' {names}"
    before = operator.run(started, check=True).stdout.split()
    run = play(operator, "restart", service="frontend")
    assert run.ok, run.output
    after = operator.run(started, check=True).stdout.split()
    assert after[0] != before[0]
    assert after[1] == before[1]


def test_pet_07_timer_service_commits_a_backup(operator: BedHost) -> None:
    listing = "composeops list"
    before = operator.run(listing, check=True).stdout
    started = operator.run("systemctl start composeops-backup@database.service composeops-backup@redis.service")
    assert started.ok, started.stderr + operator.run("journalctl -u 'composeops-backup@*' -n 40 --no-pager").stdout
    assert operator.run(listing, check=True).stdout != before


def test_container_that_died_is_repaired_by_the_next_deploy(operator: BedHost, outside: Outside) -> None:
    operator.run(f"docker rm --force {container(operator.output, 'frontend')}", check=True)
    assert outside.https(APP).status == 502
    run = play(operator, "deploy")
    assert run.ok, run.output
    assert run.changed == ["Deploy each stack and wait until it is healthy"]
    assert outside.https(APP).status == 200


def test_secrets_are_in_no_output_however_loud(operator: BedHost) -> None:
    secrets = operator.run("cat /etc/composeops/secrets/petcare.json", check=True).stdout
    values = [line.split('"')[3] for line in secrets.splitlines() if line.count('"') == 4]
    assert len(values) >= 9
    run = operator.playbook(
        ROOT / "playbooks/deploy.yml", inventories=[PETCARE], check=True, diff=True, arguments=["-vvv"]
    )
    assert run.ok, run.output
    assert [value for value in values if value in run.output] == []


def test_verify_passes_and_tells_what_to_try_next(operator: BedHost) -> None:
    run = play(operator, "verify")
    assert run.ok, run.output
    assert run.changed == []
    tables = run.output[run.output.index("PLAY RECAP") :]
    assert tables.index("Checks") < tables.index("Backups") < tables.index("What to try next")
    assert "FAILED" not in tables


def test_verify_fails_with_the_reason_when_something_is_wrong(operator: BedHost) -> None:
    operator.run(f"docker stop {container(operator.output, 'redis')}", check=True)
    try:
        run = play(operator, "verify")
        assert not run.ok
        (message,) = run.failures
        assert "redis (redis petcare/redis): Service redis of stack petcare has no running container." in message
        assert "services (container petcare/all services): redis is exited." in message
    finally:
        assert play(operator, "deploy").ok


def test_pet_11_verify_fails_when_a_port_can_be_reached_that_must_not_be(operator: BedHost) -> None:
    run = play(operator, "verify", verify_reachable_ports=[22, 80])
    assert not run.ok
    (message,) = run.failures
    assert "443 can be reached and must not be." in message


def test_pet_08_monitor_kept_its_hands_off_what_operators_did(operator: BedHost) -> None:
    """Releases, a stop, a restart and a service that was sick for a moment are behind it."""
    audit = operator.output("composeops audit")
    assert "deploy" in audit
    assert "health monitor" not in audit
    state = operator.read("/var/lib/composeops/monitor/state.json")
    assert {target["restarts_total"] for target in json.loads(state)["targets"].values()} <= {0}


def test_whole_site_changes_nothing_after_all_this(operator: BedHost) -> None:
    run = play(operator, "site")
    assert run.ok, run.output
    assert run.changed == []
