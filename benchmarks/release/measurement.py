"""One contestant's turn: the old version serves, the load begins, the new version comes."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from benchmarks.converge.bench_host import HarnessError
from benchmarks.release.bench_host import BenchHost
from benchmarks.release.contestants import NEW, OLD, Contestant
from tests.load.process import Load
from tests.load.report import Report, Verdict

BEFORE = 5.0
AFTER = 10.0
"""Seconds of load around the upgrade; what fails later than this is not seen."""
ATTEMPTS = 3
"""Of a turn in which the generator fell behind."""


@dataclass(frozen=True)
class Sample:
    """What one release cost; times in seconds from the start of its command."""

    contestant: str
    sent: int
    failed: int
    failed_by_kind: Mapping[str, int]
    keep_alive_races: int
    outage: float
    command: float
    first_new: float
    all_new: float
    """When every service had answered in its new version."""
    both: float
    """How long the two versions answered side by side, whichever the service."""
    lost_writes: int
    closes: Mapping[int, int]
    without_websocket: float


def take(host: BenchHost, contestant: Contestant, rate: float, where: str) -> Sample:
    """Take a turn; a run in which the generator fell behind is thrown away and repeated."""
    for attempt in range(1, ATTEMPTS + 1):
        log = f"{where}-{attempt}"
        host.run(contestant.begin, f"{log}-begin", {"version": OLD})
        with Load(host.inventory, rate=rate) as load:
            time.sleep(BEFORE)
            started = datetime.now(UTC)
            host.run(contestant.upgrade, f"{log}-upgrade", {"version": NEW})
            seconds = (datetime.now(UTC) - started).total_seconds()
            time.sleep(AFTER)
        host.run(contestant.end, f"{log}-end")
        (host.logs / f"{log}-load.txt").write_text(f"{load.report}\n", encoding="utf-8")
        if load.report.verdict is not Verdict.INVALID:
            return account(contestant.name, load.report, started, seconds)
    raise HarnessError(f"{contestant.name}: the load generator fell behind {ATTEMPTS} times; the machine is too busy")


def account(contestant: str, report: Report, started: datetime, seconds: float) -> Sample:
    """Reduce a load's report to what a release cost."""
    began = (started - datetime.fromisoformat(report.run.started_at)).total_seconds()
    old = {seen.service: seen for seen in report.versions if seen.version == OLD}
    new = {seen.service: seen for seen in report.versions if seen.version == NEW}
    if not old or set(new) != set(old):
        raise HarnessError(f"{contestant}: not every service went from {OLD} to {NEW}: {report.versions}")
    return Sample(
        contestant=contestant,
        sent=report.sent,
        failed=report.failed,
        failed_by_kind={kind.value: figures.failed for kind, figures in report.kinds.items() if figures.failed},
        keep_alive_races=report.keep_alive_races,
        outage=report.outage.seconds,
        command=seconds,
        first_new=min(seen.first for seen in new.values()) - began,
        all_new=max(seen.first for seen in new.values()) - began,
        both=max(0.0, max(seen.last for seen in old.values()) - min(seen.first for seen in new.values())),
        lost_writes=len(report.writes.missing),
        closes=report.sockets.closes,
        without_websocket=report.sockets.longest_without,
    )
