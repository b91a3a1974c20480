"""What is sent, how often, and when. Pure."""

from __future__ import annotations

import enum
import heapq
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field


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


@dataclass(frozen=True)
class Target:
    """One service, by a request whose answer names the version that gave it."""

    service: str
    host: str
    path: str
    version_in_body: bool = False
    """Static files have no X-App-Version; the version is the whole body then."""


BACKEND = Target("backend", "app.petcare.com", "/api/version")
TARGETS = (
    BACKEND,
    Target("frontend", "app.petcare.com", "/version.txt", version_in_body=True),
    Target("mobile-backend", "mobile-api.petcare.com", "/version"),
    Target("customer-portal", "customer.petcare.com", "/version"),
)
WRITE = Target("backend", "app.petcare.com", "/api/pets")
SLOW = Target("backend", "app.petcare.com", "/api/slow?seconds=5")
SOCKET = Target("mobile-backend", "mobile-api.petcare.com", "/ws?hello=1")

SHARES: Mapping[Kind, float] = {Kind.KEEP_ALIVE: 0.62, Kind.FRESH: 0.20, Kind.POST: 0.15, Kind.SLOW: 0.03}
"""How the rate divides. Handshakes cost client and server most; slow requests add up, each lasts five seconds."""


@dataclass(frozen=True)
class Mix:
    """Requests per second of each kind, and the WebSockets held open beside them."""

    rates: Mapping[Kind, float] = field(default_factory=lambda: rates(220.0))
    websockets: int = 10
    echo_every: float = 1.0


@dataclass(frozen=True)
class Slot:
    """A request that is due ``at`` seconds after the start, whatever became of those before it."""

    at: float
    kind: Kind
    target: Target


def rates(total: float) -> dict[Kind, float]:
    """Divide a number of requests per second among the kinds."""
    return {kind: total * share for kind, share in SHARES.items()}


def schedule(per_second: Mapping[Kind, float]) -> Iterator[Slot]:
    """Yield every request in order of time, without end: each kind evenly, the kinds out of step with each other."""
    wanted = [(kind, rate) for kind, rate in per_second.items() if rate > 0]
    streams = [_every(kind, 1 / rate, (index + 1) / (len(wanted) + 1)) for index, (kind, rate) in enumerate(wanted)]
    return heapq.merge(*streams, key=lambda slot: slot.at)


def _every(kind: Kind, period: float, phase: float) -> Iterator[Slot]:
    targets = {Kind.POST: (WRITE,), Kind.SLOW: (SLOW,)}.get(kind, TARGETS)
    number = 0
    while True:
        yield Slot((number + phase) * period, kind, targets[number % len(targets)])
        number += 1
