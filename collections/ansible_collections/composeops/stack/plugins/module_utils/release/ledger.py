# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Keeps the books of a deployment: that a release begins, what serves now, and what became of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ansible_collections.composeops.stack.plugins.module_utils.release import disk, state
from ansible_collections.composeops.stack.plugins.module_utils.release.colour_plan import DeploymentPlan, warm_after
from ansible_collections.composeops.stack.plugins.module_utils.release.history import Release
from ansible_collections.composeops.stack.plugins.module_utils.release.observation import Observation, Target
from ansible_collections.composeops.stack.plugins.module_utils.release.retention import Forgotten
from ansible_collections.composeops.stack.plugins.module_utils.release.state import StackState
from ansible_collections.composeops.stack.plugins.module_utils.release.survey import Survey
from ansible_collections.composeops.stack.plugins.module_utils.release.undo import Attempt


class Ledger:
    """The records of one stack. ``repeats`` is the number of an earlier release that is gone back to."""

    def __init__(self, survey: Survey, repeats: int) -> None:
        self._survey = survey
        self._repeats = repeats

    def begin(self, observed: Observation, target: Target, plan: DeploymentPlan) -> Release | None:
        """Record that a release begins, where what runs becomes another release; return it."""
        survey, record = self._survey, observed.record
        if not plan.changes:
            return None
        if observed.unsettled:
            survey.history.settle(record.release if record else 0)
        same = record is not None and (record.inputs, record.revision) == (target.inputs, target.revision)
        images = survey.images.present(service.image for service in target.all_services)
        digests = {
            service.name: images[service.image].digest for service in target.all_services if service.image in images
        }
        rolls = bool(plan.colours and plan.colours.roll)
        if record and record.release and same and not rolls and dict(record.images) == digests:
            return None
        release = Release(
            number=survey.history.next_number(),
            created_at=survey.now(),
            status="deploying",
            revision=target.revision,
            colour=plan.colours.colour if plan.colours else "",
            images={service.name: service.image for service in target.all_services},
            digests=digests,
            identifiers={reference: image.identifier for reference, image in images.items()},
            reason=f"repeats release {self._repeats}" if self._repeats else "",
        )
        with disk.writing(survey.request.name):
            survey.project.make()
            survey.history.begin(release, survey.request)
        return release

    def complete(self, release: Release, target: Target, digests: Mapping[str, str]) -> Release:
        """Record what a release consists of before it is the active one: its images may have been pulled only now."""
        identifiers = self._survey.image_ids(target.all_services)
        complete = replace(release, digests=digests, identifiers=identifiers)
        self._survey.history.update(complete)
        return complete

    def number(self, attempt: Attempt) -> int:
        """Return the number of the release that serves when an attempt succeeds."""
        record = attempt.observed.record
        return attempt.release.number if attempt.release else record.release if record else 0

    def commit(self, attempt: Attempt, digests: Mapping[str, str]) -> None:
        """Record what serves from now on."""
        survey, target, colours = self._survey, attempt.target, attempt.plan.colours
        colour = colours.colour if colours else ""
        warm, warm_release = warm_after(colours, attempt.observed.record)
        record = StackState(
            stack=survey.request.name,
            project=survey.request.name,
            revision=target.revision,
            applied_at=survey.now(),
            endpoints=target.endpoints,
            services={service.name: service.image for service in target.all_services},
            images=dict(digests),
            inputs=target.inputs,
            files=tuple(file.path for file in target.files.files),
            release=self.number(attempt),
            colour=colour,
            base_files=survey.fingerprint(target.files),
            colour_files=survey.fingerprint(target.colours.get(colour)),
            warm=warm,
            warm_release=warm_release,
        )
        state.write_state(record, survey.root)

    def close(self, attempt: Attempt, seconds: Mapping[str, float]) -> tuple[Forgotten, tuple[str, ...]]:
        """Record what became of every release and forget the oldest; return what is gone, and what could not go."""
        history, number, record = self._survey.history, self.number(attempt), attempt.observed.record
        if attempt.release:
            history.update(replace(attempt.release, status="active", seconds=dict(seconds)))
        history.settle(number)
        if self._repeats and attempt.release and record:
            history.withdraw(record.release, f"release {number} went back to {self._repeats}")
        target = attempt.target
        gone = self._survey.forgotten(target, {number, warm_after(attempt.plan.colours, record)[1]}, coming=False)
        # Images first: a run that dies in between is followed by one that still knows of them.
        stayed = [self._survey.images.remove(image.reference, image.identifier) for image in gone.images]
        history.forget(gone.releases)
        return gone, tuple(said for said in stayed if said)
