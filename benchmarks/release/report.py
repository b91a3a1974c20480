"""The page of results. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from benchmarks.converge.figures import figure
from benchmarks.converge.report import table
from benchmarks.release.contestants import CONTESTANTS, NEW, OLD
from benchmarks.release.measurement import AFTER, BEFORE, Sample
from tests.load.table import counted

COLUMNS: Sequence[tuple[str, Callable[[Sample], float], str]] = (
    ("requests", lambda sample: sample.sent, ".0f"),
    ("failed", lambda sample: sample.failed, ".0f"),
    ("of these keep-alive races", lambda sample: sample.keep_alive_races, ".0f"),
    ("longest outage of a service, s", lambda sample: sample.outage, ".2f"),
    ("command, s", lambda sample: sample.command, ".1f"),
    ("first new answer, s", lambda sample: sample.first_new, ".1f"),
    ("all services new, s", lambda sample: sample.all_new, ".1f"),
    ("old and new mixed, s", lambda sample: sample.both, ".1f"),
    ("longest without a WebSocket, s", lambda sample: sample.without_websocket, ".2f"),
    ("acknowledged writes lost", lambda sample: sample.lost_writes, ".0f"),
)


def page(samples: Sequence[Sample], facts: Mapping[str, str], rate: float) -> str:
    """Return the whole page: a row for each contestant, medians with their range."""
    taken = [
        (contestant, own)
        for contestant in CONTESTANTS
        if (own := [sample for sample in samples if sample.contestant == contestant.name])
    ]
    rows = [
        [contestant.title, *(spread([value(sample) for sample in own], form) for _, value, form in COLUMNS)]
        for contestant, own in taken
    ]
    details = [
        f"- {contestant.title}: failed {totals([sample.failed_by_kind for sample in own]) or 'none'}; "
        f"WebSockets closed by code {totals([sample.closes for sample in own]) or 'none'}"
        for contestant, own in taken
    ]
    return "\n".join(
        [
            "# A release under load: results",
            "",
            "Written by `benchmarks/release/run`; what is measured and how is in [the README](README.md).",
            f"{rate:.0f} requests/s through the edge, from {BEFORE:g} s before the upgrade {OLD} to {NEW} until "
            f"{AFTER:g} s after it. Median (least to most); seconds count from the start of the command.",
            "",
            *(f"- {name}: {value}" for name, value in facts.items()),
            "",
            *table(["", *(title for title, _, _ in COLUMNS)], rows),
            "By kind, all repetitions together:",
            "",
            *details,
            "",
        ]
    )


def spread(values: Sequence[float], form: str) -> str:
    """Return the median, and the range when there is one."""
    found = figure(values)
    if found.minimum == found.maximum:
        return f"{found.median:{form}}"
    return f"{found.median:{form}} ({found.minimum:{form}} to {found.maximum:{form}})"


def totals(counts: Sequence[Mapping[str, int]] | Sequence[Mapping[int, int]]) -> str:
    """Return the sum of several counts as text."""
    added: dict[object, int] = {}
    for one in counts:
        for key, count in one.items():
            added[key] = added.get(key, 0) + count
    return counted(added)
