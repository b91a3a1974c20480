# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What has to change between the files that Traefik reads and those wanted, and in which order; pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ansible_collections.composeops.stack.plugins.module_utils.edge.traefik.render import SITES
from ansible_collections.composeops.stack.plugins.module_utils.release import traefik_file

Tree = Mapping[str, str]
"""File name to content."""


@dataclass(frozen=True)
class FileChange:
    """One file: None before means new, None after means removed."""

    name: str
    before: str | None
    after: str | None

    @property
    def sentence(self) -> str:
        verb = "add" if self.before is None else "remove" if self.after is None else "change"
        return f"{verb} {describe(self.name)}"


@dataclass(frozen=True)
class Plan:
    """The changes."""

    files: tuple[FileChange, ...] = ()

    @property
    def sentences(self) -> list[str]:
        return [change.sentence for change in self.files]

    def diff(self, base: str) -> list[dict[str, str]]:
        """Return the changes the way Ansible shows them."""
        return [
            {
                "before_header": f"{base}/{change.name}",
                "after_header": f"{base}/{change.name}",
                "before": change.before or "",
                "after": change.after or "",
            }
            for change in self.files
        ]


def make_plan(wanted: Tree, observed: Tree) -> Plan:
    """Compare what is to be there with what is."""
    return Plan(
        tuple(
            FileChange(name, observed.get(name), wanted.get(name))
            for name in sorted({*wanted, *observed})
            if observed.get(name) != wanted.get(name)
        )
    )


def stages(wanted: Tree, observed: Tree) -> list[dict[str, str]]:
    """Return the states to go through, the last of which is the one wanted.

    Names lead to services in another file, and Traefik reads the files one after the other. So services come before
    what leads to them, and go after it.
    """
    both = {
        name: _with_services_of(name, text, observed.get(name)) if name != SITES else observed.get(name, "")
        for name, text in wanted.items()
    }
    first = {**observed, **{name: text for name, text in both.items() if text}}
    second = {**first, SITES: wanted[SITES]}
    found: list[dict[str, str]] = []
    for stage in (first, second, dict(wanted)):
        if stage != (found[-1] if found else dict(observed)):
            found.append(stage)
    return found


def describe(name: str) -> str:
    """Return what an operator calls a file."""
    if name == SITES:
        return "the sites"
    return f"services of stack {traefik_file.stack_of(name)}"


def _with_services_of(name: str, text: str, before: str | None) -> str:
    """Return the file of a stack with what it had as well."""
    if not before:
        return text
    choice, new = traefik_file.parse(text)
    _, old = traefik_file.parse(before)
    kinds = sorted({*new, *old})
    merged = {kind: {**(old.get(kind) or {}), **(new.get(kind) or {})} for kind in kinds}
    return traefik_file.render(traefik_file.stack_of(name), choice, merged)
