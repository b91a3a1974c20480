# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a preflight finds: problems that forbid a run, and what could not be looked at yet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

SUBJECTS = (
    "system",
    "variables",
    "secrets",
    "ports",
    "names",
    "disk",
    "memory",
    "clock",
    "compose",
    "images",
    "bucket",
    "monitor",
    "confinement",
)
"""What is looked at, in the order in which problems are reported; an operator can leave one out by its name."""


@dataclass(frozen=True)
class Problem:
    """Something that forbids a run: what is wrong and where, and what to do next."""

    subject: str
    message: str
    remedy: str

    def sentence(self) -> str:
        return f"{self.subject}: {self.message} {self.remedy}"


@dataclass(frozen=True)
class Deferred:
    """Something that could not be looked at yet, and who looks at it before anything depends on it."""

    subject: str
    message: str

    def sentence(self) -> str:
        return f"not checked yet: {self.subject}: {self.message}"


@dataclass(frozen=True)
class Hint:
    """Something that forbids nothing and that an operator should know."""

    subject: str
    message: str

    def sentence(self) -> str:
        return f"hint: {self.subject}: {self.message}"


@dataclass(frozen=True)
class Findings:
    """All that was found."""

    problems: tuple[Problem, ...] = ()
    deferred: tuple[Deferred, ...] = ()
    hints: tuple[Hint, ...] = ()
    facts: Mapping[str, str] = field(default_factory=dict)
    """Facts of Ansible about the host."""

    def __add__(self, other: Findings) -> Findings:
        return Findings(
            self.problems + other.problems,
            self.deferred + other.deferred,
            self.hints + other.hints,
            {**self.facts, **other.facts},
        )


def message(problems: Sequence[Problem]) -> str:
    """Return one text with every problem, in the order of the subjects."""
    ordered = sorted(problems, key=lambda problem: SUBJECTS.index(problem.subject))
    count = "1 problem forbids" if len(ordered) == 1 else f"{len(ordered)} problems forbid"
    lines = [f"{count} this run; nothing was changed."]
    lines += [f"{number}. {problem.sentence()}" for number, problem in enumerate(ordered, 1)]
    return "\n".join(lines)
