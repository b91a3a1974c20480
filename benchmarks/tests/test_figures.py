"""Medians, spreads, ratios, and the order of the contestants."""

from __future__ import annotations

import pytest

from benchmarks.converge.figures import Figure, figure, interleaved


def test_figure_is_median_with_spread() -> None:
    assert figure([5.0, 1.0, 9.0, 2.0, 3.0]) == Figure(median=3.0, minimum=1.0, maximum=9.0, repetitions=5)


def test_one_repetition_is_its_own_median() -> None:
    assert figure([1.5]) == Figure(median=1.5, minimum=1.5, maximum=1.5, repetitions=1)


def test_no_repetitions_are_refused() -> None:
    with pytest.raises(ValueError, match="nothing to summarise"):
        figure([])


def test_ratio_is_of_medians() -> None:
    assert figure([16.0, 12.0, 40.0]).ratio_to(figure([2.0, 1.0, 9.0])) == 8.0


@pytest.mark.parametrize(
    ("repetition", "expected"),
    [(0, ["a", "b", "c"]), (1, ["b", "c", "a"]), (2, ["c", "a", "b"]), (3, ["a", "b", "c"])],
)
def test_order_rotates(repetition: int, expected: list[str]) -> None:
    assert interleaved(["a", "b", "c"], repetition) == expected
