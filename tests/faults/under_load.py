"""Carries out what a test does while clients use the system, and judges what they saw."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.faults.timeline import Timeline
from tests.integration.bed_host import ROOT
from tests.load import attempts
from tests.load.process import Load
from tests.load.report import Report

REPORTS = ROOT / ".cache/tests/faults"

Scenario = Callable[[Timeline], None]


def under_load(name: str, inventory: Path, begin: Callable[[], None], scenario: Scenario) -> Report:
    """Carry out ``scenario`` under load from the state that ``begin`` brings about; fail when a client saw anything."""

    def carried_out() -> Timeline:
        timeline = Timeline()
        scenario(timeline)
        return timeline

    report, timeline = attempts.under_load(lambda: Load(inventory), carried_out, begin=begin)
    problems = timeline.problems(report)
    text = "\n".join([name, str(timeline), "", str(report), "", *problems])
    REPORTS.mkdir(parents=True, exist_ok=True)
    (REPORTS / f"{name}.txt").write_text(f"{text}\n", encoding="utf-8")
    assert not problems, text
    return report
