# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.io import sockets
from ansible_collections.composeops.stack.plugins.module_utils.release import state
from ansible_collections.composeops.stack.plugins.module_utils.release.deployment import Deployment
from ansible_collections.composeops.stack.plugins.module_utils.release.gate import GateFailure
from ansible_collections.composeops.stack.plugins.module_utils.release.model import HealthPolicy, StackRequest
from ansible_collections.composeops.stack.plugins.module_utils.release.operations import Operations
from ansible_collections.composeops.stack.plugins.module_utils.secrets import store
from ansible_collections.composeops.stack.tests.unit.support.fake_engine import FakeClock, FakeEngine

PASSWORD = "k3Jf82hQzW1mPq"
HEALTH = HealthPolicy(attempts=4, interval=1)
SERVICES: dict[str, Any] = {
    "db": {"image": "db:1", "restart": "always", "healthcheck": {"test": ["CMD", "true"]}},
    "worker": {"image": "web:1"},
}


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> FakeEngine:
    monkeypatch.setattr(sockets, "listening", list)
    return FakeEngine(FakeClock(), {"db:1": "sha256:db1", "web:1": "sha256:web1"})


@pytest.fixture
def operations(tmp_path: Path, engine: FakeEngine) -> Operations:
    store.write("shop", {"DB_PASSWORD": PASSWORD}, str(tmp_path / "secrets"))
    return Operations(
        "shop", engine, clock=engine.clock, root=str(tmp_path / "stacks"), secrets=str(tmp_path / "secrets")
    )


@pytest.fixture
def deployed(tmp_path: Path, engine: FakeEngine, operations: Operations) -> Operations:
    deploy(tmp_path, engine)
    return operations


def deploy(tmp_path: Path, engine: FakeEngine) -> list[str]:
    request = StackRequest("shop", json.dumps({"name": "shop", "services": SERVICES}), health=HEALTH)
    deployment = Deployment(
        request, engine, clock=engine.clock, root=str(tmp_path / "stacks"), secrets=str(tmp_path / "secrets")
    )
    deployment.prepare()
    observed = deployment.observe()
    target = deployment.target(observed)
    return deployment.apply(observed, target, deployment.plan(observed, target)).plan.sentences()


def test_pet_06_stops_everything_and_remembers_it(deployed: Operations, tmp_path: Path) -> None:
    result = deployed.stop([], check=False)
    assert result.plan == ("stop shop-db-1", "stop shop-worker-1")
    assert {found.status for found in result.containers} == {"exited"}
    record = state.read_state("shop", str(tmp_path / "stacks"))
    assert record is not None
    assert record.stopped


def test_stopping_twice_changes_nothing(deployed: Operations) -> None:
    deployed.stop([], check=False)
    assert not deployed.stop([], check=False).changed


def test_stopping_in_check_mode_stops_nothing(deployed: Operations, engine: FakeEngine) -> None:
    assert deployed.stop([], check=True).plan == ("stop shop-db-1", "stop shop-worker-1")
    assert engine.count("stop") == 0
    assert deployed.stop([], check=True).changed


def test_a_deployment_after_a_stop_starts_also_what_ended_well(
    deployed: Operations, tmp_path: Path, engine: FakeEngine
) -> None:
    deployed.stop([], check=False)
    assert deploy(tmp_path, engine) == ["start db: shop-db-1 is exited", "start worker: shop-worker-1 is exited"]
    assert deploy(tmp_path, engine) == []


def test_one_service_is_stopped_alone(deployed: Operations, engine: FakeEngine) -> None:
    assert deployed.stop(["db"], check=False).plan == ("stop shop-db-1",)
    assert engine.calls[-3][-2:] == ["stop", "db"]


def test_a_stack_that_was_never_deployed_is_stopped_already(operations: Operations) -> None:
    assert not operations.stop([], check=False).changed


def test_pet_06_restarts_and_waits_until_everything_is_healthy(deployed: Operations, engine: FakeEngine) -> None:
    began = engine.clock.now()
    result = deployed.restart([], HEALTH, 10, check=False)
    assert result.plan == ("restart shop-db-1", "restart shop-worker-1")
    assert {found.service: found.health for found in result.containers} == {"db": "healthy", "worker": ""}
    assert engine.clock.now() > began


def test_a_restart_that_does_not_come_up_fails_with_the_log_masked(deployed: Operations, engine: FakeEngine) -> None:
    engine.never_healthy.add("db:1")
    engine.logs["db"] = f"denied {PASSWORD}"
    with pytest.raises(GateFailure, match=r"db: not ready after 4 tries 1 s apart(.|\n)*denied \(sensitive\)"):
        deployed.restart(["db"], HEALTH, 10, check=False)


def test_restarting_in_check_mode_restarts_nothing(deployed: Operations, engine: FakeEngine) -> None:
    assert deployed.restart(["db"], HEALTH, 10, check=True).plan == ("restart shop-db-1",)
    assert engine.count("restart") == 0


def test_restarting_what_was_never_deployed_says_what_to_do(operations: Operations) -> None:
    with pytest.raises(ComposeOpsError, match=r"Stack shop has no containers to restart\. Deploy it"):
        operations.restart([], HEALTH, 10, check=False)


def test_pet_11_removing_keeps_and_names_the_volumes(deployed: Operations, engine: FakeEngine, tmp_path: Path) -> None:
    engine.networks, engine.volumes = ["shop_net"], ["shop_data"]
    result = deployed.remove(check=False)
    assert result.plan == (
        "stop and remove shop-db-1",
        "stop and remove shop-worker-1",
        "remove the network shop_net",
        "remove the files of the deployment",
        "keep the volume shop_data",
    )
    assert result.volumes == ("shop_data",)
    assert engine.containers == {}
    assert not (tmp_path / "stacks" / "shop").exists()
    assert store.read("shop", str(tmp_path / "secrets")) == {"DB_PASSWORD": PASSWORD}
    assert not deployed.remove(check=False).changed


def test_removing_in_check_mode_removes_nothing(deployed: Operations, engine: FakeEngine, tmp_path: Path) -> None:
    assert deployed.remove(check=True).changed
    assert len(engine.containers) == 2
    assert (tmp_path / "stacks" / "shop" / "state.json").exists()


def test_a_host_without_an_engine_has_nothing_to_remove(operations: Operations, engine: FakeEngine) -> None:
    engine.running = False
    assert not operations.remove(check=False).changed


def test_status_knows_what_was_deployed_and_is_gone(deployed: Operations, engine: FakeEngine) -> None:
    engine.containers = {name: found for name, found in engine.containers.items() if not name.startswith("db")}
    services = {entry["name"]: entry["state"] for entry in deployed.status([]).services}
    assert services == {"db": "absent", "worker": "running"}


def test_status_of_one_service(deployed: Operations) -> None:
    (entry,) = deployed.status(["db"]).services
    assert (entry["name"], entry["health"], entry["digest"]) == ("db", "healthy", "sha256:db1-digest")


def test_status_before_a_deployment(operations: Operations, engine: FakeEngine) -> None:
    engine.running = False
    status = operations.status([])
    assert (status.record, status.services) == (None, ())


def test_pet_06_logs_of_one_service_without_secrets(deployed: Operations, engine: FakeEngine) -> None:
    engine.logs = {"db": f"one\nwith {PASSWORD}\nthree", "worker": "other"}
    assert deployed.logs(["db"], 2) == {"db": ["with (sensitive)", "three"]}


UNKNOWN: dict[str, Callable[[Operations], Any]] = {
    "status": lambda operations: operations.status(["bd"]),
    "logs": lambda operations: operations.logs(["bd"], 1),
    "stop": lambda operations: operations.stop(["bd"], check=True),
    "restart": lambda operations: operations.restart(["bd"], HEALTH, 1, check=True),
}


@pytest.mark.parametrize("ask", UNKNOWN.values(), ids=UNKNOWN.keys())
def test_an_unknown_service_is_named_with_those_that_exist(
    deployed: Operations, ask: Callable[[Operations], Any]
) -> None:
    with pytest.raises(ComposeOpsError, match=r"Stack shop has no service 'bd' on this host\. It has db, worker\."):
        ask(deployed)


def test_remembering_a_stop_survives_a_death_before_the_containers_end(
    deployed: Operations, engine: FakeEngine, tmp_path: Path
) -> None:
    root = str(tmp_path / "stacks")
    record = state.read_state("shop", root)
    assert record is not None
    state.write_state(replace(record, stopped=True), root)
    assert deployed.stop([], check=False).plan == ("stop shop-db-1", "stop shop-worker-1")
    assert not deployed.stop([], check=False).changed
