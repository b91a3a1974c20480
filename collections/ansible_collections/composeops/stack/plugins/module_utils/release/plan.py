# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Decides what a deployment does, from what is asked and what is there; pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from ansible_collections.composeops.stack.plugins.module_utils.release.containers import Container, by_service
from ansible_collections.composeops.stack.plugins.module_utils.release.health import Wanted
from ansible_collections.composeops.stack.plugins.module_utils.release.model import Service

Action = Literal["create", "recreate", "start", "scale", "restart", "keep"]
StepKind = Literal["write", "remove", "wait", "start", "restart"]


@dataclass(frozen=True)
class ServicePlan:
    """What happens to one service."""

    name: str
    action: Action
    reason: str = ""

    def sentence(self) -> str:
        return f"{self.action} {self.name}" + (f": {self.reason}" if self.reason else "")


@dataclass(frozen=True)
class Step:
    """One step of a deployment: a run may die between any two, and the next one goes on from there."""

    kind: StepKind
    subjects: tuple[str, ...] = ()
    conditions: Mapping[str, Wanted] | None = None


@dataclass(frozen=True)
class Plan:
    """What a deployment does."""

    services: tuple[ServicePlan, ...]
    waves: tuple[tuple[str, ...], ...]
    """Services to start together, in this order; between two waves, the next one's conditions are waited for."""
    waits: tuple[Mapping[str, Wanted], ...]
    """For each wave, what it waits for."""
    removals: tuple[str, ...] = ()
    """Services that have containers and are no longer declared."""
    pulls: tuple[str, ...] = ()
    """Images that this host does not have."""
    refreshes: tuple[str, ...] = ()
    """Images that are pulled to see whether their tag moved; by itself that changes nothing."""
    writes: tuple[str, ...] = ()
    """Files to write or remove, relative to the project's directory."""
    moved: tuple[str, ...] = ()
    """Removals that are declared still, and run elsewhere from now on."""

    @property
    def actions(self) -> tuple[ServicePlan, ...]:
        return tuple(service for service in self.services if service.action != "keep")

    @property
    def changes(self) -> bool:
        return bool(self.actions or self.removals or self.pulls or self.writes)

    def steps(self) -> list[Step]:
        """Return the steps between pulling the images and recording the deployment, in their order."""
        steps = []
        if self.writes:
            steps.append(Step("write", self.writes))
        if self.removals:
            steps.append(Step("remove", self.removals))
        for wave, conditions in zip(self.waves, self.waits, strict=True):
            if conditions:
                steps.append(Step("wait", tuple(conditions), conditions))
            restarts = tuple(name for name in wave if self._action(name) == "restart")
            starts = tuple(name for name in wave if name not in restarts)
            steps += [Step("start", starts)] if starts else []
            steps += [Step("restart", restarts)] if restarts else []
        names = [service.name for service in self.services]
        steps.append(Step("wait", tuple(names), dict.fromkeys(names, "ready")))
        return steps

    def _action(self, name: str) -> Action:
        return next(service.action for service in self.services if service.name == name)

    def deeds(self) -> list[str]:
        """Return what is done after the images were pulled, for a person."""
        said = [f"write {path}" for path in self.writes]
        said += [self._removal(service) for service in self.removals]
        said += [service.sentence() for wave in self.waves for service in self.services if service.name in wave]
        return said

    def _removal(self, service: str) -> str:
        if service in self.moved:
            return f"stop {service}: it moves into a colour, and requests to it fail until it runs there"
        return f"remove {service}: the compose file no longer declares it"


def make_plan(
    services: Sequence[Service],
    containers: Sequence[Container],
    *,
    images: Mapping[str, str],
    always_pull: bool = False,
    writes: Sequence[str] = (),
    written_at: Mapping[str, float] | None = None,
    was_stopped: bool = False,
    moved: Sequence[str] = (),
) -> Plan:
    """Return what to do.

    ``images`` maps the references that this host has to their image ids; ``written_at`` says when the files that
    stay as they are were written, in seconds since the epoch. ``was_stopped`` says that an operator stopped
    the stack, so that containers which ended well are started again too.
    """
    existing = by_service(containers)
    planned = {
        service.name: _plan_service(service, existing.get(service.name, []), images, was_stopped)
        for service in services
    }
    _reread(services, existing, planned, {**(written_at or {}), **dict.fromkeys(writes, math.inf)})
    _follow(services, planned)
    actions = [service for service in services if planned[service.name].action != "keep"]
    waves = _waves(services, {service.name for service in actions})
    wanted_images = sorted({service.image for service in services})
    return Plan(
        services=tuple(planned[service.name] for service in services),
        waves=waves,
        waits=_waits(services, waves),
        removals=tuple(sorted(set(existing) - {service.name for service in services})),
        pulls=tuple(image for image in wanted_images if image not in images),
        refreshes=tuple(image for image in wanted_images if always_pull and image in images),
        writes=tuple(writes),
        moved=tuple(moved),
    )


def _plan_service(
    service: Service, containers: Sequence[Container], images: Mapping[str, str], was_stopped: bool
) -> ServicePlan:
    if not containers:
        return ServicePlan(service.name, "create" if service.replicas else "keep")
    reason = _why_recreate(service, containers, images)
    if reason:
        return ServicePlan(service.name, "recreate", reason)
    if len(containers) != service.replicas:
        return ServicePlan(service.name, "scale", f"{len(containers)} of {service.replicas} containers exist")
    for container in containers:
        finished = container.status == "exited" and container.exit_code == 0 and service.may_finish and not was_stopped
        if container.status in ("created", "exited", "dead") and not finished:
            return ServicePlan(service.name, "start", f"{container.name} is {container.status}")
    return ServicePlan(service.name, "keep")


def _why_recreate(service: Service, containers: Sequence[Container], images: Mapping[str, str]) -> str:
    for container in containers:
        if container.image != service.image:
            return f"image {container.image} becomes {service.image}"
        if container.revision != service.revision:
            return "its definition, a file it mounts or a secret it uses changed"
        if service.image in images and container.image_id != images[service.image]:
            return f"another image has become {service.image}"
    return ""


def _reread(
    services: Sequence[Service],
    existing: Mapping[str, Sequence[Container]],
    planned: dict[str, ServicePlan],
    written_at: Mapping[str, float],
) -> None:
    """Restart what would stay, and mounts a file that is younger than its container: it may hold another one open."""
    for service in services:
        started_at = min((found.started_at for found in existing.get(service.name, [])), default=math.inf)
        for path, written in sorted(written_at.items()):
            mounted = any(mount in (".", path) or path.startswith(f"{mount}/") for mount in service.mounts)
            if mounted and written > started_at and planned[service.name].action == "keep":
                planned[service.name] = ServicePlan(service.name, "restart", f"{path} was changed on the host")


def _follow(services: Sequence[Service], planned: dict[str, ServicePlan]) -> None:
    """Recreate, as often as needed, what shares namespaces with something recreated: it would keep the old ones.

    Restart what says so of itself, when something that it depends on is replaced.
    """
    replaced = {"create", "recreate"}
    pending = True
    while pending:
        pending = False
        for service in services:
            leaders = [name for name in service.shares_with if name in planned and planned[name].action in replaced]
            if leaders and planned[service.name].action not in replaced:
                planned[service.name] = ServicePlan(service.name, "recreate", f"it shares with {leaders[0]}")
                pending = True
    for service in services:
        replaced_before = [
            name for name in service.restarts_with if name in planned and planned[name].action == "recreate"
        ]
        if replaced_before and planned[service.name].action == "keep":
            reason = f"{replaced_before[0]} is replaced, and its depends_on says restart"
            planned[service.name] = ServicePlan(service.name, "restart", reason)


def _waves(services: Sequence[Service], acting: set[str]) -> tuple[tuple[str, ...], ...]:
    """Group the acting services so that each is in a later wave than those it waits for."""
    by_name = {service.name: service for service in services}
    levels: dict[str, int] = {}

    def level(name: str) -> int:
        if name not in levels:
            levels[name] = 0  # compose refuses circles; this ends the recursion whatever happens
            service = by_name[name]
            others = [(other, condition != "service_started") for other, condition in service.waits_for.items()]
            others += [(other, False) for other in service.shares_with]
            levels[name] = max((level(other) + waits for other, waits in others if other in by_name), default=0)
        return levels[name]

    grouped: dict[int, list[str]] = {}
    for name in sorted(acting):
        grouped.setdefault(level(name), []).append(name)
    return tuple(tuple(grouped[key]) for key in sorted(grouped))


def _waits(services: Sequence[Service], waves: Sequence[Sequence[str]]) -> tuple[dict[str, Wanted], ...]:
    """Return for each wave which services must have come how far before it starts."""
    by_name = {service.name: service for service in services}
    result = []
    for wave in waves:
        conditions: dict[str, Wanted] = {}
        for name in wave:
            for other, condition in by_name[name].waits_for.items():
                if condition != "service_started" and other in by_name:
                    conditions[other] = condition
        result.append(conditions)
    return tuple(result)
