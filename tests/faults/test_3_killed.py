"""Runs that die, of SIGKILL, after every step and as a whole: the next run finishes or undoes, and nobody notices.

Each row of the table "when the run dies after it" in docs/releases.md is shown here.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.faults.deaths import DEATHS, OPTIONS
from tests.faults.petcare import ROUTED, Petcare
from tests.faults.timeline import Timeline
from tests.faults.under_load import under_load
from tests.faults.variants import NEW, OLD, Variant

pytestmark = pytest.mark.bed

STEPS = list(DEATHS)


@pytest.mark.parametrize(
    "steps",
    [
        pytest.param(STEPS[: STEPS.index("switch")], id="before-the-switch"),
        pytest.param(STEPS[STEPS.index("switch") :], id="from-the-switch-on"),
    ],
)
def test_rfx_05_a_run_that_is_killed_after_a_step(petcare: Petcare, steps: Sequence[str]) -> None:
    def die(timeline: Timeline) -> None:
        serving, other = OLD, NEW
        for step in steps:
            death, options = DEATHS[step], OPTIONS.get(step, {})
            release = Variant(other, options=options)
            with timeline.window(f"killed after {step}", closes=serving if death.old_stopped else ""):
                run = petcare.release(release, fault=f"after:{step}")
                # Not even a result came: nothing but SIGKILL ends a module so.
                assert "deserialization failed" in "".join(run.failures), f"not killed after {step}:\n{run.output}"
                if not death.committed:
                    assert bool(petcare.services_in(petcare.idle)) == death.new_runs, step
                if step != "canary":
                    expected = other if death.new_serves else serving
                    assert petcare.answers() == dict.fromkeys(ROUTED, expected), step
            doing = "finished" if death.again else "undone"
            with timeline.window(f"{doing} by the next run", closes=serving if death.again else ""):
                run = petcare.release(release if death.again else Variant(serving, options=options))
                assert run.ok, run.output
                serving, other = (other, serving) if death.again else (serving, other)
                petcare.assert_serves(serving)
                assert not petcare.release(Variant(serving, options=options)).changed

    under_load(f"killed-{steps[0]}-to-{steps[-1]}", petcare.host.inventory, petcare.back_to_old, die)


def test_rfx_05_an_ansible_playbook_that_is_killed(petcare: Petcare) -> None:
    """What runs on the host does not notice, and goes on; the next run waits for it."""

    def die(timeline: Timeline) -> None:
        with timeline.window("ansible-playbook is killed", closes=OLD):
            with petcare.begun(Variant(NEW)) as process:
                idle = petcare.idle
                petcare.wait_until(lambda: bool(petcare.services_in(idle)), "the new release starts")
                os.killpg(process.pid, signal.SIGKILL)
            run = petcare.release(Variant(NEW, options={"lock_wait": 120}))
            assert run.ok, run.output
        petcare.assert_serves(NEW)

    under_load("killed-playbook", petcare.host.inventory, petcare.back_to_old, die)


def test_two_deploys_at_once(petcare: Petcare) -> None:
    """One wins; the other says who holds the lock, or waits."""

    def race(timeline: Timeline) -> None:
        with timeline.window("two at once", closes=OLD), petcare.another_operator() as other:
            with ThreadPoolExecutor() as both:
                first = both.submit(petcare.release, Variant(NEW))
                petcare.wait_until(petcare.locked, "the first run holds the lock")
                refused = petcare.release(Variant(NEW), by=other)
                assert not refused.ok, "two runs released at once"
                (message,) = refused.failures
                assert "petcare" in message
                assert "lock_wait" in message
                waiting = petcare.release(Variant(NEW, options={"lock_wait": 120}), by=other)
                won = first.result()
            assert won.ok, won.output
            assert waiting.ok, waiting.output
            assert waiting.changed == [], "the second run released again what the first had released"
        petcare.assert_serves(NEW)

    under_load("two-at-once", petcare.host.inventory, petcare.back_to_old, race)
