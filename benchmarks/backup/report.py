"""The page of results. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmarks.backup.contestants import BACKUP, MEMORY_LIMIT, OURS, RESTORE, Contestant
from benchmarks.converge.figures import figure


@dataclass(frozen=True)
class Sample:
    """One turn: seconds, and bytes of memory of all processes together and of the largest."""

    kind: str
    contestant: str
    seconds: float
    peak: int
    largest: int


def page(samples: Sequence[Sample], facts: Mapping[str, str], dumped: int) -> str:
    """Return the results as a page; ``dumped`` is the size of the uncompressed dump in bytes."""
    return "\n".join(
        [
            "# A backup and its restore: results",
            "",
            "Written by `benchmarks/backup/run`; what is measured and how is in [the README](README.md).",
            "Median (least to most). Memory is the largest sum of resident bytes of all processes, those in containers "
            "left out, and of the largest process.",
            "",
            *(f"- {name}: {value}" for name, value in facts.items()),
            "",
            *_table("Backup", BACKUP, samples, dumped),
            *_table("Restore", RESTORE, samples, dumped),
            *(verdicts(samples) or ["Every required ratio was met."]),
            "",
        ]
    )


def verdicts(samples: Sequence[Sample]) -> list[str]:
    """Return a sentence for each requirement that was missed."""
    missed = []
    own = _of(samples, "backup", OURS)
    for contestant in BACKUP:
        others = _of(samples, "backup", contestant.name)
        if contestant.required is None or not own or not others:
            continue
        ratio = _median(others) / _median(own)
        if ratio < contestant.required:
            missed.append(f"Missed: {ratio:.2f} times {contestant.title}, required {contestant.required:g}.")
    peak = max((sample.peak for sample in own), default=0)
    if peak >= MEMORY_LIMIT:
        missed.append(f"Missed: {peak / 1e6:.0f} MB of memory, required less than {MEMORY_LIMIT / 1e6:.0f}.")
    return missed


def _table(title: str, contestants: Sequence[Contestant], samples: Sequence[Sample], dumped: int) -> list[str]:
    kind = title.lower()
    rows = []
    own = _of(samples, kind, OURS)
    for contestant in contestants:
        taken = _of(samples, kind, contestant.name)
        if not taken:
            continue
        seconds = figure([sample.seconds for sample in taken])
        cells = [
            contestant.title,
            f"{seconds.median:.1f} ({seconds.minimum:.1f} to {seconds.maximum:.1f})",
            f"{dumped / seconds.median / 1e6:.0f}",
            f"{seconds.median / _median(own):.2f}" if own else "",
            f"{max(sample.peak for sample in taken) / 1e6:.0f}",
            f"{max(sample.largest for sample in taken) / 1e6:.0f}",
        ]
        rows.append(f"| {' | '.join(cells)} |")
    header = "| | seconds | MB/s of the dump | time, ours = 1 | memory, all, MB | largest, MB |"
    return [f"## {title}", "", header, "| --- | ---: | ---: | ---: | ---: | ---: |", *rows, ""] if rows else []


def _of(samples: Sequence[Sample], kind: str, contestant: str) -> list[Sample]:
    return [sample for sample in samples if (sample.kind, sample.contestant) == (kind, contestant)]


def _median(samples: Sequence[Sample]) -> float:
    return figure([sample.seconds for sample in samples]).median
