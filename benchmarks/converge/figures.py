"""Repeated measurements as the figures that are reported: median, spread, and ratio to a reference."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """Seconds, of several repetitions of the same thing."""

    median: float
    minimum: float
    maximum: float
    repetitions: int

    def ratio_to(self, reference: Figure) -> float:
        """How many times longer than ``reference`` this took."""
        return self.median / reference.median


def figure(seconds: Sequence[float]) -> Figure:
    """Summarise repetitions; there must be at least one."""
    if not seconds:
        raise ValueError("there is nothing to summarise")
    return Figure(statistics.median(seconds), min(seconds), max(seconds), len(seconds))


def interleaved(names: Sequence[str], repetition: int) -> list[str]:
    """The order of the contestants in one repetition: rotated, so that none always follows the same other one."""
    start = repetition % len(names)
    return [*names[start:], *names[:start]]
