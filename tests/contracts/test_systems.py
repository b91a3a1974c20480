"""docs/systems.md answers for every requirement: by tests that there are, or with "not yet" and why."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/systems.md"
COLLECTION = ROOT / "collections/ansible_collections/composeops/stack"
REQUIREMENTS = {"PET": 11, "ZVW": 9, "INT": 7, "RFX": 7, "SAG": 8}
"""How many each system has; they are numbered from 1."""
IDS = [f"{system}-{number:02}" for system, count in REQUIREMENTS.items() for number in range(1, count + 1)]
COLUMNS = ("id", "requirement", "how it is met", "shown by", "measured, and what is left")


def rows() -> dict[str, dict[str, str]]:
    """Return the rows of the page by their ids."""
    found: dict[str, dict[str, str]] = {}
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if cells and re.fullmatch(r"[A-Z]{3}-\d\d", cells[0]):
            assert len(cells) == len(COLUMNS), f"{cells[0]} has {len(cells)} cells"
            assert cells[0] not in found, f"{cells[0]} is there twice"
            found[cells[0]] = dict(zip(COLUMNS, cells, strict=True))
    return found


def folders() -> list[Path]:
    """Return where tests lie that a run of all tests collects."""
    scenarios = [
        yaml.safe_load(path.read_text(encoding="utf-8")) for path in (ROOT / "molecule").glob("*/molecule.yml")
    ]
    verified = [(ROOT / "molecule/any" / scenario["verifier"]["directory"]).resolve() for scenario in scenarios]
    return [ROOT / "tests", COLLECTION / "tests/unit", ROOT / "benchmarks", *verified]


def known_tests() -> set[str]:
    """Return the names of all tests."""
    names = set()
    for path in {path for folder in folders() for path in folder.rglob("test_*.py")}:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        names |= {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    return {name for name in names if name.startswith("test_")}


def test_every_requirement_has_its_row_in_order() -> None:
    assert list(rows()) == IDS


def test_the_tests_that_are_named_exist() -> None:
    there = known_tests()
    named = {
        (identifier, name)
        for identifier, row in rows().items()
        for name in re.findall(r"`(test_\w+)`", row["shown by"])
    }
    assert sorted((identifier, name) for identifier, name in named if name not in there) == []


@pytest.mark.parametrize("identifier", IDS)
def test_a_requirement_is_shown_by_tests_or_said_not_to_be_met_yet(identifier: str) -> None:
    row = rows()[identifier]
    shown = re.findall(r"`test_\w+`", row["shown by"])
    reason = re.search(r"not yet: \S+ \S+", " ".join(row.values()))
    assert shown or reason, f"{identifier} is shown by no test, and no cell says `not yet: ` and why"
