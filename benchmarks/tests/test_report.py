"""What the page of results says."""

from __future__ import annotations

from benchmarks.converge import report
from benchmarks.converge.contestants import Scope
from benchmarks.converge.figures import figure
from benchmarks.converge.measurement import FIRST, NO_CHANGE
from benchmarks.converge.report import Results


def results(**no_change: float) -> Results:
    """Results of files and packages at loopback, by contestant."""
    found = Results(facts={"machine": "a test"}, distances=["loopback"])
    for name, seconds in no_change.items():
        found.figures[Scope.FILES_AND_PACKAGES, "loopback", FIRST, name] = figure([2 * seconds])
        found.figures[Scope.FILES_AND_PACKAGES, "loopback", NO_CHANGE, name] = figure([seconds, seconds, seconds + 1])
    found.floor["start of ansible-playbook"] = figure([0.4])
    return found


def test_required_ratios_that_are_reached() -> None:
    found = results(ours=1.0, stock=19.0, mitogen=5.5, pyinfra=5.0)
    assert report.requirement_lines(found) == [
        "- loopback: stock takes 19.0 times as long; required 8: reached",
        "- loopback: mitogen takes 5.5 times as long; required 2: reached",
        "- loopback: pyinfra takes 5.0 times as long; required 2: reached",
    ]
    assert not report.unmet(found)


def test_required_ratio_that_is_missed_is_said_and_counts() -> None:
    found = results(ours=1.0, stock=7.9)
    assert report.requirement_lines(found) == [
        "- loopback: stock takes 7.9 times as long; required 8: **missed**",
    ]
    assert report.unmet(found)


def test_page_has_medians_with_spread_and_ratios_to_ours() -> None:
    page = report.page(results(ours=1.0, stock=19.0))
    assert "- machine: a test" in page
    assert "## Files and packages, loopback" in page
    assert "| composeops.stack | 2.00 | 1.0 | 1.00 (1.00 to 2.00) | 1.0 |" in page
    assert "| stock modules, default settings | 38.00 | 19.0 | 19.00 (19.00 to 20.00) | 19.0 |" in page
    assert "| start of ansible-playbook | 0.40 |" in page


def test_page_leaves_out_what_was_not_measured() -> None:
    page = report.page(results(ours=1.0, stock=19.0))
    assert "Whole host" not in page
    assert "pet-care" not in page
    assert "Mitogen" not in page


def test_without_ours_there_is_no_ratio_and_no_verdict() -> None:
    found = results(stock=19.0)
    assert "| stock modules, default settings | 38.00 | - | 19.00 (19.00 to 20.00) | - |" in report.page(found)
    assert report.requirement_lines(found) == []
