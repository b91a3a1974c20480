"""What is sent, how often, and when. Pure."""

from __future__ import annotations

import enum
import heapq
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from tests.load.systems import PETCARE, System, Target


class Kind(enum.Enum):
    """A kind of request; each is counted and judged on its own."""

    FRESH = "fresh"
    """A connection for this request alone: a TCP and a TLS handshake each time."""
    KEEP_ALIVE = "keep-alive"
    """A connection that was idle for a while: what a reload, a restart or a replaced container can cut."""
    POST = "post"
    """A write on a kept connection; its answer acknowledges it."""
    SLOW = "slow"
    """An answer that takes seconds, so that one is always under way."""
    WEBSOCKET = "websocket"
    """The opening of a WebSocket; not scheduled, a client opens one whenever it has none."""


SHARES: Mapping[Kind, float] = {Kind.KEEP_ALIVE: 0.62, Kind.FRESH: 0.20, Kind.POST: 0.15, Kind.SLOW: 0.03}
"""How the rate divides. Handshakes cost client and server most; slow requests add up, each lasts five seconds."""


@dataclass(frozen=True)
class Mix:
    """What is asked of which system: requests per second of each kind, and the WebSockets held open beside them."""

    system: System = PETCARE
    rates: Mapping[Kind, float] = field(default_factory=lambda: rates(220.0))
    websockets: int = 10
    echo_every: float = 1.0


@dataclass(frozen=True)
class Slot:
    """A request that is due ``at`` seconds after the start, whatever became of those before it."""

    at: float
    kind: Kind
    target: Target


def rates(total: float, system: System = PETCARE) -> dict[Kind, float]:
    """Divide a number of requests per second among the kinds; kept connections take the share of those it has not."""
    shares = dict(SHARES)
    for kind, target in ((Kind.POST, system.write), (Kind.SLOW, system.slow)):
        if target is None:
            shares[Kind.KEEP_ALIVE] += shares.pop(kind)
    return {kind: total * share for kind, share in shares.items()}


def schedule(mix: Mix) -> Iterator[Slot]:
    """Yield every request in order of time, without end: each kind evenly, the kinds out of step with each other."""
    wanted = [(kind, rate) for kind, rate in mix.rates.items() if rate > 0]
    streams = [
        _every(kind, _asked(mix.system, kind), 1 / rate, (index + 1) / (len(wanted) + 1))
        for index, (kind, rate) in enumerate(wanted)
    ]
    return heapq.merge(*streams, key=lambda slot: slot.at)


def _asked(system: System, kind: Kind) -> tuple[Target, ...]:
    alone = {Kind.POST: system.write, Kind.SLOW: system.slow}
    target = alone.get(kind)
    if kind in alone and target is None:
        raise ValueError(f"the system has nothing to ask for {kind.value} requests")
    return (target,) if target else system.targets


def _every(kind: Kind, targets: tuple[Target, ...], period: float, phase: float) -> Iterator[Slot]:
    number = 0
    while True:
        yield Slot((number + phase) * period, kind, targets[number % len(targets)])
        number += 1
