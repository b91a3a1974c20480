"""How the figures of the integrated system are read."""

from __future__ import annotations

import pytest

from benchmarks.systems.integrated import Figure, first_failure

LOG = """\
2026-01-31T12:00:00Z watching 3 checks, every 30 s, after 30 s
2026-01-31T12:01:00Z backend failed (1 of 3): it answered 503, not 200.
2026-01-31T12:01:30Z backend passes again
2026-01-31T12:03:00Z frontend failed (1 of 3): Nothing listens on 127.0.0.1:3000.
2026-01-31T12:03:10Z backend failed (1 of 3): 127.0.0.1:8000 did not answer within 10 s.
2026-01-31T12:03:40Z backend failed (2 of 3): 127.0.0.1:8000 did not answer within 10 s.
"""
NOON = 1_769_860_800.0


@pytest.mark.parametrize(("since", "seen"), [(0.5, 60), (61, 190), (190.9, 190), (191, None)])
def test_first_failure_since_the_fault_is_found(since: float, seen: float | None) -> None:
    found = first_failure(LOG, NOON + since)
    assert found == (None if seen is None else NOON + seen)


def test_figure_says_whether_it_is_kept() -> None:
    assert str(Figure("serves again", 120, 111.2)).endswith("111.2 s  ok")
    assert str(Figure("serves again", 120, float("inf"))).endswith("inf s  MISSED")
