"""Run named steps in the order of their needs, a few at a time."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass

from testbed.errors import BedError
from testbed.progress import Progress

UNCHANGED = ""

# After so long without news, say what is being done.
QUIET_SECONDS = 15.0


@dataclass(frozen=True)
class Step:
    """One thing to bring about. The action returns what it did, or UNCHANGED."""

    name: str
    action: Callable[[], str]
    needs: tuple[str, ...] = ()


def ready(steps: Sequence[Step], done: set[str], started: set[str]) -> list[Step]:
    """The steps that may start now."""
    return [step for step in steps if step.name not in started and done.issuperset(step.needs)]


def check(steps: Sequence[Step]) -> None:
    """A need that no step fulfils is a mistake in the bed itself: better said than waited for."""
    names = {step.name for step in steps}
    for step in steps:
        for need in step.needs:
            if need not in names:
                raise BedError(f"Step {step.name!r} needs {need!r}, which nothing makes.", "Report this as a bug.")


def run(steps: Sequence[Step], progress: Progress, *, workers: int = 3) -> int:
    """Run every step once and return how many changed something; the first error ends it after the running ones."""
    check(steps)
    pool = ThreadPoolExecutor(max_workers=workers)
    try:
        changed = _Run(steps, progress, pool, workers).to_the_end()
    except KeyboardInterrupt:
        # Waiting for a build to end is not what whoever presses Ctrl-C wants; the next run takes up what is there.
        pool.shutdown(wait=False, cancel_futures=True)
        raise
    pool.shutdown()
    return changed


class _Run:
    """Which steps are done, running and yet to come."""

    def __init__(self, steps: Sequence[Step], progress: Progress, pool: ThreadPoolExecutor, workers: int) -> None:
        self._steps = steps
        self._progress = progress
        self._pool = pool
        self._workers = workers
        self._done: set[str] = set()
        self._started: set[str] = set()
        self._running: dict[Future[tuple[str, float]], Step] = {}
        self._failure: BaseException | None = None
        self._changed = 0

    def to_the_end(self) -> int:
        self._start_ready()
        while self._running:
            finished, _ = wait(self._running, timeout=QUIET_SECONDS, return_when=FIRST_COMPLETED)
            if not finished:
                self._progress.say(f"... {', '.join(step.name for step in self._running.values())}")
            for future in finished:
                self._take(self._running.pop(future), future)
            self._start_ready()
        if self._failure is not None:
            raise self._failure
        if len(self._done) < len(self._steps):
            raise BedError("The steps of the bed need each other in a circle.", "Report this as a bug.")
        return self._changed

    def _start_ready(self) -> None:
        if self._failure is None:
            free = self._workers - len(self._running)
            for step in ready(self._steps, self._done, self._started)[:free]:
                self._started.add(step.name)
                self._running[self._pool.submit(_timed, step)] = step

    def _take(self, step: Step, future: Future[tuple[str, float]]) -> None:
        error = future.exception()
        if error is not None:
            self._progress.say(f"{step.name}: FAILED")
            self._failure = self._failure or error
            return
        result, seconds = future.result()
        self._done.add(step.name)
        if result != UNCHANGED:
            self._changed += 1
            self._progress.say(f"{step.name}: {result} ({seconds:.1f} s)")


def _timed(step: Step) -> tuple[str, float]:
    started = time.monotonic()
    result = step.action()
    return result, time.monotonic() - started
