# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Brings a stack to what is asked: takes the steps that were planned; a run may die between any two."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace

from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.io.runner import Runner
from ansible_collections.composeops.stack.plugins.module_utils.release import active, state
from ansible_collections.composeops.stack.plugins.module_utils.release.clock import Clock
from ansible_collections.composeops.stack.plugins.module_utils.release.colour_plan import ColourPlan, DeploymentPlan
from ansible_collections.composeops.stack.plugins.module_utils.release.containers import Container
from ansible_collections.composeops.stack.plugins.module_utils.release.ledger import Ledger
from ansible_collections.composeops.stack.plugins.module_utils.release.migration_backups import MigrationBackups
from ansible_collections.composeops.stack.plugins.module_utils.release.model import StackRequest
from ansible_collections.composeops.stack.plugins.module_utils.release.observation import Observation, Target
from ansible_collections.composeops.stack.plugins.module_utils.release.part import PartTarget
from ansible_collections.composeops.stack.plugins.module_utils.release.plan import Plan
from ansible_collections.composeops.stack.plugins.module_utils.release.recovery import Recovery
from ansible_collections.composeops.stack.plugins.module_utils.release.survey import Survey, require_secrets
from ansible_collections.composeops.stack.plugins.module_utils.release.takeover import Outcome, Takeover
from ansible_collections.composeops.stack.plugins.module_utils.release.timeline import Timeline
from ansible_collections.composeops.stack.plugins.module_utils.release.undo import Attempt, DeploymentFailed, Undo
from ansible_collections.composeops.stack.plugins.module_utils.secrets import store

__all__ = ["Deployment", "DeploymentFailed", "Outcome", "require_secrets"]


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
        only: Collection[str] = (),
    ) -> None:
        super().__init__(request, runner, clock=clock, root=root, secrets=secrets, active=active, only=only)
        self.going_back = bool(repeats)
        self._ledger = Ledger(self, repeats)
        self._undo = Undo(self)
        self._timeline = Timeline(request.name, self.clock)
        self._recovery = Recovery(self)
        self._backups = MigrationBackups(request.name, runner)
        self._takeover = Takeover(self, self._ledger, self._undo, self._timeline)

    def plan(self, observed: Observation, target: Target) -> DeploymentPlan:
        """Return what a deployment does; raise where a migration asks for a backup that this host cannot take."""
        plan = super().plan(observed, target)
        self._backups.check(plan.colours.backup if plan.colours else ())
        return plan

    def apply(
        self,
        observed: Observation,
        target: Target,
        plan: DeploymentPlan,
        *,
        changing: Callable[[], None] | None = None,
    ) -> Outcome:
        """Take the steps of ``plan``; a failure puts the release before back and raises.

        ``changing`` is called when it turns out, after pulling, that there is something to change.
        """
        began = observed
        if plan.colours:
            with self._timeline.step("recover"):
                observed = self._recovery.recover(observed, target, plan.colours)
        if plan.pulls or plan.refreshes:
            with self._timeline.step("pull"):
                self.images.pull([*plan.pulls, *plan.refreshes])
        plan = self._after_pulling(began, target, plan)
        if plan.changes and changing:
            changing()
        if plan.colours and plan.colours.backup:
            with self._timeline.step("backup"):
                self._backups.take(plan.colours.backup)
        self._undo.forget_outdated(observed.record)
        colours = plan.colours
        if colours and (colours.roll or colours.services.changes) and not target.rendered:
            # Nothing was asked anew, but an image moved under its tag, or containers and volumes are gone.
            target = self.render(observed, target.inputs)
        attempt = Attempt(observed, target, plan, self._ledger.begin(observed, target, plan))
        try:
            with self._timeline.step("base"):
                if colours and colours.roll:
                    attempt = replace(attempt, observed=self._recovery.make_room(observed, colours))
                containers = self._take(plan.base, observed, target)
            if colours:
                containers += self._bring_up(colours, observed, target)
        except ComposeOpsError as error:
            raise self._undo.failed(error, attempt, self._timeline.seconds) from error
        if observed.record and not plan.changes:
            self.project.forget_previous()
            return Outcome(plan, tuple(containers), observed.record.images, observed.record.release)
        return self._takeover.run(attempt, containers)

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
        part = self.rollout.parts[plan.colour]
        if plan.services.changes and not plan.warm.revives:
            self.rollout.make_volumes(target.volumes)
        if not plan.roll:
            obsolete = observed.record.files if observed.record else ()
            return part.take(plan.services.steps(), wanted, part.of(observed.containers), obsolete=obsolete)
        if not plan.warm.revives:
            self.rollout.write(plan.colour, wanted)
        if plan.migration and self.request.migration:
            with self._timeline.step("migrate"):
                self.rollout.migrate(plan.colour, self.request.migration)
        with self._timeline.step("start"):
            there = part.of(observed.containers) if plan.warm.revives else []
            containers = part.take(plan.services.steps(), wanted, there)
        with self._timeline.step("gate"):
            self.rollout.gate(plan.colour, target.endpoints)
        return containers
