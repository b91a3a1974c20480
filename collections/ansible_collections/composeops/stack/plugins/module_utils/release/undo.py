# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Takes back a release that did not pass, and says what was left."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.release import render
from ansible_collections.composeops.stack.plugins.module_utils.release.colour_plan import DeploymentPlan
from ansible_collections.composeops.stack.plugins.module_utils.release.containers import Container
from ansible_collections.composeops.stack.plugins.module_utils.release.history import Release
from ansible_collections.composeops.stack.plugins.module_utils.release.observation import Observation, Target
from ansible_collections.composeops.stack.plugins.module_utils.release.part import PartTarget
from ansible_collections.composeops.stack.plugins.module_utils.release.plan import make_plan
from ansible_collections.composeops.stack.plugins.module_utils.release.state import StackState
from ansible_collections.composeops.stack.plugins.module_utils.release.survey import Survey


class DeploymentFailed(ComposeOpsError):
    """A deployment that did not pass, after the release before was put back where there was one."""

    def __init__(
        self,
        cause: ComposeOpsError,
        left: str,
        *,
        changed: bool,
        containers: Sequence[Container],
        restored: bool = False,
    ) -> None:
        remedy = " ".join(part for part in (cause.remedy, left, "Correct the cause and deploy again.") if part)
        super().__init__(cause.message, remedy)
        self.changed = changed
        """Whether anything on the host is not as it was, containers that were put back included."""
        self.containers = tuple(containers)
        """What was left."""
        self.restored = restored
        """Whether the release before serves, with nothing left to put back."""

    def __str__(self) -> str:
        # The message ends with the lines of a log; what to do is not one of them.
        return f"{self.message}\n{self.remedy}"


@dataclass(frozen=True)
class Attempt:
    """What a run set out to do."""

    observed: Observation
    target: Target
    plan: DeploymentPlan
    release: Release | None
    """The release that it began, where it began one."""


class Undo:
    """Takes back what an attempt did."""

    def __init__(self, survey: Survey) -> None:
        self._survey = survey

    def forget_outdated(self, record: StackState | None) -> None:
        """Remove what an earlier run set aside and died before removing, after it had recorded its own release."""
        project = self._survey.project
        previous = project.read_previous()
        if previous and (record is None or self._survey.fingerprint(previous) != record.base_files):
            project.forget_previous()

    def failed(self, error: ComposeOpsError, attempt: Attempt, seconds: Mapping[str, float]) -> DeploymentFailed:
        """Take a release back and return what is raised about it."""
        colours = attempt.plan.colours
        left = ""
        if colours and colours.roll and attempt.observed.record:
            left = self._abandon(colours.colour, attempt.target)
        left = " ".join(part for part in (left, self._put_back(attempt.observed, attempt.target)) if part)
        if attempt.release:
            reason = error.message.splitlines()[0]
            done = replace(attempt.release, status="failed", reason=reason, seconds=dict(seconds))
            self._survey.history.update(done)
        return DeploymentFailed(
            error,
            left,
            changed=attempt.plan.changes,
            containers=self._survey.what_runs(),
            restored=self._restored(attempt.observed, attempt.target),
        )

    def _restored(self, observed: Observation, target: Target) -> bool:
        """Whether another release than the one that failed is there as it was."""
        if observed.record is None or target.recorded_in(observed.record):
            return False
        return self._survey.project.read_previous() is None

    def _abandon(self, colour: str, target: Target) -> str:
        """Remove a release that did not take over, or no longer serves."""
        try:
            self._survey.rollout.drain(colour, target.endpoints)
            self._survey.rollout.stop(colour)
        except ComposeOpsError as error:
            return f"Removing what was started in {colour} failed too, and the next run does it: {error}"
        return ""

    def _put_back(self, observed: Observation, target: Target) -> str:
        """Put the base project of the release before back where there is one, and return what is there now."""
        survey = self._survey
        previous = survey.project.read_previous()
        if observed.record is None:
            return "It is the first release: what was started is left there to be looked at."
        if previous is None:
            if observed.record.colour and not target.recorded_in(observed.record):
                return "The release before serves; nothing of it was touched."
            return "The declared release is the one that was deployed before: there was nothing to put back."
        try:
            services = render.services_of(json.loads(previous.compose))
            survey.project.write(previous, [file.path for file in target.files.files])
            containers = survey.base.gate.containers()
            plan = make_plan(
                services,
                containers,
                images=survey.image_ids(services),
                written_at=survey.base.written_at(previous),
            )
            before = PartTarget(services, previous)
            survey.base.take(plan.steps(), before, containers, obsolete=observed.record.files)
        except ComposeOpsError as error:
            return f"Putting the release before back failed too, only its files are back: {error}"
        survey.project.forget_previous()
        return "The release before was put back, and all its services are ready."
