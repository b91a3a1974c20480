"""The page of results. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from benchmarks.converge.figures import Figure, figure
from benchmarks.edge.contestants import CONTESTANTS, OURS
from benchmarks.edge.measurement import Sample


def page(samples: Sequence[Sample], facts: Mapping[str, str]) -> str:
    """Return the results as a page: a row for each contestant that took part."""
    own = _rates(samples, OURS)
    rows = []
    for contestant in CONTESTANTS:
        rates = _rates(samples, contestant.name)
        if rates is None:
            continue
        tails = figure([sample.tail * 1000 for sample in samples if sample.contestant == contestant.name])
        cells = [
            contestant.title,
            _spread(rates, ".0f"),
            f"{own.median / rates.median:.2f}" if own else "",
            _spread(tails, ".1f"),
        ]
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(
        [
            "# Requests through the edge: results",
            "",
            "Written by `benchmarks/edge/run`; what is measured and how is in [the README](README.md).",
            "Median (least to most).",
            "",
            *(f"- {name}: {value}" for name, value in facts.items()),
            "",
            "| | requests/s | ours to this one | 99 % within, ms |",
            "| --- | ---: | ---: | ---: |",
            *rows,
            "",
            *(verdicts(samples) or ["Every required ratio was met."]),
            "",
        ]
    )


def verdicts(samples: Sequence[Sample]) -> list[str]:
    """Return a sentence for each requirement that was missed."""
    own = _rates(samples, OURS)
    missed = []
    for contestant in CONTESTANTS:
        rates = _rates(samples, contestant.name)
        if contestant.required is None or own is None or rates is None:
            continue
        ratio = own.median / rates.median
        if ratio < contestant.required:
            missed.append(
                f"Missed: {ratio:.3f} of the requests/s of {contestant.title}, required {contestant.required:g}."
            )
    return missed


def _rates(samples: Sequence[Sample], contestant: str) -> Figure | None:
    taken = [sample.rate for sample in samples if sample.contestant == contestant]
    return figure(taken) if taken else None


def _spread(found: Figure, form: str) -> str:
    return f"{found.median:{form}} ({found.minimum:{form}} to {found.maximum:{form}})"
