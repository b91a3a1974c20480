# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.release.colour_plan import (
    ColourPlan,
    Colours,
    plan_colours,
    warm_after,
)
from ansible_collections.composeops.stack.plugins.module_utils.release.containers import Container
from ansible_collections.composeops.stack.plugins.module_utils.release.model import (
    CanaryPolicy,
    Migration,
    RolloutPolicy,
    Service,
)
from ansible_collections.composeops.stack.plugins.module_utils.release.state import StackState
from ansible_collections.composeops.stack.plugins.module_utils.release.warm import KeptWarm, listed, stays

WEB = Service("web", "shop/web:2", "r2", restarts=True, waits_for={"api": "service_started"})
API = Service("api", "shop/api:2", "r2", restarts=True, checked=True)
JOBS = Service("jobs", "shop/api:2", "r2", restarts=True)
NEW = (WEB, API, JOBS)
OLD = tuple(replace(service, image=service.image.replace(":2", ":1"), revision="r1") for service in NEW)
IMAGES = {f"shop/{name}:{version}": f"sha256:{name}{version}" for name in ("web", "api") for version in (1, 2)}
RECORD = StackState("shop", "shop", "r", "t", release=7, colour="green", warm="blue", warm_release=6)


def container(service: Service, colour: str, **changes: Any) -> Container:
    found = Container(
        identifier=f"{service.name}-{colour}",
        name=f"shop-{colour}-{service.name}-{colour}-1",
        service=service.name,
        number=1,
        status="running",
        health="healthy" if service.checked else "",
        image=service.image,
        image_id=IMAGES[service.image],
        revision=service.revision,
        project=f"shop-{colour}",
    )
    return replace(found, **changes)


WARM = [container(OLD[0], "blue"), container(OLD[1], "blue")]
"""The release before, kept running in blue without its worker."""


def plan(
    services: tuple[Service, ...] = NEW,
    *,
    blue: list[Container] | None = None,
    writes: tuple[str, ...] | None = (),
    kept: bool = True,
    policy: RolloutPolicy | None = None,
    **options: Any,
) -> ColourPlan:
    """Plan where the new release serves from green."""
    there = Colours(
        "green",
        "green",
        NEW,
        {"green": [container(service, "green") for service in NEW], "blue": WARM if blue is None else blue},
        kept=KeptWarm("blue", 6, OLD, writes, {}) if kept else KeptWarm(),
    )
    defaults: dict[str, Any] = {
        "images": IMAGES,
        "always_pull": False,
        "writes": (),
        "written_at": {},
        "was_stopped": False,
        "routed": {"web"},
    }
    policy = policy or RolloutPolicy("blue_green", warm=True, drain=20)
    return plan_colours(services, there, **{**defaults, **options}, policy=policy)


def test_what_is_kept_warm_is_no_leftover_and_no_change() -> None:
    found = plan()
    assert (found.leftovers, found.changes, found.sentences()) == ((), False, [])
    assert warm_after(found, RECORD) == ("blue", 6)


def test_the_release_before_is_taken_up_again_as_it_is() -> None:
    found = plan(OLD)
    assert (found.colour, found.roll, found.warm.revives) == ("blue", True, True)
    assert {entry.name: entry.action for entry in found.services.services} == {
        "web": "keep",
        "api": "keep",
        "jobs": "create",
    }
    assert found.sentences() == [
        "start jobs in blue",
        "switch back to release 6 in blue, which is still running, when its routes answer",
        "drain green for up to 20 s, then keep api and web running there, reached by nobody, and stop jobs",
    ]
    assert warm_after(found, RECORD) == ("green", 7)


def test_a_rollback_keeps_nothing_of_what_it_withdraws() -> None:
    found = plan(OLD, going_back=True)
    assert found.warm.revives
    assert found.sentences()[-1] == "drain green for up to 20 s, then stop it"
    assert warm_after(found, RECORD) == ("", 0)


def test_neither_canary_nor_migration_before_what_ran_already() -> None:
    policy = RolloutPolicy("blue_green", warm=True, canary=CanaryPolicy((5, 50)))
    migration = Migration("api", ("migrate",), backup=("database",))
    found = plan(OLD, policy=policy, migration=migration)
    assert (found.canary, found.migration, found.backup) == ((), "", ())


UNFIT: dict[str, dict[str, Any]] = {
    "other files": {"writes": ("environment",)},
    "files that were not looked at": {"writes": None},
    "another image under the tag": {"images": {**IMAGES, "shop/web:1": "sha256:moved"}},
    "an image that is gone": {"images": {name: found for name, found in IMAGES.items() if name != "shop/web:1"}},
    "a container that ended": {"blue": [replace(WARM[0], status="exited"), WARM[1]]},
    "a container that is not healthy": {"blue": [WARM[0], replace(WARM[1], health="unhealthy")]},
    "a container that is gone": {"blue": [WARM[0]]},
    "another definition": {"blue": [WARM[0], replace(WARM[1], revision="r0")]},
    "a service more": {"blue": [*WARM, replace(WARM[0], service="old")]},
}


@pytest.mark.parametrize("there", UNFIT.values(), ids=UNFIT.keys())
def test_what_is_not_exactly_that_release_and_well_is_started_anew(there: dict[str, Any]) -> None:
    found = plan(OLD, **there)
    assert not found.warm.revives
    assert {entry.action for entry in found.services.services} == {"create"}
    assert found.sentences()[0] == "stop release 6 in blue, which was kept running: its place is needed"


def test_the_next_release_needs_its_place() -> None:
    newer = tuple(replace(service, revision="r3") for service in NEW)
    found = plan(newer)
    assert (found.colour, found.warm.stops, found.leftovers) == ("blue", "its place is needed", ())
    assert warm_after(found, RECORD) == ("green", 7)


def test_turned_off_it_is_stopped_which_is_a_change() -> None:
    found = plan(policy=RolloutPolicy("blue_green"))
    assert found.changes
    assert found.sentences() == ["stop release 6 in blue, which was kept running: rollout.warm is off"]
    assert warm_after(found, RECORD) == ("", 0)


def test_without_services_in_colours_it_is_stopped() -> None:
    found = plan(())
    assert found.sentences()[0].endswith("which was kept running: no service runs in a colour any more")


def test_what_an_interrupted_run_left_running_beside_it_is_stopped() -> None:
    found = plan(blue=[*WARM, container(OLD[2], "blue")])
    assert found.changes
    assert found.sentences() == ["stop jobs in blue: an earlier run ended before it did"]
    assert warm_after(found, RECORD) == ("blue", 6)


def test_what_is_recorded_and_not_there_is_nothing() -> None:
    found = plan(blue=[])
    assert not found.changes
    assert warm_after(found, RECORD) == ("", 0)


def test_containers_that_nobody_recorded_as_warm_are_leftovers() -> None:
    assert plan(kept=False).leftovers == ("blue",)


KEEPS: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "warm": ({}, ("api", "web")),
    "not asked for": ({"policy": RolloutPolicy("blue_green")}, ()),
    "nothing of it is routed": ({"routed": set()}, ()),
    "the stack was stopped": ({"was_stopped": True}, ()),
}


@pytest.mark.parametrize(("options", "stays_up"), KEEPS.values(), ids=KEEPS.keys())
def test_what_stays_up_of_the_colour_that_retires(options: dict[str, Any], stays_up: tuple[str, ...]) -> None:
    newer = tuple(replace(service, revision="r3") for service in NEW)
    assert plan(newer, kept=False, blue=[], **options).warm.stays == stays_up


NEEDS: dict[str, tuple[tuple[Service, ...], set[str]]] = {
    "routed services and what they wait for": (NEW, {"web", "api"}),
    "what shares its namespace": ((replace(WEB, waits_for={}, shares_with=("jobs",)), JOBS), {"web", "jobs"}),
    "what waits for a service of the base": ((replace(WEB, waits_for={"db": "service_healthy"}),), {"web"}),
    "circles": ((replace(API, waits_for={"web": "service_started"}), WEB), {"web", "api"}),
    "no routed service": ((API, JOBS), set()),
}


@pytest.mark.parametrize(("services", "staying"), NEEDS.values(), ids=NEEDS.keys())
def test_what_stays(services: tuple[Service, ...], staying: set[str]) -> None:
    assert stays(services, {"web"}) == staying


@pytest.mark.parametrize(
    ("words", "said"), [(["a"], "a"), (["a", "b"], "a and b"), (["a", "b", "c"], "a, b and c")], ids=["1", "2", "3"]
)
def test_words_are_listed(words: list[str], said: str) -> None:
    assert listed(words) == said
