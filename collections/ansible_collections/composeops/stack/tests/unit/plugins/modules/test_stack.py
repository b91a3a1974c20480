# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError, InvalidInput
from ansible_collections.composeops.stack.plugins.module_utils.io import sockets
from ansible_collections.composeops.stack.plugins.module_utils.release import (
    audit,
    deployment,
    operations,
    probe,
    state,
)
from ansible_collections.composeops.stack.plugins.module_utils.release.holding import Holding
from ansible_collections.composeops.stack.plugins.module_utils.release.model import (
    HealthPolicy,
    Published,
    Routed,
    StackFile,
)
from ansible_collections.composeops.stack.plugins.module_utils.release.run import stack_run
from ansible_collections.composeops.stack.plugins.module_utils.secrets import store
from ansible_collections.composeops.stack.plugins.modules import stack, stack_info
from ansible_collections.composeops.stack.tests.unit.support.fake_engine import FakeClock, FakeEngine
from ansible_collections.composeops.stack.tests.unit.support.places import places

COMPOSE = json.dumps({"name": "shop", "services": {"web": {"image": "web:1", "healthcheck": {"test": ["CMD", "x"]}}}})


def parameters(spec: dict[str, Any] = stack.ARGUMENT_SPEC, **options: Any) -> dict[str, Any]:
    """Return options as the module receives them, with defaults and conversions."""
    validated = ArgumentSpecValidator(spec).validate({"name": "shop", **options})
    assert validated.error_messages == []
    return dict(validated.validated_parameters)


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeEngine:
    """An engine in memory, and directories of the test instead of the host's."""
    fake = FakeEngine(FakeClock(), {"web:1": "sha256:web1"})
    monkeypatch.setattr(sockets, "listening", list)
    monkeypatch.setattr(sockets, "connections", lambda ports: 0)
    monkeypatch.setattr(probe, "ask", lambda route, endpoint: "")
    monkeypatch.setattr(stack, "PLACES", places(tmp_path))
    for module in (stack, stack_info):
        monkeypatch.setattr(module, "CommandRunner", lambda: fake)
    for kind in (deployment.Deployment, operations.Operations):
        initialise = kind.__init__

        def here(self: Any, name: Any, runner: Any, _initialise: Callable[..., None] = initialise, **more: Any) -> None:
            root, secrets, active = (str(tmp_path / kept) for kept in ("stacks", "secrets", "active"))
            _initialise(self, name, runner, clock=fake.clock, root=root, secrets=secrets, active=active, **more)

        monkeypatch.setattr(kind, "__init__", here)
    return fake


def test_options_become_a_request() -> None:
    request = stack.request_from(
        parameters(
            compose=COMPOSE,
            source="shop.yaml",
            files=[{"path": "files/b", "content": base64.b64encode(b"\xffb").decode(), "executable": True}],
            environment={"COUNT": 3, "DEBUG": True, "EMPTY": None, "NAME": "shop"},
            secrets=["DB_PASSWORD"],
            routed=[{"service": "web", "port": "80"}],
            published=[{"service": "web", "port": 80, "host_port": 8080}],
            health={"attempts": 3, "interval": 0.5},
            log_lines=7,
        )
    )
    assert (request.name, request.compose, request.source) == ("shop", COMPOSE, "shop.yaml")
    assert request.files == (StackFile("files/b", b"\xffb", True),)
    assert request.environment == {"COUNT": "3", "DEBUG": "true", "EMPTY": "", "NAME": "shop"}
    assert request.secrets == ("DB_PASSWORD",)
    assert request.routed == (Routed("web", 80),)
    assert request.published == (Published("web", 80, 8080, "127.0.0.1", "tcp"),)
    assert request.health == HealthPolicy(3, 0.5)
    assert request.log_lines == 7


def test_pet_06_thirty_tries_five_seconds_apart_unless_told_otherwise() -> None:
    assert stack.request_from(parameters(compose=COMPOSE)).health == HealthPolicy(attempts=30, interval=5)


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "no compose file": ({}, "compose_file is missing"),
    "services with a deployment": (
        {"compose": COMPOSE, "services": ["web"]},
        "goes with state stopped, restarted or data",
    ),
    "no attempts": ({"compose": COMPOSE, "health": {"attempts": 0}}, "at least one attempt"),
    "a file outside": (
        {"compose": COMPOSE, "files": [{"path": "../x", "content": ""}]},
        "cannot be the name of a file",
    ),
}


@pytest.mark.parametrize(("options", "said"), REFUSED.values(), ids=REFUSED.keys())
def test_refuses(options: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        stack.request_from(parameters(**options))


@pytest.mark.parametrize(
    "options", [{"stat": "present"}, {"routed": [{"service": "web", "prot": 80}]}, {"health": {"x": 1}}]
)
def test_unknown_options_are_refused(options: dict[str, Any]) -> None:
    validated = ArgumentSpecValidator(stack.ARGUMENT_SPEC).validate({"name": "shop", **options})
    assert "Supported parameters include" in " ".join(validated.error_messages)


def test_a_name_that_is_no_project_is_refused(engine: FakeEngine) -> None:
    with pytest.raises(InvalidInput, match="is not a stack name"):
        stack.run(parameters(name="../etc", state="stopped"), check=True)


def test_check_then_apply_then_nothing(engine: FakeEngine, tmp_path: Path) -> None:
    checked = stack.run(parameters(compose=COMPOSE), check=True)
    assert list(tmp_path.iterdir()) == []
    applied = stack.run(parameters(compose=COMPOSE), check=False)
    again = stack.run(parameters(compose=COMPOSE), check=False)
    assert checked["changed"]
    assert applied["changed"]
    assert checked["plan"] == applied["plan"] == ["pull web:1", "write compose.json", "write environment", "create web"]
    assert (again["changed"], again["plan"], again["diff"]) == (False, [], [])
    assert [entry["after_header"] for entry in applied["diff"]] == ["compose.json", "environment"]
    (service,) = applied["services"]
    assert (service["name"], service["state"], service["health"]) == ("web", "running", "healthy")
    services, releases, timeline = applied["summary"]
    assert services == {
        "title": "Services of shop",
        "columns": ["service", "image", "digest", "state", "health", "ports"],
        "rows": [["web", "web:1", "web1-digest", "running", "healthy", "-"]],
    }
    assert releases["title"] == "Releases of shop"
    assert [(row[0], row[3]) for row in releases["rows"]] == [("* 1", "active")]
    assert timeline == {
        "title": "Release 1 of shop",
        "columns": ["step", "seconds"],
        "rows": [["pull", "0.00"], ["base", "2.00"], ["commit", "0.00"], ["prune", "0.00"], ["all", "2.00"]],
    }
    assert again["summary"] == [services, releases]


def test_check_mode_says_what_it_cannot_know_of_moved_tags(engine: FakeEngine) -> None:
    stack.run(parameters(compose=COMPOSE), check=False)
    checked = stack.run(parameters(compose=COMPOSE, pull="always"), check=True)
    assert not checked["changed"]
    assert checked["plan"] == ["not checked: whether the registry moved web:1"]


def test_a_bare_host_gets_a_prediction(engine: FakeEngine) -> None:
    engine.running = False
    result = stack.run(parameters(compose=COMPOSE, declared_services=["db", "web"]), check=True)
    assert result["changed"]
    assert result["plan"][:2] == ["create db", "create web"]


def test_a_bare_host_gets_no_deployment(engine: FakeEngine) -> None:
    engine.running = False
    with pytest.raises(ComposeOpsError, match="no Docker engine answers on this host"):
        stack.run(parameters(compose=COMPOSE), check=False)


def test_a_secret_that_is_missing_is_refused_before_anything_happens(engine: FakeEngine) -> None:
    with pytest.raises(InvalidInput, match="the secrets DB_PASSWORD are not on this host"):
        stack.run(parameters(compose=COMPOSE, secrets=["DB_PASSWORD"]), check=False)
    assert engine.calls == []


def test_stopped_restarted_absent(engine: FakeEngine) -> None:
    stack.run(parameters(compose=COMPOSE), check=False)
    assert stack.run(parameters(state="stopped"), check=False)["plan"] == ["stop shop-web-1"]
    assert not stack.run(parameters(state="stopped"), check=False)["changed"]
    restarted = stack.run(parameters(state="restarted"), check=False)
    assert restarted["plan"] == ["restart shop-web-1"]
    assert restarted["services"][0]["health"] == "healthy"
    engine.volumes = ["shop_data"]
    absent = stack.run(parameters(state="absent"), check=False)
    assert absent["changed"]
    assert absent["kept_volumes"] == ["shop_data"]
    assert not stack.run(parameters(state="absent"), check=False)["changed"]


def test_two_runs_at_once_one_is_told_who_holds_the_stack(engine: FakeEngine, tmp_path: Path) -> None:
    with stack_run("shop", "deploy", operator="ada", places=places(tmp_path)):
        with pytest.raises(ComposeOpsError, match=r"Stack shop is held by ada \(deploy by ansible since .*process \d+"):
            stack.run(parameters(state="stopped"), check=False)
        checked = stack.run(parameters(state="stopped"), check=True)
    assert not checked["changed"]
    assert checked["warnings"][0].startswith("Now it would have to wait: stack shop is held by ada")


def audited(tmp_path: Path) -> list[tuple[str, str, int, int, str]]:
    """Return what the audit log says of each run: operation, operator, from, to, result."""
    found = audit.runs(audit.read(places(tmp_path).audit), ())
    return [(run.operation, run.operator, run.from_release, run.to_release, run.result) for run in found]


def test_what_changed_something_is_in_the_audit_log(engine: FakeEngine, tmp_path: Path) -> None:
    for options in ({"compose": COMPOSE}, {"state": "stopped"}, {"state": "restarted"}, {"state": "absent"}):
        stack.run(parameters(operator="ada", **options), check=True)
        stack.run(parameters(operator="ada", **options), check=False)
        if options.get("state") != "restarted":
            stack.run(parameters(operator="bob", **options), check=False)
    assert audited(tmp_path) == [
        ("deploy", "ada", 0, 1, "ok"),
        ("stop", "ada", 1, 1, "ok"),
        ("restart", "ada", 1, 1, "ok"),
        ("remove", "ada", 1, 0, "ok"),
    ]


def test_what_only_a_pull_shows_to_be_a_change_is_in_the_audit_log(engine: FakeEngine, tmp_path: Path) -> None:
    stack.run(parameters(compose=COMPOSE), check=False)
    stack.run(parameters(compose=COMPOSE, pull="always"), check=False)
    engine.registry["web:1"] = "sha256:another"
    stack.run(parameters(compose=COMPOSE, pull="always"), check=False)
    assert [found[2:] for found in audited(tmp_path)] == [(0, 1, "ok"), (1, 2, "ok")]


def test_a_run_that_failed_is_in_the_audit_log_with_its_reason(engine: FakeEngine, tmp_path: Path) -> None:
    with pytest.raises(ComposeOpsError):
        stack.run(parameters(compose=COMPOSE, secrets=["DB_PASSWORD"], operator="ada"), check=False)
    stack.run(parameters(compose=COMPOSE, operator="ada"), check=False)
    engine.registry["web:2"] = "sha256:web2"
    engine.never_healthy.add("web:2")
    with pytest.raises(deployment.DeploymentFailed):
        stack.run(parameters(compose=COMPOSE.replace("web:1", "web:2"), operator="ada"), check=False)
    assert [found[2:] for found in audited(tmp_path)] == [(0, 0, "refused"), (0, 1, "ok"), (1, 2, "rolled back")]


def test_a_stack_that_is_held_by_hand_is_left_alone(engine: FakeEngine, tmp_path: Path) -> None:
    stack.run(parameters(compose=COMPOSE), check=False)
    change = Holding("shop", "ada", via="console", places=places(tmp_path)).hold("incident 42", "2h", check=False)
    calls = len(engine.calls)
    for state_ in ("present", "stopped", "restarted", "absent"):
        with pytest.raises(ComposeOpsError, match=r"held by ada since .* until .*: incident 42"):
            stack.run(parameters(compose=COMPOSE, state=state_), check=False)
    assert len(engine.calls) == calls
    checked = stack.run(parameters(state="stopped"), check=True)
    assert checked["warnings"] == [f"Now it would be refused: stack shop is held by {change.after}."]


def test_information_before_and_after_a_deployment(engine: FakeEngine) -> None:
    spec = stack_info.ARGUMENT_SPEC
    before = stack_info.run(parameters(spec))
    assert (before["deployed"], before["services"], before["endpoints"]) == (False, [], [])
    rollout = {"strategy": "blue_green"}
    stack.run(parameters(compose=COMPOSE, routed=[{"service": "web", "port": 80}], rollout=rollout), check=False)
    engine.logs["web"] = "one\ntwo\nthree"
    after = stack_info.run(parameters(spec, services=["web"], log_lines=2))
    assert after["deployed"]
    assert not after["changed"]
    assert [(entry["colour"], entry["host_port"]) for entry in after["endpoints"]] == [
        ("blue", 21000),
        ("green", 21010),
    ]
    assert after["logs"] == [{"service": "web", "lines": ["two", "three"]}]
    assert "logs" not in stack_info.run(parameters(spec))


def test_the_directories_are_the_documented_ones() -> None:
    assert state.path("shop") == "/var/lib/composeops/stacks/shop/state.json"
    assert store.path("shop") == "/etc/composeops/secrets/shop.json"


DATA = json.dumps(
    {
        "name": "shop",
        "services": {
            "web": {"image": "web:1", "depends_on": {"db": {"condition": "service_started"}}},
            "db": {"image": "db:1", "volumes": [{"type": "volume", "source": "rows", "target": "/rows"}]},
        },
        "volumes": {"rows": {"name": "shop_rows"}},
    }
)


def test_data_alone_leaves_no_release_and_the_first_deployment_goes_on_from_it(
    engine: FakeEngine, tmp_path: Path
) -> None:
    engine.images["db:1"] = "sha256:db1"
    options = {"compose": DATA, "operator": "ada"}
    wanted = parameters(**options, state="data", services=["db"])
    predicted = stack.run(wanted, check=True)
    done = stack.run(wanted, check=False)
    assert predicted["changed"] and done["changed"]
    assert predicted["plan"] == done["plan"]
    assert list(engine.containers) == ["db-1"]
    assert state.read_state("shop", str(tmp_path / "stacks")) is None
    assert not stack.run(wanted, check=False)["changed"]
    deployed = stack.run(parameters(**options), check=False)
    assert deployed["release"] == 1
    assert not stack.run(wanted, check=False)["changed"]
