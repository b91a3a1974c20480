# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.release.containers import Container
from ansible_collections.composeops.stack.plugins.module_utils.release.model import Service
from ansible_collections.composeops.stack.plugins.module_utils.release.plan import Plan, make_plan

DB = Service("db", "postgres:15", "r1", checked=True, restarts=True)
CACHE = Service("cache", "redis:7", "r1", checked=True, restarts=True)
API = Service(
    "api",
    "shop/api:1",
    "r1",
    checked=True,
    restarts=True,
    waits_for={"db": "service_healthy", "cache": "service_started"},
)
WEB = Service("web", "shop/web:1", "r1", restarts=True, waits_for={"api": "service_started"})
STACK = [DB, CACHE, API, WEB]
IMAGES = {
    "postgres:15": "sha256:p",
    "redis:7": "sha256:r",
    "shop/api:1": "sha256:a",
    "shop/web:1": "sha256:w",
    "shop/web:2": "sha256:v",
}


def container(service: Service, **changes: Any) -> Container:
    found = Container(
        identifier=f"id-{service.name}",
        name=f"shop-{service.name}-1",
        service=service.name,
        number=1,
        status="running",
        health="healthy" if service.checked else "",
        image=service.image,
        image_id=IMAGES.get(service.image, ""),
        revision=service.revision,
    )
    return replace(found, **changes)


RUNNING = [container(service) for service in STACK]


def plan(services: list[Service] | None = None, containers: list[Container] | None = None, **options: Any) -> Plan:
    return make_plan(
        STACK if services is None else services,
        RUNNING if containers is None else containers,
        **{"images": IMAGES, **options},
    )


def test_nothing_changes_where_everything_is_as_declared() -> None:
    found = plan()
    assert not found.changes
    assert found.deeds() == []
    assert [step.kind for step in found.steps()] == ["wait"]


def test_pet_05_a_first_deployment_waits_for_what_must_be_healthy() -> None:
    found = plan(containers=[], writes=["compose.json"])
    assert found.waves == (("cache", "db"), ("api", "web"))
    assert [(step.kind, step.subjects) for step in found.steps()] == [
        ("write", ("compose.json",)),
        ("start", ("cache", "db")),
        ("wait", ("db",)),
        ("start", ("api", "web")),
        ("wait", ("db", "cache", "api", "web")),
    ]


def test_the_first_conditions_are_waited_for_also_when_only_the_dependent_changes() -> None:
    found = plan(services=[DB, CACHE, replace(API, revision="r2"), WEB])
    assert found.waves == (("api",),)
    assert found.waits == ({"db": "service_healthy"},)


def test_a_job_ends_before_what_waits_for_it_starts() -> None:
    job = Service("migrate", "shop/api:1", "r1", waits_for={"db": "service_healthy"})
    api = replace(API, waits_for={"migrate": "service_completed_successfully"})
    found = plan(services=[DB, CACHE, job, api, WEB], containers=[])
    assert found.waves == (("cache", "db"), ("migrate",), ("api", "web"))
    assert found.waits[2] == {"migrate": "service_completed_successfully"}


def only(service: Service, **changes: Any) -> list[Container]:
    return [found for found in RUNNING if found.service != service.name] + [container(service, **changes)]


ACTIONS: dict[str, tuple[list[Service], list[Container], str]] = {
    "a service without a container": (STACK, [found for found in RUNNING if found.service != "web"], "create web"),
    "another image": (
        [DB, CACHE, API, replace(WEB, image="shop/web:2", revision="r2")],
        RUNNING,
        "recreate web: image shop/web:1 becomes shop/web:2",
    ),
    "another definition": (
        [DB, CACHE, API, replace(WEB, revision="r2")],
        RUNNING,
        "recreate web: its definition, a file it mounts or a secret it uses changed",
    ),
    "another image under the same tag": (
        STACK,
        only(WEB, image_id="sha256:older"),
        "recreate web: another image has become shop/web:1",
    ),
    "a container that ended": (STACK, only(DB, status="exited", exit_code=0), "start db: shop-db-1 is exited"),
    "a container that was killed": (
        STACK,
        only(WEB, status="exited", exit_code=137),
        "start web: shop-web-1 is exited",
    ),
    "a container that never started": (STACK, only(WEB, status="created"), "start web: shop-web-1 is created"),
    "fewer containers than replicas": (
        [DB, CACHE, API, replace(WEB, replicas=2)],
        RUNNING,
        "scale web: 1 of 2 containers exist",
    ),
    "more containers than replicas": (
        STACK,
        [*RUNNING, container(WEB, number=2)],
        "scale web: 2 of 1 containers exist",
    ),
    "a service that is no longer declared": (
        [DB, CACHE, API],
        RUNNING,
        "remove web: the compose file no longer declares it",
    ),
}


@pytest.mark.parametrize(("services", "containers", "sentence"), ACTIONS.values(), ids=ACTIONS.keys())
def test_plans_one_thing(services: list[Service], containers: list[Container], sentence: str) -> None:
    found = plan(services, containers)
    assert found.deeds() == [sentence]
    assert found.changes


def test_what_restarts_or_runs_unhealthy_is_left_to_the_gate() -> None:
    assert not plan(containers=only(WEB, status="restarting")).changes
    assert not plan(containers=only(DB, health="unhealthy")).changes


def test_a_finished_job_is_not_started_again() -> None:
    job = Service("migrate", "shop/api:1", "r1")
    done = container(job, status="exited", exit_code=0)
    assert not plan([*STACK, job], [*RUNNING, done]).changes


def test_a_failed_job_is_started_again() -> None:
    job = Service("migrate", "shop/api:1", "r1")
    failed = container(job, status="exited", exit_code=1)
    assert plan([*STACK, job], [*RUNNING, failed]).deeds() == ["start migrate: shop-migrate-1 is exited"]


def test_what_an_operator_stopped_is_started_although_it_ended_well() -> None:
    plain = Service("worker", "shop/api:1", "r1")
    stopped = container(plain, status="exited", exit_code=0)
    found = plan([plain], [stopped], was_stopped=True)
    assert found.deeds() == ["start worker: shop-worker-1 is exited"]


def test_missing_images_are_pulled_and_named_once() -> None:
    images = {"postgres:15": "sha256:p"}
    twin = replace(WEB, name="web2")
    found = plan([DB, WEB, twin], [], images=images)
    assert found.pulls == ("shop/web:1",)


def test_looking_for_moved_tags_is_no_change() -> None:
    found = plan(always_pull=True)
    assert found.refreshes == ("postgres:15", "redis:7", "shop/api:1", "shop/web:1")
    assert not found.changes


def test_what_shares_a_namespace_is_recreated_with_it() -> None:
    sidecar = Service("sidecar", "shop/web:1", "r1", restarts=True, shares_with=("api",))
    second = Service("second", "shop/web:1", "r1", restarts=True, shares_with=("sidecar",))
    services = [second, sidecar, replace(API, revision="r2"), DB, CACHE]
    containers = [*RUNNING[:3], container(sidecar), container(second)]
    actions = {entry.name: entry.action for entry in plan(services, containers).actions}
    assert actions == {"api": "recreate", "sidecar": "recreate", "second": "recreate"}


def test_a_dependency_that_need_not_be_there_is_not_waited_for() -> None:
    api = replace(API, waits_for={"elsewhere": "service_healthy"})
    found = plan([api], [])
    assert found.waits == ({},)


def test_what_says_so_is_restarted_when_what_it_depends_on_is_replaced() -> None:
    api = replace(API, restarts_with=("db",))
    changed = [replace(DB, revision="r2"), CACHE, api, WEB]
    found = plan(changed)
    assert [action.sentence() for action in found.actions] == [
        "recreate db: its definition, a file it mounts or a secret it uses changed",
        "restart api: db is replaced, and its depends_on says restart",
    ]
    assert found.waves == (("db",), ("api",))
    assert not plan([DB, CACHE, api, WEB]).changes
