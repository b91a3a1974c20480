# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.release import active
from ansible_collections.composeops.stack.plugins.module_utils.release.model import HealthPolicy, RolloutPolicy
from ansible_collections.composeops.stack.tests.unit.support.colour_host import (
    WITH_JOBS,
    Host,
    deaths,
    host_fixture,
)

__all__ = ["host_fixture"]

WARM = RolloutPolicy("blue_green", watch=2, drain=10, keep=3, warm=True)
CLEAN = {"active", "superseded", "abandoned", "withdrawn"}


@pytest.fixture(name="warm")
def warm_fixture(host: Host) -> Host:
    """Release 2 serves from green; release 1 is kept running in blue, without its worker."""
    host.options.update(compose=WITH_JOBS, overlapping=("web", "jobs"), rollout=WARM)
    host.deploy("1")
    host.deploy("2")
    return host


def services(host: Host) -> dict[str, list[str]]:
    """Return the services that have containers, by their projects."""
    found: dict[str, list[str]] = {}
    for container in host.engine.containers.values():
        labels = container["Config"]["Labels"]
        found.setdefault(labels["com.docker.compose.project"], []).append(host.engine._service(container))
    return {project: sorted(names) for project, names in found.items()}


def identifier(host: Host, project: str) -> str:
    """Return the id of the container of the routed service in a project."""
    (found,) = [
        container["Id"]
        for container in host.engine.containers.values()
        if container["Config"]["Labels"]["com.docker.compose.project"] == project
        and host.engine._service(container) == "web"
    ]
    return str(found)


def test_the_routed_services_of_the_release_before_stay_and_its_worker_ends(warm: Host) -> None:
    assert services(warm) == {"shop": ["db"], "shop-blue": ["web"], "shop-green": ["jobs", "web"]}
    assert (warm.record.colour, warm.record.warm, warm.record.warm_release) == ("green", "blue", 1)
    assert (warm.serving, warm.served()) == ("green", "web:2")


def test_a_second_run_leaves_it_alone(warm: Host) -> None:
    assert not warm.deploy().plan.changes


def test_going_back_creates_no_routed_container(warm: Host) -> None:
    before = identifier(warm, "shop-blue")
    outcome = warm.go_back(1)
    assert (
        "switch back to release 1 in blue, which is still running, when its routes answer" in outcome.plan.sentences()
    )
    assert (warm.serving, warm.served(), identifier(warm, "shop-blue")) == ("blue", "web:1", before)
    assert services(warm) == {"shop": ["db"], "shop-blue": ["jobs", "web"]}
    assert warm.history() == {3: "active", 2: "withdrawn", 1: "superseded"}
    assert (warm.record.warm, warm.record.warm_release) == ("", 0)
    assert not warm.deploy("1").plan.changes


def test_a_deployment_of_what_it_runs_is_the_same(warm: Host) -> None:
    before = {colour: identifier(warm, f"shop-{colour}") for colour in ("blue", "green")}
    warm.deploy("1")
    assert (warm.serving, warm.record.warm, warm.record.warm_release) == ("blue", "green", 2)
    warm.deploy("2")
    assert (warm.serving, warm.record.warm, warm.record.warm_release) == ("green", "blue", 3)
    assert {colour: identifier(warm, f"shop-{colour}") for colour in ("blue", "green")} == before


def test_the_prediction_is_what_is_done(warm: Host) -> None:
    predicted = warm.predict("1")
    assert warm.deploy("1").plan.sentences() == predicted.sentences()
    predicted = warm.predict("3")
    assert warm.deploy("3").plan.sentences() == predicted.sentences()


def test_what_is_not_well_is_started_anew(warm: Host) -> None:
    before = identifier(warm, "shop-blue")
    warm.engine.containers[before]["State"].update(Status="exited", Running=False, ExitCode=1)
    warm.go_back(1)
    assert identifier(warm, "shop-blue") != before
    assert warm.served() == "web:1"


def test_the_next_release_takes_its_place(warm: Host) -> None:
    outcome = warm.deploy("3")
    assert "stop release 1 in blue, which was kept running: its place is needed" in outcome.plan.sentences()
    assert services(warm) == {"shop": ["db"], "shop-blue": ["jobs", "web"], "shop-green": ["web"]}
    assert (warm.serving, warm.record.warm, warm.record.warm_release) == ("blue", "green", 2)


def test_an_image_that_cannot_be_pulled_costs_it_nothing(warm: Host) -> None:
    before = identifier(warm, "shop-blue")
    with pytest.raises(Exception, match="Image web:99 cannot be pulled"):
        warm.deploy("99")
    assert (identifier(warm, "shop-blue"), warm.record.warm) == (before, "blue")


def test_a_release_that_fails_in_its_place_leaves_nothing_warm(warm: Host) -> None:
    warm.engine.never_healthy.add("web:3")
    warm.fail("3")
    assert (warm.served(), warm.record.warm) == ("web:2", "")
    assert services(warm) == {"shop": ["db"], "shop-green": ["jobs", "web"]}
    assert not warm.deploy("2").plan.changes


def test_going_back_that_fails_leaves_the_new_one_serving(warm: Host) -> None:
    warm.answers = lambda image: "it answers / with status 500" if image == "web:1" else ""
    with pytest.raises(Exception, match="status 500"):
        warm.go_back(1)
    assert (warm.served(), warm.record.release, warm.record.warm) == ("web:2", 2, "")
    assert services(warm) == {"shop": ["db"], "shop-green": ["jobs", "web"]}
    warm.answers = lambda image: ""
    assert not warm.deploy("2").plan.changes


def test_turned_off_it_ends_with_the_next_run(warm: Host) -> None:
    outcome = warm.deploy(rollout=RolloutPolicy("blue_green", watch=2, drain=10, keep=3))
    assert outcome.plan.sentences() == ["stop release 1 in blue, which was kept running: rollout.warm is off"]
    assert services(warm) == {"shop": ["db"], "shop-green": ["jobs", "web"]}
    assert (warm.record.release, warm.record.warm) == (2, "")


def test_a_connection_that_stays_open_has_its_service_restarted(host: Host) -> None:
    host.options.update(rollout=WARM)
    host.deploy("1")
    host.under_way = [1] * 1000
    host.deploy("2")
    assert host.engine.count("restart", "web-blue") == 1
    assert (host.record.warm, host.engine.count("down")) == ("blue", 0)


def test_status_stop_and_restart_are_about_what_serves(warm: Host) -> None:
    operations = warm.operations()
    (web,) = [entry for entry in operations.status([]).services if entry["name"] == "web"]
    assert (web["image"], web["containers"]) == ("web:2", ["shop-green-web-green-1"])
    restarted = operations.restart(["web"], HealthPolicy(), 40, check=False)
    assert restarted.plan == ("restart shop-green-web-green-1",)
    stopped = operations.stop([], check=False)
    assert "stop and remove shop-blue-web-blue-1, which was kept running to go back to" in stopped.plan
    assert services(warm) == {"shop": ["db"], "shop-green": ["jobs", "web"]}
    assert (warm.record.stopped, warm.record.warm) == (True, "")
    assert operations.stop([], check=False).plan == ()
    warm.deploy()
    warm.clock.sleep(2)
    assert warm.served() == "web:2"
    assert not warm.deploy().plan.changes


def test_removing_the_stack_removes_it_too(warm: Host) -> None:
    warm.operations().remove(check=False)
    assert (services(warm), warm.serving) == ({}, "blue")


def settle(host: Host) -> None:
    """Whatever happened: one release serves, and a run of it leaves a clean host."""
    host.served()
    host.deploy()
    assert host.served() == f"web:{host.version}"
    assert host.record.colour == host.serving
    assert active.weights("shop", str(host.root / "active")) == {}
    rest = "shop-blue" if host.serving == "green" else "shop-green"
    expected: dict[str, Any] = {"shop": ["db"], f"shop-{host.serving}": ["jobs", "web"]}
    assert services(host) == expected | ({rest: ["web"]} if host.record.warm else {})
    assert set(host.history().values()) <= CLEAN
    assert not host.deploy().plan.changes


def test_a_release_beside_a_warm_one_may_die_at_any_point(warm: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    count = 0
    for _ in deaths(warm, monkeypatch, lambda: warm.deploy("3")):
        count += 1
        settle(warm)
        warm.deploy("1")
        warm.deploy("2")
        assert {warm.record.warm, warm.serving} == {"blue", "green"}
    assert count > 25


def test_going_back_to_a_warm_release_may_die_at_any_point(warm: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    count = 0
    for _ in deaths(warm, monkeypatch, lambda: warm.deploy("1")):
        count += 1
        warm.served()
        for version in ("2", "1"):
            warm.version = version
            settle(warm)
        warm.deploy("1")
        warm.deploy("2")
        assert warm.record.warm
    assert count > 15


def test_retiring_into_warmth_may_die_at_any_point_and_be_declared_anew(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    host.options.update(compose=WITH_JOBS, overlapping=("web", "jobs"), rollout=WARM)
    host.deploy("1")
    for _ in deaths(host, monkeypatch, lambda: host.deploy("2")):
        host.version = "1"
        settle(host)
        host.deploy("3")
        host.deploy("1")
