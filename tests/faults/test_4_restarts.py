"""The engine or the host restarts in the middle of a release: it comes back serving, and the next run is clean."""

from __future__ import annotations

import subprocess

import pytest

from tests.faults.petcare import ROUTED, Petcare
from tests.faults.timeline import Timeline
from tests.faults.under_load import under_load
from tests.faults.variants import NEW, OLD, Variant
from tests.integration.bed_host import ROOT
from tests.load.observations import Request

pytestmark = pytest.mark.bed

BED = ROOT / "molecule/testbed/bed"
PATIENCE = 120
MOMENT = 2.0
"""Seconds for which requests may fail while the engine sets up networks anew."""


def reboot(petcare: Petcare) -> None:
    name = petcare.host.inventory.name.removeprefix("inventory").removeprefix("-") or "petcare1"
    for action in ("stop", "start"):
        subprocess.run([str(BED), "host", action, name], check=True, stdin=subprocess.DEVNULL)


def serves(petcare: Petcare, version: str) -> bool:
    try:
        return petcare.answers() == dict.fromkeys(ROUTED, version)
    except (OSError, ValueError, KeyError):
        return False


def test_the_engine_restarts_while_a_release_starts(petcare: Petcare) -> None:
    """Containers run on, but their network is set up anew: that loses requests for a moment, and not the release."""

    def anything(_request: Request) -> bool:
        return True

    def restart(timeline: Timeline) -> None:
        with (
            timeline.window("the engine restarts", closes=OLD, tolerated=anything),
            petcare.begun(Variant(NEW)) as process,
        ):
            idle = petcare.idle
            petcare.wait_until(lambda: bool(petcare.services_in(idle)), "the new release starts")
            petcare.host.run("systemctl restart docker", check=True)
            # It may get over it, or fail: the next run is clean either way.
            process.wait(PATIENCE)
        with timeline.window("the next run", closes=OLD):
            run = petcare.release(Variant(NEW))
            assert run.ok, run.output
        petcare.assert_serves(NEW)

    report = under_load("engine-restart", petcare.host.inventory, petcare.back_to_old, restart)
    if report.failing:
        first, last = report.failing
        assert last - first < MOMENT, f"requests failed from {first:.2f} s to {last:.2f} s"


@pytest.mark.parametrize(("step", "serving"), [("gate", OLD), ("switch", NEW)])
def test_the_host_restarts_after_a_run_was_killed(petcare: Petcare, step: str, serving: str) -> None:
    petcare.back_to_old()
    assert not petcare.release(Variant(NEW), fault=f"after:{step}").ok
    reboot(petcare)
    petcare.wait_until(lambda: serves(petcare, serving), f"{serving} serves after the restart", PATIENCE)
    run = petcare.release(Variant(NEW))
    assert run.ok, run.output
    petcare.assert_serves(NEW)
    assert petcare.release(Variant(NEW)).changed == []
