"""Figures are judged by what they were asked to stay below."""

from __future__ import annotations

import pytest

from benchmarks.systems.zviewer import Figure, of_times


@pytest.mark.parametrize(
    ("seen", "kept"),
    [
        pytest.param(29.9, True, id="below"),
        pytest.param(30.0, False, id="at"),
        pytest.param(None, False, id="not-seen"),
    ],
)
def test_zvw_08_figure_is_kept_below_its_limit(seen: float | None, kept: bool) -> None:
    figure = Figure("failover", 30, seen, "s", "how")
    assert figure.kept is kept
    assert ("ok" in str(figure)) is kept
    assert ("MISSED" in str(figure)) is not kept


def test_zvw_08_many_times_are_judged_by_their_tail() -> None:
    figure = of_times("discovery", 100, [1.0] * 90 + [500.0] * 10, "asked")
    assert not figure.kept
    assert "median 1.0 ms" in figure.how
