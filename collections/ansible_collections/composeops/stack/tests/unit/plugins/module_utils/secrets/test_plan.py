# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import re

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.errors import InvalidInput
from ansible_collections.composeops.stack.plugins.module_utils.secrets.model import SecretSpec
from ansible_collections.composeops.stack.plugins.module_utils.secrets.plan import (
    generated,
    make_plan,
    problems,
    resulting,
)

GIVEN = "k3Jf82hQzW1mPq"
OTHER = "Zt7yB0vNcR4sLd"


def fake(length: int) -> str:
    return "G" * length


DECISIONS = {
    "a new secret is generated": (SecretSpec("A"), {}, "generate", "G" * 48),
    "a new secret with its length": (SecretSpec("A", length=64), {}, "generate", "G" * 64),
    "an existing secret is kept": (SecretSpec("A"), {"A": OTHER}, "keep", OTHER),
    "an existing secret is kept when the length changes": (SecretSpec("A", length=99), {"A": OTHER}, "keep", OTHER),
    "an existing weak secret is kept": (SecretSpec("A"), {"A": "weak"}, "keep", "weak"),
    "a given value is written": (SecretSpec("A", GIVEN), {}, "write", GIVEN),
    "a given value wins over generation": (SecretSpec("A", GIVEN, generate=True), {}, "write", GIVEN),
    "the same given value changes nothing": (SecretSpec("A", GIVEN), {"A": GIVEN}, "keep", GIVEN),
    "another given value replaces": (SecretSpec("A", GIVEN), {"A": OTHER}, "replace", GIVEN),
    "a run without the vault keeps what an earlier one gave": (
        SecretSpec("A", generate=False),
        {"A": OTHER},
        "keep",
        OTHER,
    ),
}


@pytest.mark.parametrize(("spec", "stored", "action", "value"), DECISIONS.values(), ids=DECISIONS.keys())
def test_decides(spec: SecretSpec, stored: dict[str, str], action: str, value: str) -> None:
    plan = make_plan("shop", [spec], stored)
    assert [decision.action for decision in plan.decisions] == [action]
    assert resulting(plan, [spec], stored, fake) == {"A": value}


def test_an_unlisted_secret_is_kept_and_reported() -> None:
    plan = make_plan("shop", [SecretSpec("A")], {"A": GIVEN, "OLD": OTHER})
    assert plan.unlisted == ("OLD",)
    assert plan.changes == ()
    assert resulting(plan, [SecretSpec("A")], {"A": GIVEN, "OLD": OTHER}, fake)["OLD"] == OTHER


def test_no_sentence_contains_a_value() -> None:
    specs = [SecretSpec("A", GIVEN), SecretSpec("B", OTHER)]
    plan = make_plan("shop", specs, {"B": "another value that is long"})
    said = " ".join(decision.sentence() for decision in plan.changes)
    assert "A" in said
    assert "B" in said
    assert GIVEN not in said
    assert OTHER not in said


def test_a_specification_does_not_show_its_value() -> None:
    assert GIVEN not in repr(SecretSpec("A", GIVEN))


PROBLEMS = {
    "a missing value that somebody else issues": ([SecretSpec("SMTP_PASS", generate=False)], "SMTP_PASS has no value"),
    "a weak value": ([SecretSpec("DB_PASSWORD", "petpass123")], "DB_PASSWORD is refused: it is a well-known password"),
    "a name twice": ([SecretSpec("A"), SecretSpec("A")], "A is listed twice"),
    "a name that is no variable": ([SecretSpec("db-password")], "'db-password' is not the name of a variable"),
    "a generated value too short": ([SecretSpec("A", length=8)], "generate at least 20"),
}


@pytest.mark.parametrize(("specs", "said"), PROBLEMS.values(), ids=PROBLEMS.keys())
def test_refuses(specs: list[SecretSpec], said: str) -> None:
    with pytest.raises(InvalidInput, match=re.escape(said)):
        make_plan("shop", specs, {})


def test_says_all_problems_at_once() -> None:
    specs = [SecretSpec("A", generate=False), SecretSpec("B", "changeme"), SecretSpec("C", generate=False)]
    assert [problem.split()[0] for problem in problems(specs, {})] == ["A", "B", "C"]


def test_generated_values_are_safe_in_urls_and_shells_and_differ() -> None:
    values = {generated(48) for _ in range(100)}
    assert len(values) == 100
    assert all(re.fullmatch(r"[A-Za-z0-9]{48}", value) for value in values)
