# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Lets a release that passed its gate take over, and retires the one before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.release import disk
from ansible_collections.composeops.stack.plugins.module_utils.release.canary_run import CanaryFailed, StepFigures
from ansible_collections.composeops.stack.plugins.module_utils.release.colour_plan import ColourPlan, DeploymentPlan
from ansible_collections.composeops.stack.plugins.module_utils.release.containers import Container
from ansible_collections.composeops.stack.plugins.module_utils.release.history import recorded
from ansible_collections.composeops.stack.plugins.module_utils.release.ledger import Ledger
from ansible_collections.composeops.stack.plugins.module_utils.release.rollout import Watched
from ansible_collections.composeops.stack.plugins.module_utils.release.survey import Survey
from ansible_collections.composeops.stack.plugins.module_utils.release.timeline import Timeline
from ansible_collections.composeops.stack.plugins.module_utils.release.undo import Attempt, DeploymentFailed, Undo


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
    released: bool = False
    """Whether what runs became another release."""
    canary: tuple[StepFigures, ...] = ()
    """What the steps of its canary came to."""
    notes: tuple[str, ...] = ()
    """What did not succeed, although the release did."""


class Takeover:
    """From the first request to a release until the one before is gone, or kept warm."""

    def __init__(self, survey: Survey, ledger: Ledger, undo: Undo, timeline: Timeline) -> None:
        self._survey = survey
        self._rollout = survey.rollout
        self._ledger = ledger
        self._undo = undo
        self._timeline = timeline

    def run(self, attempt: Attempt, containers: list[Container]) -> Outcome:
        """Send requests to the release and record it; take it back where it does not stay well."""
        target, plan = attempt.target, attempt.plan
        colours = plan.colours
        try:
            if colours and colours.consumers:
                with self._timeline.step("consumers"):
                    self._rollout.pause(colours.before, colours.consumers)
            attempt, figures = self._canary(attempt)
            if colours and colours.roll:
                with self._timeline.step("switch"):
                    self._rollout.switch(colours.colour)
            digests = self._survey.digests(target.all_services)
            if attempt.release:
                with disk.writing(self._survey.request.name):
                    attempt = replace(attempt, release=self._ledger.complete(attempt.release, target, digests))
            with self._timeline.step("commit"):
                self._ledger.commit(attempt, digests)
            if colours and colours.roll and self._survey.request.rollout.watch:
                with self._timeline.step("watch"):
                    self._rollout.watch(colours.colour, Watched(target.coloured, target.endpoints, containers))
        except CanaryFailed as error:
            raise self._undo.failed(error, attempt, self._timeline.seconds, canary=error.figures) from error
        except ComposeOpsError as error:
            raise self._undo.failed(error, attempt, self._timeline.seconds, switched=True) from error
        self._survey.project.forget_previous()
        try:
            if colours and colours.retires:
                self._retire(colours, attempt)
            with self._timeline.step("prune"):
                forgotten, notes = self._ledger.close(attempt, self._timeline.seconds)
        except ComposeOpsError as error:
            serves = f"Release {self._ledger.number(attempt)} serves; the next run finishes what is left."
            raise DeploymentFailed(error, serves, changed=True, containers=self._survey.what_runs()) from error
        return Outcome(
            replace(plan, forgotten=forgotten),
            tuple(containers),
            digests,
            self._ledger.number(attempt),
            dict(self._timeline.seconds),
            attempt.release is not None,
            figures,
            notes,
        )

    def _canary(self, attempt: Attempt) -> tuple[Attempt, tuple[StepFigures, ...]]:
        """Give the release a rising share of the requests, where that is planned."""
        colours = attempt.plan.colours
        if not colours or not colours.canary:
            return attempt, ()
        with self._timeline.step("canary"):
            figures = self._rollout.canary(colours.colour, colours.before)
        release = replace(attempt.release, canary=recorded(figures)) if attempt.release else None
        return replace(attempt, release=release), figures

    def _retire(self, colours: ColourPlan, attempt: Attempt) -> None:
        """Let requests of the colour before end, then stop it, or what of it is not kept warm."""
        record, policy = attempt.observed.record, self._survey.request.rollout
        known = [*(record.endpoints if record else ()), *attempt.target.endpoints]
        with self._timeline.step("drain"):
            open_still = self._rollout.drain(colours.retires, known, policy.drain)
        if open_still and policy.websockets:
            with self._timeline.step("websockets"):
                open_still = self._rollout.drain(colours.retires, known, policy.websockets)
        with self._timeline.step("stop"):
            if not colours.warm.stays:
                self._rollout.stop(colours.retires)
            else:
                self._rollout.rest(colours.retires, colours.warm.ends)
                self._rollout.hang_up(colours.retires, known)
