# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Undoes or finishes what an interrupted run left, and makes room for a release."""

from __future__ import annotations

from dataclasses import replace

from ansible_collections.composeops.stack.plugins.module_utils.release import state
from ansible_collections.composeops.stack.plugins.module_utils.release.colour_plan import ColourPlan
from ansible_collections.composeops.stack.plugins.module_utils.release.observation import Observation, Target
from ansible_collections.composeops.stack.plugins.module_utils.release.state import Endpoint
from ansible_collections.composeops.stack.plugins.module_utils.release.survey import Survey


class Recovery:
    """What comes before a deployment does anything of its own."""

    def __init__(self, survey: Survey) -> None:
        self._survey = survey
        self._rollout = survey.rollout

    def recover(self, observed: Observation, target: Target, plan: ColourPlan) -> Observation:
        """Undo or finish what an interrupted run left, and return what is there then."""
        known = [*(observed.record.endpoints if observed.record else ()), *target.endpoints]
        if plan.canary_left:
            self._rollout.clear_weights()
        if plan.switch_back:
            self._rollout.switch(plan.before)
        if plan.resumes:
            self._rollout.resume(plan.before, plan.resumes)
        for colour in plan.leftovers:
            self._end(colour, known)
        if plan.warm.leaves:
            self._rollout.drain(plan.warm.colour, known, self._survey.request.rollout.drain)
            self._rollout.rest(plan.warm.colour, plan.warm.leaves)
        left = replace(observed, serving=plan.before or observed.serving, weights={})
        gone = {self._rollout.parts[colour].name for colour in plan.leftovers}
        left = replace(left, containers=tuple(found for found in left.containers if found.project not in gone))
        if plan.warm.stops and not plan.roll:
            return self._stop_warm(left, plan)
        return left

    def make_room(self, observed: Observation, plan: ColourPlan) -> Observation:
        """Stop what is kept warm in the colour where a release goes; what serves again from there stays."""
        if plan.warm.stops:
            return self._stop_warm(observed, plan)
        return self._without_warm(observed)

    def _end(self, colour: str, known: list[Endpoint]) -> None:
        self._rollout.drain(colour, known, self._survey.request.rollout.drain)
        self._rollout.stop(colour)

    def _stop_warm(self, observed: Observation, plan: ColourPlan) -> Observation:
        left = self._without_warm(observed)
        if left.record:
            # Before it ends: what a run that dies now leaves of it, or of the next release, is not to be gone back to.
            state.write_state(left.record, self._survey.root)
        self._rollout.stop(plan.warm.colour)
        project = self._rollout.parts[plan.warm.colour].name
        return replace(left, containers=tuple(found for found in left.containers if found.project != project))

    def _without_warm(self, observed: Observation) -> Observation:
        record = replace(observed.record, warm="", warm_release=0) if observed.record else None
        return replace(observed, record=record, warm_disk=None)
