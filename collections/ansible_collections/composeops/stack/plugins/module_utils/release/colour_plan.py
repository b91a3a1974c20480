# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Decides what happens to the colours of a stack, beside what happens in its base project; pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from ansible_collections.composeops.stack.plugins.module_utils.release import colours
from ansible_collections.composeops.stack.plugins.module_utils.release.containers import Container
from ansible_collections.composeops.stack.plugins.module_utils.release.model import RolloutPolicy, Service
from ansible_collections.composeops.stack.plugins.module_utils.release.plan import Plan, ServicePlan, make_plan

StepName = Literal[
    "recover", "pull", "base", "migrate", "start", "gate", "switch", "commit", "watch", "drain", "stop", "prune"
]
STEPS: tuple[StepName, ...] = (
    "recover",
    "pull",
    "base",
    "migrate",
    "start",
    "gate",
    "switch",
    "commit",
    "watch",
    "drain",
    "stop",
    "prune",
)
"""The steps of a release in their order. One that dies before `commit` is undone by the next run, else finished."""


@dataclass(frozen=True)
class ColourPlan:
    """What happens to the colours."""

    colour: str
    """Where the routed services run afterwards; empty where none runs in a colour any more."""
    before: str
    """Where they run now; empty before the first deployment."""
    roll: bool
    """Whether a release starts in ``colour`` and takes over."""
    services: Plan
    """What happens in ``colour``."""
    reasons: tuple[ServicePlan, ...] = ()
    """Why the release moves."""
    leftovers: tuple[str, ...] = ()
    """Colours in which an interrupted run left containers."""
    switch_back: bool = False
    """An interrupted run switched and did not get to recording it."""
    migration: str = ""
    """What is run once before the release starts."""
    policy: RolloutPolicy = field(default_factory=RolloutPolicy)

    @property
    def retires(self) -> str:
        """The colour that is stopped once nothing leads there any more."""
        return self.before if self.before != self.colour else ""

    @property
    def changes(self) -> bool:
        return bool(self.roll or self.services.changes or self.leftovers or self.switch_back or self.retires)

    def sentences(self) -> list[str]:
        said = [f"switch back to {self.before}: an earlier run ended before it committed"] if self.switch_back else []
        said += [f"drain and stop what an earlier run left in {colour}" for colour in self.leftovers]
        if not self.roll:
            return said + [f"{self.colour}: {deed}" for deed in self.services.deeds()] + self._retirement()
        said += [f"run once before: {self.migration}"] if self.migration else []
        said += [f"{self._verb(deed)} in {self.colour}" for deed in self.reasons]
        said.append(f"switch to {self.colour} when all of it is healthy and its routes answer")
        return said + self._retirement()

    def _verb(self, deed: ServicePlan) -> str:
        return f"start {deed.name}" + (f" ({deed.reason})" if deed.reason else "")

    def _retirement(self) -> list[str]:
        if not self.retires:
            return []
        return [f"drain {self.retires} for up to {self.policy.drain:g} s, then stop it"]


@dataclass(frozen=True)
class DeploymentPlan:
    """What a deployment does, in the base project and in the colours."""

    base: Plan
    colours: ColourPlan | None = None
    notes: tuple[str, ...] = ()
    record: bool = False

    @property
    def changes(self) -> bool:
        return self.base.changes or self.record or bool(self.colours and self.colours.changes)

    @property
    def actions(self) -> tuple[ServicePlan, ...]:
        return self.base.actions + (self.colours.services.actions if self.colours else ())

    @property
    def pulls(self) -> tuple[str, ...]:
        return self._images(self.base.pulls, self.colours.services.pulls if self.colours else ())

    @property
    def refreshes(self) -> tuple[str, ...]:
        return self._images(self.base.refreshes, self.colours.services.refreshes if self.colours else ())

    def sentences(self) -> list[str]:
        """Return what is done, for a person; nothing where nothing changes."""
        if not self.changes:
            return []
        said = [f"pull {image}" for image in self.pulls] + self.base.deeds()
        said += self.colours.sentences() if self.colours else []
        if self.record and not said:
            said.append("record the deployment: an earlier run ended before it did")
        return [*said, *self.notes]

    @staticmethod
    def _images(first: Sequence[str], second: Sequence[str]) -> tuple[str, ...]:
        return tuple(sorted({*first, *second}))


@dataclass(frozen=True)
class Colours:
    """What is there of the colours of a stack."""

    active: str
    """The colour that the record names; empty before the first release."""
    serving: str
    """The colour that the edge serves."""
    running: Sequence[Service]
    """What the files of the active colour declare."""
    containers: Mapping[str, Sequence[Container]]


def plan_colours(
    services: Sequence[Service],
    there: Colours,
    *,
    images: Mapping[str, str],
    always_pull: bool,
    writes: Sequence[str],
    written_at: Mapping[str, float],
    was_stopped: bool,
    migration: str = "",
    policy: RolloutPolicy,
) -> ColourPlan:
    """Return what to do; ``writes`` and ``written_at`` are about the files of the active colour."""
    active = there.active
    current = there.containers.get(active, ()) if active else ()
    leftovers = tuple(colour for colour in colours.COLOURS if colour != active and there.containers.get(colour))
    switch_back = bool(active) and there.serving != active
    if not services:
        return ColourPlan("", active, False, make_plan((), (), images={}), leftovers=leftovers, switch_back=switch_back)
    rolls = not active or _moved(services, there.running) or _other_image(services, current, images)
    fresh = make_plan(services, () if rolls else current, images=images, always_pull=always_pull) if rolls else None
    in_place = make_plan(
        services,
        current,
        images=images,
        always_pull=always_pull,
        writes=writes,
        written_at=written_at,
        was_stopped=was_stopped,
    )
    return ColourPlan(
        colour=colours.other(active) if rolls else active,
        before=active,
        roll=rolls,
        services=fresh or in_place,
        reasons=_reasons(in_place) if rolls else (),
        leftovers=leftovers,
        switch_back=switch_back,
        migration=migration if rolls else "",
        policy=policy,
    )


def _moved(services: Sequence[Service], running: Sequence[Service]) -> bool:
    return _shape(services) != _shape(running)


def _shape(services: Sequence[Service]) -> dict[str, tuple[str, str, int]]:
    return {service.name: (service.image, service.revision, service.replicas) for service in services}


def _other_image(services: Sequence[Service], containers: Sequence[Container], images: Mapping[str, str]) -> bool:
    wanted = {service.name: images.get(service.image) for service in services}
    return any(wanted.get(found.service, found.image_id) not in (None, found.image_id) for found in containers)


def _reasons(in_place: Plan) -> tuple[ServicePlan, ...]:
    """Return every service of the release, with what changes about it; unchanged ones move along with the others."""
    return tuple(ServicePlan(plan.name, plan.action, plan.reason) for plan in in_place.services)
