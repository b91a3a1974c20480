# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Decides what happens to the colours of a stack, beside what happens in its base project; pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, get_args

from ansible_collections.composeops.stack.plugins.module_utils.release import colours
from ansible_collections.composeops.stack.plugins.module_utils.release.containers import Container
from ansible_collections.composeops.stack.plugins.module_utils.release.model import Migration, RolloutPolicy, Service
from ansible_collections.composeops.stack.plugins.module_utils.release.plan import Plan, ServicePlan, make_plan
from ansible_collections.composeops.stack.plugins.module_utils.release.retention import Forgotten
from ansible_collections.composeops.stack.plugins.module_utils.release.state import StackState
from ansible_collections.composeops.stack.plugins.module_utils.release.warm import (
    KeptWarm,
    Warm,
    keep_on,
    listed,
    revival,
    take_turns,
)

StepName = Literal[
    "recover",
    "pull",
    "backup",
    "base",
    "migrate",
    "start",
    "gate",
    "consumers",
    "canary",
    "switch",
    "commit",
    "watch",
    "drain",
    "websockets",
    "stop",
    "prune",
]
STEPS: tuple[StepName, ...] = get_args(StepName)
"""The steps of a release in their order. One that dies before `commit` is undone by the next run, else finished."""


@dataclass(frozen=True)
class ColourPlan:
    """What happens to the colours."""

    colour: str
    """Where the routed services run afterwards; empty where none runs in a colour any more."""
    before: str
    """Where they run now; empty before the first deployment."""
    roll: bool
    """Whether a release takes over in ``colour``."""
    services: Plan
    """What happens in ``colour``."""
    reasons: tuple[ServicePlan, ...] = ()
    """Why the release moves."""
    leftovers: tuple[str, ...] = ()
    """Colours in which an interrupted run left containers."""
    switch_back: bool = False
    """An interrupted run switched and did not get to recording it."""
    canary_left: tuple[str, ...] = ()
    """Colours that an interrupted run gave a share of the requests."""
    migration: str = ""
    """What is run once before the release starts."""
    backup: tuple[str, ...] = ()
    """What is backed up before that."""
    consumers: tuple[str, ...] = ()
    """Services that end in ``before`` before any request goes to ``colour``."""
    resumes: tuple[str, ...] = ()
    """Those of them that an interrupted run stopped."""
    canary: tuple[int, ...] = ()
    """The shares of the requests that the release gets before it gets all."""
    warm: Warm = field(default_factory=Warm)
    """What happens to the release that was kept running, and to the one that may be kept now."""
    policy: RolloutPolicy = field(default_factory=RolloutPolicy)

    @property
    def retires(self) -> str:
        """The colour that is drained once new requests no longer go there, and stopped unless it is kept."""
        return self.before if self.before != self.colour else ""

    @property
    def changes(self) -> bool:
        moved = self.roll or self.services.changes or self.retires
        return bool(
            moved or self.leftovers or self.switch_back or self.canary_left or self.resumes or self.warm.changes
        )

    def sentences(self) -> list[str]:
        said = [
            f"send no requests to {colour} any more: an earlier run ended during its canary"
            for colour in self.canary_left
        ]
        said += [f"switch back to {self.before}: an earlier run ended before it committed"] if self.switch_back else []
        if self.resumes:
            said.append(f"start {listed(self.resumes)} in {self.before} again: an earlier run ended before it switched")
        said += [f"drain and stop what an earlier run left in {colour}" for colour in self.leftovers]
        said += self.warm.sentences()
        if not self.roll:
            return said + [f"{self.colour}: {deed}" for deed in self.services.deeds()] + self._retirement()
        said += [f"back up {source}" for source in self.backup]
        said += [f"run once before: {self.migration}"] if self.migration else []
        return [*said, *self._takeover(), *self._retirement()]

    def _takeover(self) -> list[str]:
        if self.warm.revives:
            said = [f"start {deed.name} in {self.colour}" for deed in self.services.actions]
            kept = f"release {self.warm.release} in {self.colour}"
            return [*said, *self._consumers(), f"switch back to {kept}, which is still running, when its routes answer"]
        said = [f"{self._verb(deed)} in {self.colour}" for deed in self.reasons]
        said += self._consumers()
        if self.canary:
            shares = listed([f"{share}" for share in self.canary])
            held = f"{self.policy.canary.hold:g} s or longer" + (" each" if len(self.canary) > 1 else "")
            said.append(
                f"give {self.colour} {shares} % of the requests for {held}, and end the release where it does worse"
                f" than {self.before}"
            )
        return [*said, f"switch to {self.colour} when all of it is healthy and its routes answer"]

    def _consumers(self) -> list[str]:
        if not self.consumers:
            return []
        return [f"stop {listed(self.consumers)} in {self.before} before any request goes to {self.colour}"]

    def _verb(self, deed: ServicePlan) -> str:
        return f"start {deed.name}" + (f" ({deed.reason})" if deed.reason else "")

    def _retirement(self) -> list[str]:
        if not self.retires:
            return []
        websockets = f", and WebSockets for {self.policy.websockets:g} s more" if self.policy.websockets else ""
        drained = f"drain {self.retires} for up to {self.policy.drain:g} s{websockets}"
        if not self.warm.stays:
            return [f"{drained}, then stop it"]
        stays = listed(self.warm.stays)
        ends = f", and stop {listed(self.warm.ends)}" if self.warm.ends else ""
        return [f"{drained}, then keep {stays} running there, reached by nobody{ends}"]


@dataclass(frozen=True)
class DeploymentPlan:
    """What a deployment does, in the base project and in the colours."""

    base: Plan
    colours: ColourPlan | None = None
    notes: tuple[str, ...] = ()
    record: bool = False
    forgotten: Forgotten = field(default_factory=Forgotten)
    """What is no longer kept afterwards."""

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
        return [*said, *self.forgotten.sentences(), *self.notes]

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
    weights: Mapping[str, int] = field(default_factory=dict)
    """Percent of the requests that go to a colour although another one serves."""
    kept: KeptWarm = field(default_factory=KeptWarm)


def plan_colours(
    services: Sequence[Service],
    there: Colours,
    *,
    images: Mapping[str, str],
    always_pull: bool,
    writes: Sequence[str],
    written_at: Mapping[str, float],
    was_stopped: bool,
    migration: Migration | None = None,
    routed: Collection[str] = (),
    consumers: Collection[str] = (),
    going_back: bool = False,
    policy: RolloutPolicy,
) -> ColourPlan:
    """Return what to do; ``writes`` and ``written_at`` are about the files of the active colour."""
    active = there.active
    current = there.containers.get(active, ()) if active else ()
    kept = there.kept if there.kept.colour != active and there.containers.get(there.kept.colour) else KeptWarm()
    left = ColourPlan(
        colour="",
        before=active,
        roll=False,
        services=make_plan((), (), images={}),
        leftovers=tuple(
            colour for colour in colours.COLOURS if colour not in (active, kept.colour) and there.containers.get(colour)
        ),
        switch_back=bool(active) and there.serving != active,
        canary_left=tuple(sorted(there.weights)),
        policy=policy,
    )
    if not services:
        warm = Warm(kept.colour, kept.release, stops="no service runs in a colour any more" if kept.colour else "")
        return replace(left, warm=warm)
    in_place = make_plan(
        services,
        current,
        images=images,
        always_pull=always_pull,
        writes=writes,
        written_at=written_at,
        was_stopped=was_stopped,
    )
    if active and not _moved(services, there.running) and not _other_image(services, current, images):
        warm = keep_on(kept, there.containers, routed, policy)
        return replace(left, colour=active, services=in_place, warm=warm)
    revived = revival(services, kept, there.containers, routed, images=images, always_pull=always_pull)
    served = any(container.running for container in current) and not was_stopped
    consuming = [container for container in current if container.service in consumers] if served else []
    retiring = there.running if policy.warm and served and not going_back else ()
    first_time = revived is None
    return replace(
        left,
        colour=colours.other(active),
        roll=True,
        services=revived or make_plan(services, (), images=images, always_pull=always_pull),
        reasons=_reasons(in_place),
        migration=said_of(migration) if migration and first_time else "",
        backup=migration.backup if migration and first_time and active else (),
        consumers=tuple(sorted({container.service for container in consuming})),
        resumes=tuple(sorted({container.service for container in consuming if container.status == "exited"})),
        canary=policy.canary.steps if served and first_time and not going_back else (),
        warm=take_turns(kept, retiring, routed, revives=revived is not None),
    )


def warm_after(plan: ColourPlan | None, record: StackState | None) -> tuple[str, int]:
    """Return the colour that is kept warm when a plan was carried out, and its release."""
    if not plan or not record:
        return "", 0
    if plan.warm.stays:
        return plan.before, record.release
    return (plan.warm.colour, plan.warm.release) if plan.warm.remains else ("", 0)


def said_of(migration: Migration) -> str:
    """Return a migration in words."""
    return f"{migration.service}: {' '.join(migration.command)}"


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
