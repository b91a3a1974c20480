"""The page of results."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from benchmarks.converge.contestants import CONTESTANTS, OURS, Contestant, Scope
from benchmarks.converge.figures import Figure
from benchmarks.converge.measurement import FIRST, NO_CHANGE

REQUIRED = {"stock": 8.0, "mitogen": 2.0, "pyinfra": 2.0}
"""How many times longer than ours a no-change converge of files and packages must take the others."""

Key = tuple[Scope, str, str, str]
"""Scope, distance, kind of converge, name of the contestant."""


@dataclass
class Results:
    """Everything a run has found out."""

    facts: dict[str, str] = field(default_factory=dict)
    distances: list[str] = field(default_factory=list)
    figures: dict[Key, Figure] = field(default_factory=dict)
    floor: dict[str, Figure] = field(default_factory=dict)
    whole_system: dict[str, Figure] = field(default_factory=dict)
    """Seconds of a no-change run of the pet-care system's own playbook, by distance."""
    notes: list[str] = field(default_factory=list)


def seconds(figure: Figure | None) -> str:
    """The median with its spread."""
    if figure is None:
        return "-"
    if figure.repetitions == 1:
        return f"{figure.median:.2f}"
    return f"{figure.median:.2f} ({figure.minimum:.2f} to {figure.maximum:.2f})"


def ratio(figure: Figure | None, reference: Figure | None) -> str:
    """How many times longer than the reference."""
    return "-" if figure is None or reference is None else f"{figure.ratio_to(reference):.1f}"


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A table in Markdown: first column text, the others figures."""
    return [
        f"| {' | '.join(header)} |",
        f"| --- |{' ---: |' * (len(header) - 1)}",
        *(f"| {' | '.join(row)} |" for row in rows),
        "",
    ]


def requirement_lines(results: Results) -> list[str]:
    """Say of each required ratio whether it is reached, at every distance measured."""
    lines = []
    for distance in results.distances:
        ours = results.figures.get((Scope.FILES_AND_PACKAGES, distance, NO_CHANGE, OURS.name))
        for name, wanted in REQUIRED.items():
            other = results.figures.get((Scope.FILES_AND_PACKAGES, distance, NO_CHANGE, name))
            if ours is None or other is None:
                continue
            reached = other.ratio_to(ours)
            verdict = "reached" if reached >= wanted else "**missed**"
            lines.append(f"- {distance}: {name} takes {reached:.1f} times as long; required {wanted:g}: {verdict}")
    return lines


def contestants_table(results: Results, scope: Scope, distance: str) -> list[str]:
    """Everyone who was measured in this scope at this distance, ours first."""

    def row(contestant: Contestant) -> list[str] | None:
        first, again = (results.figures.get((scope, distance, kind, contestant.name)) for kind in (FIRST, NO_CHANGE))
        our_first, our_again = (results.figures.get((scope, distance, kind, OURS.name)) for kind in (FIRST, NO_CHANGE))
        if first is None and again is None:
            return None
        return [
            contestant.title,
            seconds(first),
            ratio(first, our_first),
            seconds(again),
            ratio(again, our_again),
        ]

    rows = [found for contestant in CONTESTANTS if (found := row(contestant)) is not None]
    return table(["", "first converge", "ratio", "nothing to change", "ratio"], rows) if rows else []


def page(results: Results) -> str:
    """The whole page; seconds are medians with their range, ratios are to ours."""
    lines = [
        "# Converging a host: results",
        "",
        "Written by `benchmarks/converge/run`; what is measured and how is in [the README](../README.md).",
        "Wall-clock seconds, median (fastest to slowest). A ratio says how many times longer than ours.",
        "",
    ]
    lines += [f"- {name}: {value}" for name, value in results.facts.items()]
    lines.append("")
    for scope in Scope:
        for distance in results.distances:
            rows = contestants_table(results, scope, distance)
            if rows:
                lines += [f"## {scope.value.capitalize()}, {distance}", "", *rows]
    if results.whole_system:
        lines += ["## The whole pet-care host, nothing to change: `playbooks/site.yml`", ""]
        lines += table(["", "seconds"], [[name, seconds(figure)] for name, figure in results.whole_system.items()])
    lines += ["## The floor", ""]
    lines += table(["", "seconds"], [[name, seconds(figure)] for name, figure in results.floor.items()])
    required = requirement_lines(results)
    if required:
        lines += ["## Required ratios, nothing to change, files and packages", "", *required, ""]
    if results.notes:
        lines += ["## Left out, and what else to know", "", *(f"- {note}" for note in results.notes), ""]
    return "\n".join(lines)


def left_out(contestants: Sequence[Contestant]) -> list[str]:
    """What a contestant was not asked for, and why."""
    return [f"{contestant.title}: {contestant.left_out}." for contestant in contestants if contestant.left_out]


def unmet(results: Results) -> bool:
    """Whether a required ratio was missed."""
    return any("missed" in line for line in requirement_lines(results))
