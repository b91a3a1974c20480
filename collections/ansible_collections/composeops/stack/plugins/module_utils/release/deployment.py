# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Brings a stack to what is asked: takes the steps that were planned; a run may die between any two."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.io.runner import Runner
from ansible_collections.composeops.stack.plugins.module_utils.release import active, state
from ansible_collections.composeops.stack.plugins.module_utils.release.clock import Clock
from ansible_collections.composeops.stack.plugins.module_utils.release.colour_plan import ColourPlan, DeploymentPlan
from ansible_collections.composeops.stack.plugins.module_utils.release.containers import Container
from ansible_collections.composeops.stack.plugins.module_utils.release.ledger import Ledger
from ansible_collections.composeops.stack.plugins.module_utils.release.model import StackRequest
from ansible_collections.composeops.stack.plugins.module_utils.release.observation import Observation, Target
from ansible_collections.composeops.stack.plugins.module_utils.release.part import PartTarget
from ansible_collections.composeops.stack.plugins.module_utils.release.plan import Plan
from ansible_collections.composeops.stack.plugins.module_utils.release.rollout import Watched
from ansible_collections.composeops.stack.plugins.module_utils.release.survey import Survey, require_secrets
from ansible_collections.composeops.stack.plugins.module_utils.release.timeline import Timeline
from ansible_collections.composeops.stack.plugins.module_utils.release.undo import Attempt, DeploymentFailed, Undo
from ansible_collections.composeops.stack.plugins.module_utils.secrets import store

__all__ = ["Deployment", "DeploymentFailed", "Outcome", "require_secrets"]


@dataclass(frozen=True)
class Outcome:
    """What a deployment came to."""

    plan: DeploymentPlan
    """What was done: the plan as it was after images had been pulled."""
    containers: tuple[Container, ...]
    digests: Mapping[str, str]
    release: int = 0
    seconds: Mapping[str, float] = field(default_factory=dict)
    """How long each step of a release took."""


class Deployment(Survey):
    """One stack on this host. ``repeats`` is the number of an earlier release that is gone back to."""

    def __init__(
        self,
        request: StackRequest,
        runner: Runner,
        *,
        clock: Clock | None = None,
        root: str = state.DIRECTORY,
        secrets: str = store.DIRECTORY,
        active: str = active.DIRECTORY,
        repeats: int = 0,
    ) -> None:
        super().__init__(request, runner, clock=clock, root=root, secrets=secrets, active=active)
        self._ledger = Ledger(self, repeats)
        self._undo = Undo(self)
        self._timeline = Timeline(request.name, self.clock)

    def apply(self, observed: Observation, target: Target, plan: DeploymentPlan) -> Outcome:
        """Take the steps of ``plan``; a failure puts the release before back and raises."""
        began = observed
        if plan.colours:
            with self._timeline.step("recover"):
                observed = self._recover(observed, target, plan.colours)
        if plan.pulls or plan.refreshes:
            with self._timeline.step("pull"):
                self.images.pull([*plan.pulls, *plan.refreshes])
        plan = self._after_pulling(began, target, plan)
        self._undo.forget_outdated(observed.record)
        colours = plan.colours
        if colours and colours.roll and colours.colour not in target.colours:
            # Nothing was asked anew, but an image moved under its tag.
            target = self.render(observed, target.inputs)
        attempt = Attempt(observed, target, plan, self._ledger.begin(observed, target, plan))
        try:
            with self._timeline.step("base"):
                containers = self._take(plan.base, observed, target)
            if colours:
                containers += self._bring_up(colours, observed, target)
        except ComposeOpsError as error:
            raise self._undo.failed(error, attempt, self._timeline.seconds) from error
        if observed.record and not plan.changes:
            self.project.forget_previous()
            return Outcome(plan, tuple(containers), observed.record.images, observed.record.release)
        return self._take_over(attempt, containers)

    def _recover(self, observed: Observation, target: Target, plan: ColourPlan) -> Observation:
        """Undo or finish what an interrupted run left, and return what is there then."""
        if plan.switch_back:
            self.rollout.switch(plan.before)
        for colour in plan.leftovers:
            known = observed.record.endpoints if observed.record else ()
            self.rollout.drain(colour, [*known, *target.endpoints])
            self.rollout.stop(colour)
        gone = {self.rollout.parts[colour].name for colour in plan.leftovers}
        kept = tuple(container for container in observed.containers if container.project not in gone)
        return replace(observed, containers=kept, serving=plan.before or observed.serving)

    def _after_pulling(self, began: Observation, target: Target, plan: DeploymentPlan) -> DeploymentPlan:
        """Return the plan as it is now that images are there: a tag may have moved. What was announced stays said."""
        if not (plan.pulls or plan.refreshes):
            return plan
        renewed = self.plan(began, target)
        base = replace(renewed.base, pulls=plan.base.pulls, refreshes=plan.base.refreshes)
        colours = renewed.colours
        if colours and plan.colours:
            services = replace(
                colours.services, pulls=plan.colours.services.pulls, refreshes=plan.colours.services.refreshes
            )
            colours = replace(colours, services=services)
        return replace(renewed, base=base, colours=colours)

    def _take(self, plan: Plan, observed: Observation, target: Target) -> list[Container]:
        return self.base.take(
            plan.steps(),
            PartTarget(target.services, target.files),
            self.base.of(observed.containers),
            obsolete=observed.record.files if observed.record else (),
            set_aside=observed.disk if observed.record else None,
        )

    def _bring_up(self, plan: ColourPlan, observed: Observation, target: Target) -> list[Container]:
        """Bring a colour to its target, without any request going there that does not go there already."""
        if not plan.colour:
            return []
        wanted = PartTarget(target.coloured, target.colours[plan.colour])
        if not plan.roll:
            obsolete = observed.record.files if observed.record else ()
            part = self.rollout.parts[plan.colour]
            return part.take(plan.services.steps(), wanted, part.of(observed.containers), obsolete=obsolete)
        self.rollout.make_volumes(target.volumes)
        self.rollout.write(plan.colour, wanted)
        if self.request.migration:
            with self._timeline.step("migrate"):
                self.rollout.migrate(plan.colour, self.request.migration)
        with self._timeline.step("start"):
            containers = self.rollout.start(plan.colour, plan.services, wanted)
        with self._timeline.step("gate"):
            self.rollout.gate(plan.colour, target.endpoints)
        return containers

    def _take_over(self, attempt: Attempt, containers: list[Container]) -> Outcome:
        """Let the release take over and record it; take it back where it does not stay well."""
        observed, target, plan, release = attempt.observed, attempt.target, attempt.plan, attempt.release
        colours = plan.colours
        number = release.number if release else observed.record.release if observed.record else 0
        if colours and colours.roll:
            with self._timeline.step("switch"):
                self.rollout.switch(colours.colour)
        digests = self.digests(target.all_services)
        if release:
            release = self._ledger.complete(release, target, digests)
        with self._timeline.step("commit"):
            self._ledger.commit(target, digests, colour=colours.colour if colours else "", number=number)
        if colours and colours.roll and self.request.rollout.watch:
            try:
                with self._timeline.step("watch"):
                    self.rollout.watch(colours.colour, Watched(target.coloured, target.endpoints, containers))
            except ComposeOpsError as error:
                if observed.record:
                    self.rollout.switch(colours.before or colours.colour)
                self._ledger.restore(observed.record)
                failed = replace(attempt, release=release)
                raise self._undo.failed(error, failed, self._timeline.seconds) from error
        self.project.forget_previous()
        if colours and colours.retires:
            self._retire(colours.retires, observed, target)
        with self._timeline.step("prune"):
            if release:
                release = replace(release, status="active", digests=digests, seconds=dict(self._timeline.seconds))
            self._ledger.close(number, release, observed.record)
        return Outcome(plan, tuple(containers), digests, number, dict(self._timeline.seconds))

    def _retire(self, colour: str, observed: Observation, target: Target) -> None:
        known = observed.record.endpoints if observed.record else ()
        with self._timeline.step("drain"):
            self.rollout.drain(colour, [*known, *target.endpoints])
        with self._timeline.step("stop"):
            self.rollout.stop(colour)
