"""Carries out what a test does while clients use the system, and judges what they saw."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.timeline import Timeline
from tests.integration.bed_host import ROOT
from tests.load.process import Load
from tests.load.report import Report, Verdict

ATTEMPTS = 3
"""Of a run in which the generator itself fell behind; nothing else is done twice."""
REPORTS = ROOT / ".cache/tests/faults"

Scenario = Callable[[Timeline], None]


def under_load(name: str, inventory: Path, begin: Callable[[], None], scenario: Scenario) -> Report:
    """Carry out ``scenario`` under load from the state that ``begin`` brings about; fail when a client saw anything."""
    for attempt in range(1, ATTEMPTS + 1):
        begin()
        timeline = Timeline()
        with Load(inventory) as load:
            scenario(timeline)
        report = load.report
        problems = timeline.problems(report)
        text = "\n".join([f"{name}, attempt {attempt}", str(timeline), "", str(report), "", *problems])
        REPORTS.mkdir(parents=True, exist_ok=True)
        (REPORTS / f"{name}-{attempt}.txt").write_text(f"{text}\n", encoding="utf-8")
        if report.verdict is not Verdict.INVALID:
            assert not problems, text
            return report
    pytest.fail(f"the load generator fell behind {ATTEMPTS} times: this machine is too busy to tell anything\n{text}")
