# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Goes back to an earlier release of a stack, with the images that it ran."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.composeops.stack.plugins.module_utils.errors import InvalidInput
from ansible_collections.composeops.stack.plugins.module_utils.io.runner import Runner
from ansible_collections.composeops.stack.plugins.module_utils.release import history, report, state
from ansible_collections.composeops.stack.plugins.module_utils.release.availability import (
    Absent,
    absent,
    bring_back,
    names_given_back,
)
from ansible_collections.composeops.stack.plugins.module_utils.release.deployment import (
    Deployment,
    Outcome,
    require_secrets,
)
from ansible_collections.composeops.stack.plugins.module_utils.release.diff import differences
from ansible_collections.composeops.stack.plugins.module_utils.release.history import Release
from ansible_collections.composeops.stack.plugins.module_utils.release.images import Images
from ansible_collections.composeops.stack.plugins.module_utils.release.model import StackRequest
from ansible_collections.composeops.stack.plugins.module_utils.release.run import Places, StackRun


@dataclass(frozen=True)
class Return:
    """A release to go back to, and what that needs."""

    chosen: Release
    request: StackRequest
    missing: Sequence[Absent]
    """Its images that are not on this host."""


class GoingBack:
    """Goes back to the release with the number ``wanted`` of a stack, or with 0 to the newest good one before."""

    def __init__(self, stack: str, wanted: int, runner: Runner, places: Places) -> None:
        self._stack = stack
        self._wanted = wanted
        self._runner = runner
        self._places = places
        self._images = Images(runner)
        self._history = history.History(stack, places.stacks)

    def prepare(self, *, check: bool) -> dict[str, Any]:
        """Have the images of the release on this host, and see that it can be planned; nothing moves."""
        back = self._choose()
        deployment = self._deployment(back)
        if not check:
            bring_back(self._images, self._stack, back.chosen, back.missing, rename=False)
        observed = deployment.observe()
        deployment.plan(observed, deployment.target(observed))
        return {
            "changed": bool(back.missing),
            "plan": [image.sentence for image in back.missing],
            "went_back_to": back.chosen.number,
            "release": observed.record.release if observed.record else 0,
            "seconds": {},
            "summary": [],
            "diff": [],
        }

    def go(self, work: StackRun, *, check: bool) -> dict[str, Any]:
        """Release again what the release was; ``work`` is the run that has the stack for itself."""
        back = self._choose()
        deployment = self._deployment(back)
        work.reason = f"went back to release {back.chosen.number}"
        if back.missing and not check:
            work.begin()
            bring_back(self._images, self._stack, back.chosen, back.missing)
        with contextlib.nullcontext() if check else names_given_back(self._images, back.missing):
            observed = deployment.observe()
            target = deployment.target(observed)
            plan = deployment.plan(observed, target)
            outcome = Outcome(plan, observed.containers, {}, observed.record.release if observed.record else 0)
            if not check:
                if plan.changes:
                    work.begin()
                outcome = deployment.apply(observed, target, plan)
        return {
            "changed": outcome.plan.changes or bool(back.missing),
            "plan": self._said(back, outcome),
            "went_back_to": back.chosen.number,
            "release": outcome.release,
            "seconds": dict(outcome.seconds) if outcome.plan.changes else {},
            "summary": [
                *report.timeline(self._stack, outcome),
                report.releases_summary(self._stack, self._history.settled(outcome.release), self._record()),
            ],
            "diff": differences(observed.disk, target.files, back.request.secrets, deployment.secret_values)
            + deployment.colour_differences(observed, target),
        }

    def _choose(self) -> Return:
        record = self._record()
        if record is None:
            raise InvalidInput(
                f"Stack {self._stack} was never deployed on this host.", "Deploy it (playbooks/deploy.yml)."
            )
        settled = self._history.settled(record.release)
        chosen = history.to_go_back_to(self._stack, settled, record.release, self._wanted)
        present = {name: image.identifier for name, image in self._images.present(chosen.identifiers).items()}
        request = replace(self._history.request(chosen.number), pull="missing", migration=None)
        return Return(chosen, request, absent(chosen, present))

    def _deployment(self, back: Return) -> Deployment:
        deployment = Deployment(
            back.request,
            self._runner,
            root=self._places.stacks,
            secrets=self._places.secrets,
            repeats=back.chosen.number,
        )
        require_secrets(deployment)
        return deployment

    def _record(self) -> state.StackState | None:
        return state.read_state(self._stack, self._places.stacks)

    @staticmethod
    def _said(back: Return, outcome: Outcome) -> list[str]:
        # Images are pulled by their digests, not by their names.
        by_name = {f"pull {image.reference}" for image in back.missing}
        said = [sentence for sentence in outcome.plan.sentences() if sentence not in by_name]
        return [*(image.sentence for image in back.missing), *said, *outcome.notes]
