# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.release.colour_plan import (
    ColourPlan,
    Colours,
    DeploymentPlan,
    plan_colours,
)
from ansible_collections.composeops.stack.plugins.module_utils.release.colours import other
from ansible_collections.composeops.stack.plugins.module_utils.release.containers import Container
from ansible_collections.composeops.stack.plugins.module_utils.release.model import (
    CanaryPolicy,
    Migration,
    RolloutPolicy,
    Service,
)
from ansible_collections.composeops.stack.plugins.module_utils.release.plan import Plan, make_plan
from ansible_collections.composeops.stack.plugins.module_utils.release.warm import KeptWarm

WEB = Service("web", "shop/web:1", "r1", restarts=True, waits_for={"api": "service_started"})
API = Service("api", "shop/api:1", "r1", restarts=True, checked=True)
STACK = (WEB, API)
IMAGES = {"shop/web:1": "sha256:w1", "shop/api:1": "sha256:a1", "shop/web:2": "sha256:w2"}


def container(service: Service, colour: str, **changes: Any) -> Container:
    found = Container(
        identifier=f"{service.name}-{colour}",
        name=f"shop-{colour}-{service.name}-{colour}-1",
        service=service.name,
        number=1,
        status="running",
        health="healthy",
        image=service.image,
        image_id=IMAGES[service.image],
        revision=service.revision,
        project=f"shop-{colour}",
    )
    return replace(found, **changes)


def there(active: str = "blue", serving: str = "", **containers: list[Container]) -> Colours:
    running = {active: [container(WEB, active), container(API, active)]} if active else {}
    return Colours(active, serving or active or "blue", STACK if active else (), {**running, **containers})


def plan(services: tuple[Service, ...] = STACK, found: Colours | None = None, **options: Any) -> ColourPlan:
    defaults: dict[str, Any] = {
        "images": IMAGES,
        "always_pull": False,
        "writes": (),
        "written_at": {},
        "was_stopped": False,
        "policy": RolloutPolicy(drain=20),
    }
    return plan_colours(services, found or there(), **{**defaults, **options})


def test_the_first_release_goes_to_blue_and_nothing_is_retired() -> None:
    first = plan(found=there(active=""))
    assert (first.colour, first.roll, first.retires) == ("blue", True, "")
    assert first.sentences() == [
        "start web in blue",
        "start api in blue",
        "switch to blue when all of it is healthy and its routes answer",
    ]


def test_nothing_happens_where_everything_is_as_declared() -> None:
    found = plan()
    assert (found.roll, found.changes, found.sentences()) == (False, False, [])


@pytest.mark.parametrize(("active", "next_one"), [("blue", "green"), ("green", "blue")])
def test_a_release_goes_to_the_other_colour_with_every_service(active: str, next_one: str) -> None:
    found = plan((replace(WEB, image="shop/web:2", revision="r2"), API), there(active))
    assert (found.colour, found.before, found.roll, found.retires) == (next_one, active, True, active)
    assert {entry.name: entry.action for entry in found.services.actions} == {"api": "create", "web": "create"}
    assert found.sentences() == [
        f"start web (image shop/web:1 becomes shop/web:2) in {next_one}",
        f"start api in {next_one}",
        f"switch to {next_one} when all of it is healthy and its routes answer",
        f"drain {active} for up to 20 s, then stop it",
    ]


ROLLS: dict[str, tuple[tuple[Service, ...], dict[str, str]]] = {
    "a configuration alone": ((WEB, replace(API, revision="r2")), IMAGES),
    "more replicas": ((WEB, replace(API, replicas=2)), IMAGES),
    "a new service": ((WEB, API, Service("jobs", "shop/api:1", "r1")), IMAGES),
    "a service less": ((API,), IMAGES),
    "another image under the tag": (STACK, {**IMAGES, "shop/api:1": "sha256:moved"}),
}


@pytest.mark.parametrize(("services", "images"), ROLLS.values(), ids=ROLLS.keys())
def test_everything_that_makes_other_containers_is_a_release(
    services: tuple[Service, ...], images: dict[str, str]
) -> None:
    assert plan(services, images=images).roll


def test_what_ended_is_started_where_it_was() -> None:
    ended = container(API, "green", status="exited", exit_code=137)
    found = plan(found=there("green", green=[container(WEB, "green"), ended]))
    assert not found.roll
    assert found.sentences() == ["green: start api: shop-green-api-green-1 is exited"]


def test_what_an_interrupted_run_left_is_removed_first() -> None:
    found = plan(found=there("blue", green=[container(WEB, "green")]))
    assert (found.roll, found.leftovers, found.changes) == (False, ("green",), True)
    assert found.sentences() == ["drain and stop what an earlier run left in green"]


def test_a_switch_that_was_never_recorded_is_undone() -> None:
    found = plan(found=there("blue", serving="green", green=[container(WEB, "green")]))
    assert found.switch_back
    assert found.sentences()[0] == "switch back to blue: an earlier run ended before it committed"


def test_a_stack_that_leaves_its_colours_retires_the_last_one() -> None:
    found = plan(())
    assert (found.colour, found.retires, found.roll) == ("", "blue", False)


def test_a_migration_is_run_with_a_release_only() -> None:
    migration = Migration("api", ("migrate",))
    assert plan(migration=migration).migration == ""
    moving = plan((replace(WEB, revision="r2"), API), migration=migration)
    assert moving.sentences()[0] == "run once before: api: migrate"


EMPTY = make_plan((), (), images={})


def test_a_killed_run_that_had_finished_everything_but_the_record() -> None:
    assert DeploymentPlan(EMPTY, record=True).sentences() == [
        "record the deployment: an earlier run ended before it did"
    ]


def test_notes_come_with_changes_only() -> None:
    assert DeploymentPlan(EMPTY, notes=("db publishes 5432",)).sentences() == []
    assert DeploymentPlan(EMPTY, record=True, notes=("db publishes 5432",)).sentences()[-1] == "db publishes 5432"


def test_an_image_of_both_projects_is_pulled_once() -> None:
    base: Plan = make_plan([replace(API, name="worker")], [], images={})
    both = DeploymentPlan(base, plan(found=there(active=""), images={}))
    assert both.pulls == ("shop/api:1", "shop/web:1")
    assert both.sentences()[:2] == ["pull shop/api:1", "pull shop/web:1"]


@dataclass(frozen=True)
class Case:
    """A host and a wish: whatever was deployed, interrupted, kept or asked for."""

    active: str
    policy: RolloutPolicy
    switched: bool
    elsewhere: bool
    """Containers are in the other colour."""
    kept: bool
    """They are those of the release before, kept warm."""
    weighted: bool
    changed: bool
    back: bool
    stopped: bool

    def plan(self) -> ColourPlan:
        elsewhere = other(self.active)
        before = tuple(replace(service, revision="r0") for service in STACK)
        found = Colours(
            self.active,
            elsewhere if self.switched else self.active or "blue",
            STACK if self.active else (),
            {
                **({self.active: [container(service, self.active) for service in STACK]} if self.active else {}),
                **({elsewhere: [container(service, elsewhere) for service in before]} if self.elsewhere else {}),
            },
            {elsewhere: 5} if self.weighted else {},
            KeptWarm(elsewhere, 6, before, (), {}) if self.kept and self.active else KeptWarm(),
        )
        wanted = before if self.back else tuple(replace(service, revision="r2") for service in STACK)
        return plan(
            wanted if self.changed else STACK,
            found,
            routed={"web"},
            going_back=self.back,
            was_stopped=self.stopped,
            policy=self.policy,
        )


FLAGS = (False, True)
CANARY = CanaryPolicy((5, 50))
POLICIES = [RolloutPolicy("blue_green", warm=warm, canary=CANARY) for warm in FLAGS]
ALL = [
    Case(active, policy, *flags)
    for active in ("", "blue", "green")
    for flags in product(FLAGS, repeat=7)
    for policy in POLICIES
]


@pytest.mark.parametrize("active", ["", "blue", "green"], ids=["first", "blue", "green"])
def test_whatever_is_there_the_plan_is_sound(active: str) -> None:
    for case in (case for case in ALL if case.active == active):
        found = case.plan()
        idle = other(active)
        assert found.roll == (not active or case.changed), case
        assert found.colour == (idle if found.roll else active), case
        # Nothing is left where a release starts, unless it is that release.
        there = case.elsewhere and not found.warm.revives
        gone = idle in found.leftovers or (found.warm.colour == idle and bool(found.warm.stops))
        assert not (found.roll and there) or gone, case
        # What serves, or is to serve, is never taken for a leftover, and what is kept never both stays and goes.
        assert active not in found.leftovers, case
        assert not (idle in found.leftovers and found.warm.colour), case
        assert not (found.warm.stops and (found.warm.revives or found.warm.remains)), case
        assert found.switch_back == (bool(active) and case.switched), case
        assert bool(found.canary) == (
            found.roll and bool(active) and not case.back and not case.stopped and not found.warm.revives
        ), case
        assert not found.warm.stays or (case.policy.warm and found.roll and bool(active) and not case.back), case
        assert bool(found.sentences()) == found.changes, case
        unchanged = not (case.changed or case.switched or case.weighted or case.stopped)
        kept = case.kept and case.policy.warm
        assert not (active and unchanged and (kept or not case.elsewhere) and found.changes), case


def test_a_rollback_finds_what_is_kept_warm_whatever_else_is_there() -> None:
    for case in ALL:
        if case.active and case.kept and case.elsewhere and case.changed and case.back:
            assert case.plan().warm.revives, case
