# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Decides what becomes of a release that is kept running after another one took over; pure.

Its routed services stay up, and what they need; nobody reaches them. What is routed nowhere, such as a worker, ends:
it would go on with the work of the stack, with old code. Going back is one switch then, and the next release, which
needs the place, stops it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.composeops.stack.plugins.module_utils.release.containers import Container, by_service
from ansible_collections.composeops.stack.plugins.module_utils.release.model import RolloutPolicy, Service
from ansible_collections.composeops.stack.plugins.module_utils.release.plan import Plan, make_plan


@dataclass(frozen=True)
class KeptWarm:
    """A release that is kept running, as it is there."""

    colour: str = ""
    """Empty where there is none."""
    release: int = 0
    services: Sequence[Service] = ()
    """What its files declare."""
    writes: Sequence[str] | None = None
    """Which of its files differ from what is asked now; None where that was not looked at."""
    written_at: Mapping[str, float] | None = None


@dataclass(frozen=True)
class Warm:
    """What happens to it."""

    colour: str = ""
    """Where it runs; empty where there is none."""
    release: int = 0
    revives: bool = False
    """Whether it serves again, as it is."""
    stops: str = ""
    """Why it is stopped, where it is."""
    leaves: tuple[str, ...] = ()
    """Services that an interrupted run should have stopped there."""
    stays: tuple[str, ...] = ()
    """Services that stay up in the colour that retires now."""
    ends: tuple[str, ...] = ()
    """Services that end there."""

    @property
    def changes(self) -> bool:
        return bool(self.stops or self.leaves)

    @property
    def remains(self) -> bool:
        """Whether it is there afterwards, in the same place."""
        return bool(self.colour) and not self.stops and not self.revives

    def sentences(self) -> list[str]:
        said = [f"stop {name} in {self.colour}: an earlier run ended before it did" for name in self.leaves]
        if self.stops:
            said.append(f"stop release {self.release} in {self.colour}, which was kept running: {self.stops}")
        return said


def keep_on(
    kept: KeptWarm, containers: Mapping[str, Sequence[Container]], routed: Collection[str], policy: RolloutPolicy
) -> Warm:
    """Return what happens to it where no release takes over."""
    if not kept.colour:
        return Warm()
    if not policy.warm:
        return Warm(kept.colour, kept.release, stops="rollout.warm is off")
    staying = stays(kept.services, routed)
    present = {container.service for container in containers[kept.colour]}
    return Warm(kept.colour, kept.release, leaves=tuple(sorted(present - staying)))


def take_turns(kept: KeptWarm, retiring: Sequence[Service], routed: Collection[str], *, revives: bool) -> Warm:
    """Return what happens where a release takes over; ``retiring`` are the services that may stay up afterwards."""
    staying = stays(retiring, routed)
    return Warm(
        kept.colour,
        kept.release,
        revives=revives,
        stops="its place is needed" if kept.colour and not revives else "",
        stays=tuple(sorted(staying)),
        ends=tuple(sorted({service.name for service in retiring} - staying)) if staying else (),
    )


def revival(
    services: Sequence[Service],
    kept: KeptWarm,
    containers: Mapping[str, Sequence[Container]],
    routed: Collection[str],
    *,
    images: Mapping[str, str],
    always_pull: bool,
) -> Plan | None:
    """Return what brings the kept release back as ``services``, or None where it is not exactly that, or not well."""
    if not kept.colour or kept.writes is None or kept.writes:
        return None
    found = containers[kept.colour]
    plan = make_plan(services, found, images=images, always_pull=always_pull, written_at=kept.written_at)
    staying = stays(services, routed)
    untouched = all(entry.action == "keep" for entry in plan.services if entry.name in staying)
    others = all(entry.action in ("keep", "start", "create") for entry in plan.services)
    present = by_service(found)
    well = all(_is_well(service, present.get(service.name, [])) for service in services if service.name in staying)
    return plan if staying and untouched and others and well and not plan.removals and not plan.pulls else None


def stays(services: Sequence[Service], routed: Collection[str]) -> set[str]:
    """Return the routed ones of ``services``, and those that they need."""
    by_name = {service.name: service for service in services}
    staying: set[str] = set()
    pending = [name for name in by_name if name in routed]
    while pending:
        name = pending.pop()
        if name not in staying:
            staying.add(name)
            pending += [other for other in (*by_name[name].waits_for, *by_name[name].shares_with) if other in by_name]
    return staying


def listed(names: Sequence[str]) -> str:
    """Return words as a list in a sentence."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else list(names))


def _is_well(service: Service, containers: Sequence[Container]) -> bool:
    finished = service.may_finish and all(found.status == "exited" for found in containers)
    return finished or all(found.running and found.health in ("", "healthy") for found in containers)
