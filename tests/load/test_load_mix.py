"""When what is sent."""

from __future__ import annotations

import itertools
from collections import Counter

import pytest

from tests.load.mix import SHARES, Kind, Mix, rates, schedule
from tests.load.systems import PETCARE, SYSTEMS, System

STATIC = System(targets=PETCARE.targets[:1])


def first_seconds(total: float, seconds: float) -> list[tuple[float, Kind, str]]:
    slots = itertools.takewhile(lambda slot: slot.at < seconds, schedule(Mix(rates=rates(total))))
    return [(slot.at, slot.kind, slot.target.service) for slot in slots]


def test_the_shares_are_a_whole() -> None:
    assert sum(SHARES.values()) == pytest.approx(1.0)


def test_every_kind_has_its_rate() -> None:
    counts = Counter(kind for _, kind, _ in first_seconds(200, 10))
    assert counts == {Kind.KEEP_ALIVE: 1240, Kind.FRESH: 400, Kind.POST: 300, Kind.SLOW: 60}


def test_slots_come_in_order_and_evenly_whatever_their_kind() -> None:
    times = [at for at, _, _ in first_seconds(200, 5)]
    assert times == sorted(times)
    for second in range(5):
        assert sum(second <= at < second + 1 for at in times) == pytest.approx(200, abs=4)


def test_no_two_kinds_begin_together() -> None:
    firsts: dict[Kind, float] = {}
    for at, kind, _ in first_seconds(200, 1):
        firsts.setdefault(kind, at)
    assert len(set(firsts.values())) == len(firsts) == 4


def test_services_take_turns() -> None:
    services = [service for _, kind, service in first_seconds(200, 1) if kind is Kind.FRESH]
    assert services[:4] == [target.service for target in PETCARE.targets]
    assert services[:4] == services[4:8]


def test_a_kind_without_a_rate_is_not_sent() -> None:
    slots = itertools.islice(schedule(Mix(rates={Kind.FRESH: 10.0, Kind.SLOW: 0.0})), 100)
    assert {slot.kind for slot in slots} == {Kind.FRESH}


def test_kept_connections_take_the_share_of_what_a_system_has_not() -> None:
    assert rates(100, STATIC) == pytest.approx({Kind.KEEP_ALIVE: 80.0, Kind.FRESH: 20.0})


def test_a_kind_that_a_system_has_nothing_for_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing to ask for post requests"):
        schedule(Mix(STATIC, {Kind.POST: 1.0}))


@pytest.mark.parametrize("name", SYSTEMS)
def test_every_system_is_loaded_at_the_whole_rate(name: str) -> None:
    assert sum(rates(220, SYSTEMS[name]).values()) == pytest.approx(220)
