"""One failure with every problem."""

from __future__ import annotations

from ansible_collections.composeops.stack.plugins.module_utils.preflight.model import (
    SUBJECTS,
    Deferred,
    Findings,
    Problem,
    message,
)


def test_every_problem_is_in_the_message_in_the_order_of_the_subjects() -> None:
    text = message([Problem("bucket", "No bucket.", "Create it."), Problem("system", "Old.", "Renew it.")])
    assert text.splitlines() == [
        "2 problems forbid this run; nothing was changed.",
        "1. system: Old. Renew it.",
        "2. bucket: No bucket. Create it.",
    ]


def test_one_problem_is_one() -> None:
    assert message([Problem("disk", "Full.", "Free some.")]).startswith("1 problem forbids this run")


def test_findings_add_up() -> None:
    one, two = Problem("disk", "a", "b"), Problem("ports", "c", "d")
    later = Deferred("compose", "e")
    assert Findings((one,)) + Findings((two,), (later,)) == Findings((one, two), (later,))


def test_what_is_deferred_says_so() -> None:
    assert Deferred("compose", "the file.").sentence() == "not checked yet: compose: the file."


def test_subjects_are_unique() -> None:
    assert len(set(SUBJECTS)) == len(SUBJECTS)
