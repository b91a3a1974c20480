"""What a run means: failures by kind, outages, versions, WebSockets, and whether the generator itself kept up. Pure."""

from __future__ import annotations

import enum
import itertools
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from tests.load import observations
from tests.load.mix import Kind
from tests.load.observations import Request, Run, Session, Writes


class Verdict(enum.Enum):
    PASSED = "passed"
    FAILED = "failed"
    INVALID = "invalid"
    """The generator fell behind its own clock: what the clients saw says nothing about the system."""


@dataclass(frozen=True)
class Limits:
    """How late the generator may send, in seconds."""

    lag_p99: float = 0.1
    lag_longest: float = 1.0


@dataclass(frozen=True)
class KindReport:
    """Requests of one kind; seconds of those that were answered rightly, from when each was due."""

    sent: int
    failed: int
    errors: Mapping[str, int]
    median: float
    p99: float
    longest: float


@dataclass(frozen=True)
class Gap:
    """The longest time in which no request to a service was answered rightly."""

    service: str
    seconds: float
    begins: float


@dataclass(frozen=True)
class VersionReport:
    """When a version of a service answered, by the end of its answers."""

    service: str
    version: str
    first: float
    last: float
    answers: int


@dataclass(frozen=True)
class SocketReport:
    """The WebSockets; which closes are right is for the caller to judge."""

    clients: int
    opened: int
    echoes: int
    closes: Mapping[int, int]
    """By close code, those by the server alone."""
    longest_without: float
    """The longest time that a client had none open."""


@dataclass(frozen=True)
class Report:
    """The judgement of a run."""

    run: Run
    verdict: Verdict
    reasons: tuple[str, ...]
    """Why it did not pass, a sentence each."""
    sent: int
    failed: int
    keep_alive_races: int
    """Among the failed."""
    failing: tuple[float, float] | None
    """When the first and the last failed request was due."""
    lag_p99: float
    lag_longest: float
    kinds: Mapping[Kind, KindReport]
    gaps: tuple[Gap, ...]
    versions: tuple[VersionReport, ...]
    sockets: SocketReport
    writes: Writes = field(default_factory=Writes)

    @property
    def passed(self) -> bool:
        return self.verdict is Verdict.PASSED

    @property
    def outage(self) -> Gap:
        """The longest gap of any service."""
        return max(self.gaps, key=lambda gap: gap.seconds, default=Gap("", 0.0, 0.0))

    def __str__(self) -> str:
        from tests.load.table import text

        return text(self)


def judge(run: Run, limits: Limits | None = None) -> Report:
    """Judge a run."""
    allowed = limits or Limits()
    lags = [request.sent - request.scheduled for request in run.requests]
    lag_p99, lag_longest = percentile(lags, 0.99), max(lags, default=0.0)
    kinds = {
        kind: _kind(requests)
        for kind in Kind
        if (requests := [request for request in run.requests if request.kind is kind])
    }
    if run.sessions:
        kinds[Kind.WEBSOCKET] = _openings(run.sessions)
    failed = sum(kind.failed for kind in kinds.values())
    late = _late(lag_p99, lag_longest, allowed)
    wrong = _wrong(run, failed)
    return Report(
        run=run,
        verdict=Verdict.INVALID if late else Verdict.FAILED if wrong else Verdict.PASSED,
        reasons=(*late, *wrong),
        sent=sum(kind.sent for kind in kinds.values()),
        failed=failed,
        keep_alive_races=sum(request.error == observations.KEEP_ALIVE_RACE for request in run.requests),
        failing=_failing(run.requests),
        lag_p99=lag_p99,
        lag_longest=lag_longest,
        kinds=kinds,
        gaps=_gaps(run),
        versions=_versions(run.requests),
        sockets=_sockets(run),
        writes=run.writes,
    )


def percentile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that at least ``share`` of them do not exceed; 0 of none."""
    return sorted(values)[math.ceil(share * len(values)) - 1] if values else 0.0


def _late(lag_p99: float, lag_longest: float, allowed: Limits) -> list[str]:
    """Say how the generator fell behind, if it did."""
    found = []
    for what, lag, limit in (
        ("99 % of the requests within", lag_p99, allowed.lag_p99),
        ("the latest request", lag_longest, allowed.lag_longest),
    ):
        if lag > limit:
            found.append(
                f"the generator fell behind: it sent {what} {lag * 1000:.0f} ms after they were due, "
                f"{limit * 1000:.0f} ms are allowed; run it again on a less busy machine"
            )
    return found


def _wrong(run: Run, failed: int) -> list[str]:
    reasons = []
    if not run.requests:
        reasons.append("nothing was sent")
    if failed:
        reasons.append(f"{failed} requests failed")
    writes = run.writes
    if writes.unread:
        reasons.append(f"acknowledged writes could not be compared with the database: {writes.unread}")
    for what, ids in (
        ("are not in the database", writes.missing),
        ("are in the database more than once", writes.repeated),
        ("are in the database under another id", writes.renumbered),
    ):
        if ids:
            reasons.append(f"{len(ids)} acknowledged writes {what}, the first is {ids[0]}")
    return reasons


def _kind(requests: Sequence[Request]) -> KindReport:
    return _kind_report(
        errors=[request.error for request in requests if request.error],
        seconds=[request.ended - request.scheduled for request in requests if request.ok],
        sent=len(requests),
    )


def _openings(sessions: Sequence[Session]) -> KindReport:
    return _kind_report(
        errors=[session.error for session in sessions if session.error],
        seconds=[session.opened - session.asked for session in sessions if session.opened is not None],
        sent=len(sessions),
    )


def _kind_report(*, errors: Sequence[str], seconds: Sequence[float], sent: int) -> KindReport:
    return KindReport(
        sent=sent,
        failed=len(errors),
        errors=dict(Counter(errors).most_common()),
        median=percentile(seconds, 0.5),
        p99=percentile(seconds, 0.99),
        longest=max(seconds, default=0.0),
    )


def _failing(requests: Iterable[Request]) -> tuple[float, float] | None:
    due = [request.scheduled for request in requests if not request.ok]
    return (min(due), max(due)) if due else None


def _gaps(run: Run) -> tuple[Gap, ...]:
    """Return the gap of each service, longest first.

    Slow requests are left out: their answers come seconds after the service is back.
    """
    ends: dict[str, list[float]] = {}
    for request in run.requests:
        if request.kind is not Kind.SLOW:
            seen = ends.setdefault(request.service, [])
            if request.ok:
                seen.append(min(request.ended, run.seconds))
    gaps = []
    for service, answered in ends.items():
        marks = [0.0, *sorted(answered), run.seconds]
        seconds, begins = max((after - before, before) for before, after in itertools.pairwise(marks))
        gaps.append(Gap(service, seconds, begins))
    return tuple(sorted(gaps, key=lambda gap: -gap.seconds))


def _versions(requests: Iterable[Request]) -> tuple[VersionReport, ...]:
    """Return who answered when; each service's versions in the order in which they came.

    Slow requests are left out: an old version may end them long after the new one took over.
    """
    ends: dict[tuple[str, str], list[float]] = {}
    for request in requests:
        if request.ok and request.version and request.kind is not Kind.SLOW:
            ends.setdefault((request.service, request.version), []).append(request.ended)
    found = [VersionReport(*key, min(times), max(times), len(times)) for key, times in ends.items()]
    return tuple(sorted(found, key=lambda version: (version.service, version.first)))


def _sockets(run: Run) -> SocketReport:
    closes = Counter(
        session.close_code for session in run.sessions if session.close_code not in {None, observations.CLOSED_BY_US}
    )
    return SocketReport(
        clients=run.websockets,
        opened=sum(session.opened is not None for session in run.sessions),
        echoes=sum(session.echoes for session in run.sessions),
        closes={code: count for code, count in closes.most_common() if code is not None},
        longest_without=_longest_without(run),
    )


def _longest_without(run: Run) -> float:
    longest = 0.0
    for client in {session.client for session in run.sessions}:
        since = 0.0
        for session in sorted((s for s in run.sessions if s.client == client), key=lambda s: s.asked):
            if session.opened is not None:
                longest = max(longest, session.opened - since)
                since = session.ended
        longest = max(longest, run.seconds - since)
    return longest
