"""What wrk prints, as figures. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

_RATE = re.compile(r"^Requests/sec:\s+([\d.]+)$", re.MULTILINE)
_TAIL = re.compile(r"^\s+99%\s+([\d.]+)(us|ms|s)$", re.MULTILINE)
_FAILURES = re.compile(r"^\s+(Socket errors: .*|Non-2xx or 3xx responses: \d+)$", re.MULTILINE)
_SECONDS = {"us": 1e-6, "ms": 1e-3, "s": 1.0}


class Unusable(ValueError):
    """A turn that says nothing about speed."""


@dataclass(frozen=True)
class Sample:
    """One turn of one contestant."""

    contestant: str
    rate: float
    """Requests/s."""
    tail: float
    """Seconds that 99 % of the requests took at most."""


def read(contestant: str, printed: str) -> Sample:
    """Return what wrk measured; a failed request makes the turn worthless, because refusing is faster than serving."""
    failures = _FAILURES.search(printed)
    if failures:
        raise Unusable(f"{contestant}: {failures[1]}")
    rate, tail = _RATE.search(printed), _TAIL.search(printed)
    if not rate or not tail:
        raise Unusable(f"{contestant}: wrk printed no figures: {printed!r}")
    return Sample(contestant, float(rate[1]), float(tail[1]) * _SECONDS[tail[2]])
