# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Lets a release answer a rising share of the requests, and ends that as soon as it is worse than the one before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.release import active, canary, traffic
from ansible_collections.composeops.stack.plugins.module_utils.release.canary import Pair, Verdict
from ansible_collections.composeops.stack.plugins.module_utils.release.clock import Clock
from ansible_collections.composeops.stack.plugins.module_utils.release.model import CanaryPolicy
from ansible_collections.composeops.stack.plugins.module_utils.release.switch import NginxSwitch, Switch
from ansible_collections.composeops.stack.plugins.module_utils.release.traffic import Figures, Sample, Traffic

SAMPLE_SECONDS = 1.0
PATIENCE = 5
"""A step without enough requests is held so many times as long."""


@dataclass(frozen=True)
class StepFigures:
    """What a step of a canary came to, for the record of the release."""

    percent: int
    seconds: float
    requests: int
    failed: int
    p95: float
    """Seconds."""
    before_requests: int
    before_failed: int
    before_p95: float


class CanaryFailed(ComposeOpsError):
    """A canary that was ended; no request goes to the release any more."""

    def __init__(self, message: str, remedy: str, figures: Sequence[StepFigures]) -> None:
        super().__init__(message, remedy)
        self.figures = tuple(figures)
        """Those of the step that failed come last."""


class Canary:
    """The canary of one stack.

    ``switch`` is what gives it a share; without one it is nginx's, which looks for weights in ``directory`` and writes
    to ``logs``.
    """

    def __init__(
        self,
        stack: str,
        policy: CanaryPolicy,
        clock: Clock,
        directory: str = active.DIRECTORY,
        logs: str = traffic.DIRECTORY,
        *,
        switch: Switch | None = None,
    ) -> None:
        self._stack = stack
        self._policy = policy
        self._clock = clock
        self._switch = switch or NginxSwitch(stack, clock, directory, logs)

    def run(self, *, colour: str, before: str) -> tuple[StepFigures, ...]:
        """Take all steps and return their figures; the weights of the last one stay until the switch.

        Whatever it raises, the weights are gone by then. ``CanaryFailed`` says that the release was not good enough.
        """
        log = self._switch.traffic()
        try:
            run = _Run(self._stack, self._policy, self._clock, log, colour, before)
            for percent in self._policy.steps:
                self._switch.weigh(colour, percent, self._policy.sticky)
                run.hold(percent)
        except BaseException:
            self._switch.clear_weights()
            raise
        finally:
            log.close()
        return tuple(run.figures)


@dataclass
class _Run:
    """A canary that is under way."""

    stack: str
    policy: CanaryPolicy
    clock: Clock
    log: Traffic
    colour: str
    before: str
    earlier: Figures = field(default_factory=dict)
    """What was answered in the steps that are over."""
    figures: list[StepFigures] = field(default_factory=list)

    def hold(self, percent: int) -> None:
        """Hold a step until it was good; raise where it was not."""
        began = self.clock.elapsed()
        seen: Figures = {}
        while True:
            self.clock.sleep(min(SAMPLE_SECONDS, self.policy.hold))
            seen = traffic.add(seen, self.log.read())
            held = self.clock.elapsed() - began
            verdict = self._verdict(seen, held)
            if verdict:
                break
        self.figures.append(self._figures(percent, held, seen))
        self.earlier = traffic.add(self.earlier, seen)
        if verdict.judgement != "good":
            raise self._failed(percent, held, verdict)

    def _verdict(self, seen: Figures, held: float) -> Verdict | None:
        """Return the verdict about a step, or None while it is to be held."""
        pair = self._pair(seen)
        if held < self.policy.hold:
            return canary.clearly_worse(pair, self.policy)
        verdict = canary.judge(pair, self.policy)
        waits = verdict.judgement == "too few" and held < self.policy.hold * PATIENCE
        return None if waits else verdict

    def _pair(self, seen: Figures) -> Pair:
        """Return what to compare.

        Near the end few requests are left for the release before, and what it answered in earlier steps counts too.
        """
        old = seen.get(self.before, Sample())
        if old.requests < self.policy.requests:
            old = old + self.earlier.get(self.before, Sample())
        return Pair(seen.get(self.colour, Sample()), old, self.colour, self.before)

    def _figures(self, percent: int, held: float, seen: Figures) -> StepFigures:
        new, old = seen.get(self.colour, Sample()), seen.get(self.before, Sample())
        return StepFigures(
            percent, round(held, 1), new.requests, new.failed, new.p95, old.requests, old.failed, old.p95
        )

    def _failed(self, percent: int, held: float, verdict: Verdict) -> CanaryFailed:
        said = f"Stack {self.stack}: the canary was ended after {held:.0f} s at {percent} %: {verdict.sentence}."
        if verdict.judgement == "worse":
            remedy = f"All requests go to {self.before} again."
        else:
            remedy = (
                f"All requests go to {self.before} again. Where there are few requests, lower canary.requests, begin"
                " with a higher step, hold it longer, or deploy without canary.steps."
            )
        return CanaryFailed(said, remedy, self.figures)
