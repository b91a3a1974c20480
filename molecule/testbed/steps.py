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
    done: set[str] = set()
    started: set[str] = set()
    running: dict[Future[tuple[str, float]], Step] = {}
    failure: BaseException | None = None
    changed = 0
    with ThreadPoolExecutor(max_workers=workers) as pool:
        while running or len(done) < len(steps):
            if failure is None:
                for step in ready(steps, done, started):
                    started.add(step.name)
                    running[pool.submit(_timed, step)] = step
            if not running:
                break
            finished, _ = wait(running, timeout=QUIET_SECONDS, return_when=FIRST_COMPLETED)
            if not finished:
                progress.say(f"... {', '.join(step.name for step in running.values())}")
            for future in finished:
                step = running.pop(future)
                error = future.exception()
                if error is not None:
                    progress.say(f"{step.name}: FAILED")
                    failure = failure or error
                    continue
                result, seconds = future.result()
                done.add(step.name)
                if result != UNCHANGED:
                    changed += 1
                    progress.say(f"{step.name}: {result} ({seconds:.1f} s)")
    if failure is not None:
        raise failure
    if len(done) < len(steps):
        raise BedError("The steps of the bed need each other in a circle.", "Report this as a bug.")
    return changed


def _timed(step: Step) -> tuple[str, float]:
    started = time.monotonic()
    result = step.action()
    return result, time.monotonic() - started
