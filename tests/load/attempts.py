"""A run under load that counts: done again where the generator itself fell behind, for then it tells nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import pytest

from tests.load.process import Load
from tests.load.report import Report, Verdict

ATTEMPTS = 3
"""Of a run in which the generator itself fell behind; nothing else is done twice."""

Outcome = TypeVar("Outcome")


def under_load(
    load: Callable[[], Load], scenario: Callable[[], Outcome], *, begin: Callable[[], object] = lambda: None
) -> tuple[Report, Outcome]:
    """Carry out ``scenario`` under ``load``, from the state that ``begin`` brings about; return what clients saw."""
    for _ in range(ATTEMPTS):
        begin()
        with load() as running:
            outcome = scenario()
        if running.report.verdict is not Verdict.INVALID:
            return running.report, outcome
    pytest.fail(
        f"the load generator fell behind {ATTEMPTS} times: this machine is too busy to tell anything\n{running.report}"
    )
