# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Takes back a release that did not pass, and says what was left."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.release import disk, render, state
from ansible_collections.composeops.stack.plugins.module_utils.release.canary_run import StepFigures
from ansible_collections.composeops.stack.plugins.module_utils.release.colour_plan import DeploymentPlan
from ansible_collections.composeops.stack.plugins.module_utils.release.containers import Container
from ansible_collections.composeops.stack.plugins.module_utils.release.history import Release, recorded
from ansible_collections.composeops.stack.plugins.module_utils.release.observation import Observation, Target
from ansible_collections.composeops.stack.plugins.module_utils.release.part import PartTarget
from ansible_collections.composeops.stack.plugins.module_utils.release.plan import make_plan
from ansible_collections.composeops.stack.plugins.module_utils.release.state import StackState
from ansible_collections.composeops.stack.plugins.module_utils.release.survey import Survey
from ansible_collections.composeops.stack.plugins.module_utils.release.warm import listed


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

    def failed(
        self,
        error: ComposeOpsError,
        attempt: Attempt,
        seconds: Mapping[str, float],
        *,
        switched: bool = False,
        canary: Sequence[StepFigures] = (),
    ) -> DeploymentFailed:
        """Take a release back and return what is raised about it; ``switched`` says that it may have been serving."""
        back, said = self._withdraw(attempt) if switched else (True, "")
        resumed = self._resume(attempt) if back else ""
        left = [said, resumed, *(self._take_back(attempt) if back else ())]
        if attempt.release:
            reason = error.message.splitlines()[0]
            done = replace(attempt.release, status="failed", reason=reason, seconds=dict(seconds))
            self._close(replace(done, canary=recorded(canary) or done.canary))
        return DeploymentFailed(
            error,
            " ".join(part for part in left if part),
            changed=attempt.plan.changes,
            containers=self._survey.what_runs(),
            restored=back and not resumed and self._restored(attempt.observed, attempt.target),
        )

    def _withdraw(self, attempt: Attempt) -> tuple[bool, str]:
        """Send requests back to the release before and record it again; return whether that was possible."""
        colours, record, survey = attempt.plan.colours, attempt.observed.record, self._survey
        rolls = colours is not None and colours.roll and record is not None
        served = colours is not None and rolls and survey.rollout.serving() == colours.colour
        try:
            if colours and rolls:
                survey.rollout.switch(colours.before or colours.colour)
            with disk.writing(survey.request.name):
                if record:
                    state.write_state(record, survey.root)
                else:
                    state.forget_state(survey.request.name, survey.root)
        except ComposeOpsError as error:
            # What is recorded, or serves, is what the next run begins with: it must be there.
            return False, f"Going back to the release before failed too, so that the new one keeps running: {error}"
        return True, f"It had taken over; requests go to {colours.before} again." if colours and served else ""

    def _take_back(self, attempt: Attempt) -> tuple[str, str]:
        """Remove what was started of a release that no request goes to, and put the base back as it was."""
        colours = attempt.plan.colours
        rolled = colours and colours.roll and attempt.observed.record
        abandoned = self._abandon(attempt) if rolled else ""
        return abandoned, self._put_back(attempt.observed, attempt.target)

    def _resume(self, attempt: Attempt) -> str:
        """Start the consumers of the release before again, which may be running; say where that fails."""
        colours = attempt.plan.colours
        if colours is None or not colours.consumers:
            return ""
        try:
            self._survey.rollout.resume(colours.before, colours.consumers)
        except ComposeOpsError as error:
            stopped = f"{listed(colours.consumers)} in {colours.before}"
            return f"Starting {stopped} again failed too, and the next run does it: {error}"
        return ""

    def _close(self, release: Release) -> None:
        """Record what became of a release; on a full disk the next run does."""
        with contextlib.suppress(ComposeOpsError), disk.writing(self._survey.request.name):
            self._survey.history.update(release)

    def _restored(self, observed: Observation, target: Target) -> bool:
        """Whether another release than the one that failed is there as it was."""
        if observed.record is None or target.recorded_in(observed.record):
            return False
        return self._survey.project.read_previous() is None

    def _abandon(self, attempt: Attempt) -> str:
        """Remove a release that did not take over, or no longer serves."""
        survey, colours, record = self._survey, attempt.plan.colours, attempt.observed.record
        colour = colours.colour if colours else ""
        try:
            if record and colours and colours.warm.revives:
                # It is not kept warm any more, from before it is gone.
                with disk.writing(survey.request.name):
                    state.write_state(record, survey.root)
            survey.rollout.drain(colour, attempt.target.endpoints, survey.request.rollout.drain)
            survey.rollout.stop(colour)
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
