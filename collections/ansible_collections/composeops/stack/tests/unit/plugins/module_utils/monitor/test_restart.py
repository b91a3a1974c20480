"""Restarts: what is asked of the engine and of systemd, under the lock of the stack, and written into its audit log."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.monitor.model import Target
from ansible_collections.composeops.stack.plugins.module_utils.monitor.restart import Prevented, Restarter
from ansible_collections.composeops.stack.plugins.module_utils.release.run import Places, stack_run
from ansible_collections.composeops.stack.tests.unit.support.recorded import RecordedRunner

API = Target("docker", stack="shop", service="api")
CONTAINER = {
    "Id": "c1",
    "Name": "/shop-api-1",
    "Image": "sha256:1",
    "Created": "2026-01-01T00:00:00Z",
    "RestartCount": 0,
    "Config": {
        "Image": "api:1",
        "Labels": {"com.docker.compose.project": "shop", "com.docker.compose.service": "api"},
    },
    "State": {
        "Status": "exited",
        "Running": False,
        "ExitCode": 137,
        "OOMKilled": False,
        "StartedAt": "2026-01-01T00:00:00Z",
        "FinishedAt": "2026-01-01T00:00:00Z",
    },
    "HostConfig": {"RestartPolicy": {"Name": "always"}},
    "NetworkSettings": {"Ports": {}, "Networks": {}},
}


def engine(argv: Sequence[str]) -> tuple[int, str, str]:
    if argv[:2] == ["docker", "ps"]:
        return 0, "c1 shop \n", ""
    if argv[:2] == ["docker", "inspect"]:
        return 0, json.dumps([CONTAINER]), ""
    return 0, "", ""


@pytest.fixture
def places(tmp_path: Path) -> Places:
    directory = tmp_path / "stacks/shop"
    directory.mkdir(parents=True)
    (directory / "compose.json").write_text(json.dumps({"services": {"api": {"image": "api:1"}}}))
    (directory / "environment").write_text("")
    return Places(*(str(tmp_path / name) for name in ("locks", "stacks", "secrets", "audit.jsonl")))


def entries(places: Places) -> list[tuple[str, str, str, str]]:
    if not os.path.exists(places.audit):
        return []
    found = [json.loads(line) for line in Path(places.audit).read_text().splitlines()]
    return [(entry["operation"], entry["operator"], entry["via"], entry["result"] or entry["event"]) for entry in found]


def test_containers_are_restarted_as_an_operator_would(places: Places) -> None:
    runner = RecordedRunner(engine)
    Restarter(runner, places=places).restart(API, "Nothing listens.")
    restarts = [call for call in runner.calls if "restart" in call]
    assert len(restarts) == 1
    assert restarts[0][:2] == ["docker", "compose"]
    assert restarts[0][-1] == "api"
    assert entries(places) == [
        ("restart", "health monitor", "monitor", "began"),
        ("restart", "health monitor", "monitor", "ok"),
    ]
    assert "shop/api: Nothing listens." in Path(places.audit).read_text()


def test_stack_is_locked_while_its_service_is_restarted(places: Places) -> None:
    restarter = Restarter(RecordedRunner(), places=places)
    seen: list[str] = []

    def answer(argv: Sequence[str]) -> tuple[int, str, str]:
        if "restart" in argv:
            seen.append(restarter.obstacle(API))
        return engine(argv)

    Restarter(RecordedRunner(answer), places=places).restart(API, "reason")
    assert seen
    assert "in the hands of health monitor (restart by monitor since" in seen[0]
    assert restarter.obstacle(API) == ""


@pytest.mark.parametrize(
    "target", [API, Target("systemd", stack="shop", unit="shop.service")], ids=["docker", "systemd"]
)
def test_nothing_is_touched_while_another_run_has_the_stack(target: Target, places: Places) -> None:
    runner = RecordedRunner(engine)
    with stack_run("shop", "deploy", operator="ann", places=places), pytest.raises(Prevented, match="held by ann"):
        Restarter(runner, places=places).restart(target, "reason")
    assert not [call for call in runner.calls if "restart" in call]


def test_restart_that_fails_is_an_error_and_in_the_log(places: Places) -> None:
    def answer(argv: Sequence[str]) -> tuple[int, str, str]:
        return (1, "", "no such device") if "restart" in argv else engine(argv)

    with pytest.raises(ComposeOpsError, match="no such device") as caught:
        Restarter(RecordedRunner(answer), places=places).restart(API, "reason")
    assert not isinstance(caught.value, Prevented)
    assert entries(places)[-1][-1] == "failed"


def test_unit_of_no_stack_is_restarted_by_systemd_alone(places: Places) -> None:
    runner = RecordedRunner()
    restarter = Restarter(runner, places=places)
    unit = Target("systemd", unit="nginx.service")
    assert restarter.obstacle(unit) == ""
    restarter.restart(unit, "reason")
    assert ["systemctl", "restart", "--no-pager", "--", "nginx.service"] in runner.calls
    assert entries(places) == []
