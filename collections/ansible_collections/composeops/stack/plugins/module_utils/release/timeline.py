# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How long each step of a run takes."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from ansible_collections.composeops.stack.plugins.module_utils.release import disk, fault, lock
from ansible_collections.composeops.stack.plugins.module_utils.release.clock import Clock
from ansible_collections.composeops.stack.plugins.module_utils.release.colour_plan import StepName


class Timeline:
    """The steps that a run on ``stack`` has taken."""

    def __init__(self, stack: str, clock: Clock) -> None:
        self._stack = stack
        self._clock = clock
        self.seconds: dict[str, float] = {}

    @contextlib.contextmanager
    def step(self, name: StepName) -> Iterator[None]:
        """Note how long a step takes; a test may have the run die after it."""
        lock.note_step(self._stack, name)
        began = self._clock.elapsed()
        with disk.writing(self._stack):
            yield
        self.seconds[name] = round(self._clock.elapsed() - began, 2)
        fault.after(name)
