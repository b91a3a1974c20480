"""The deaths of a release are those of its steps, all of them."""

from __future__ import annotations

from ansible_collections.composeops.stack.plugins.module_utils.release.colour_plan import STEPS

from tests.faults.deaths import DEATHS, ELSEWHERE


def test_every_step_is_died_after() -> None:
    assert list(DEATHS) == [step for step in STEPS if step not in ELSEWHERE]
