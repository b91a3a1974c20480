# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Decides what happens to each secret of a stack; pure, and without a value in anything it says."""

from __future__ import annotations

import re
import secrets
import string
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from ansible_collections.composeops.stack.plugins.module_utils.errors import InvalidInput
from ansible_collections.composeops.stack.plugins.module_utils.secrets.model import SecretSpec
from ansible_collections.composeops.stack.plugins.module_utils.secrets.strength import weakness

Action = Literal["generate", "write", "replace", "keep"]

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
SHORTEST_GENERATED = 20
# Letters and digits alone need no quoting in a URL, a shell or a connection string, and never look like an option.
ALPHABET = string.ascii_letters + string.digits


@dataclass(frozen=True)
class Decision:
    """What happens to one secret."""

    name: str
    action: Action
    length: int = 0

    @property
    def origin(self) -> str:
        """Where the value comes from, for a report."""
        return {"generate": "generated", "write": "given", "replace": "given", "keep": "kept"}[self.action]

    def sentence(self) -> str:
        return {
            "generate": f"generate {self.name} ({self.length} characters)",
            "write": f"write {self.name} as given",
            "replace": f"replace {self.name}: the given value differs from the one on the host",
            "keep": f"keep {self.name}",
        }[self.action]


@dataclass(frozen=True)
class SecretsPlan:
    """What happens to the secrets of a stack."""

    decisions: tuple[Decision, ...]
    unlisted: tuple[str, ...]
    """Secrets on the host that the inventory no longer lists: kept, because data may depend on them."""

    @property
    def changes(self) -> tuple[Decision, ...]:
        return tuple(decision for decision in self.decisions if decision.action != "keep")


def problems(specs: Sequence[SecretSpec], stored: Mapping[str, str]) -> list[str]:
    """Return what keeps these secrets from being used, one sentence each, without a value in it."""
    found = []
    seen = set()
    for spec in specs:
        if not NAME.match(spec.name):
            found.append(f"{spec.name!r} is not the name of a variable (letters, digits and underscores)")
        if spec.name in seen:
            found.append(f"{spec.name} is listed twice")
        seen.add(spec.name)
        if spec.value:
            reason = weakness(spec.value, spec.minimum_length)
            if reason:
                found.append(f"{spec.name} is refused: {reason}")
        elif not spec.generate and spec.name not in stored:
            found.append(f"{spec.name} has no value, and it cannot be generated because somebody else issues it")
        elif spec.generate and spec.length < SHORTEST_GENERATED:
            found.append(f"{spec.name} would have {spec.length} characters; generate at least {SHORTEST_GENERATED}")
    return found


def make_plan(stack: str, specs: Sequence[SecretSpec], stored: Mapping[str, str]) -> SecretsPlan:
    """Return what to do, or raise with everything that is wrong at once."""
    wrong = problems(specs, stored)
    if wrong:
        raise InvalidInput(
            f"Secrets of stack {stack}: {'; '.join(wrong)}.",
            "Give the values in the inventory's vault.yml or in the environment of the run, then run again;"
            " nothing was changed.",
        )
    listed = {spec.name for spec in specs}
    return SecretsPlan(
        decisions=tuple(_decide(spec, stored) for spec in specs),
        unlisted=tuple(sorted(set(stored) - listed)),
    )


def resulting(
    plan: SecretsPlan, specs: Sequence[SecretSpec], stored: Mapping[str, str], generate: Callable[[int], str]
) -> dict[str, str]:
    """Return every secret the host holds after ``plan``."""
    given = {spec.name: spec.value for spec in specs}
    values = dict(stored)
    for decision in plan.changes:
        values[decision.name] = generate(decision.length) if decision.action == "generate" else given[decision.name]
    return values


def generated(length: int) -> str:
    """Return a new random value."""
    return "".join(secrets.choice(ALPHABET) for _ in range(length))


def _decide(spec: SecretSpec, stored: Mapping[str, str]) -> Decision:
    if spec.name not in stored:
        return Decision(spec.name, "write") if spec.value else Decision(spec.name, "generate", spec.length)
    if spec.value and spec.value != stored[spec.name]:
        return Decision(spec.name, "replace")
    return Decision(spec.name, "keep")
