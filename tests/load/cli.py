"""The command line of the load: ``python -m tests.load``."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from tests.load import bed, observations, writes
from tests.load.generator import Generator, NotServing
from tests.load.mix import Mix, rates
from tests.load.observations import Run, Writes
from tests.load.report import Limits, Report, Verdict, judge
from tests.load.systems import SYSTEMS, Target

READY = "ready"
"""The line that is printed when the load is full."""
LONGEST = 1800.0
HIGHEST_RATE = 1000.0
CANNOT_START = 2
STATUS = {Verdict.PASSED: 0, Verdict.FAILED: 1, Verdict.INVALID: 3}


def parser() -> argparse.ArgumentParser:
    defaults = Limits()
    described = argparse.ArgumentParser(
        prog="python -m tests.load",
        description="Put load on one host of the test bed, account for every request, and judge what came back.",
        epilog="Ends with 0: no request failed and every acknowledged write is stored; 1: some did, or is not; "
        "2: could not begin; 3: the generator fell behind, the run counts for nothing.",
    )
    described.add_argument("--inventory", type=Path, required=True, metavar="DIR", help="the host's, below .testbed/")
    described.add_argument("--system", choices=sorted(SYSTEMS), default="petcare", help="default: %(default)s")
    described.add_argument(
        "--duration", type=_bounded(LONGEST), default=60.0, metavar="S", help="at most so long; default: %(default)g"
    )
    described.add_argument("--until-stdin-closes", action="store_true", help="end at the end of standard input")
    described.add_argument(
        "--rate", type=_bounded(HIGHEST_RATE), default=220.0, metavar="N", help="per second; default: %(default)g"
    )
    described.add_argument("--websockets", type=int, default=10, metavar="N", help="held open; default: %(default)d")
    described.add_argument(
        "--round-trip",
        type=_bounded(1000),
        default=20.0,
        metavar="MS",
        help="how far away the clients are, where the bed is near; default: %(default)g",
    )
    described.add_argument(
        "--lag-p99",
        type=_bounded(10_000),
        default=defaults.lag_p99 * 1000,
        metavar="MS",
        help="a run is invalid when 99 %% of the requests are not sent within this of their time; default: %(default)g",
    )
    described.add_argument("--output", type=Path, metavar="FILE", help="write everything that was seen as JSON")
    return described


def main(argv: Sequence[str] | None = None) -> int:
    chosen = parser().parse_args(argv)
    try:
        edge = bed.edge(chosen.inventory)
        with contextlib.suppress(PermissionError):
            # The clients stand for machines of their own, which no release here slows down; a fifth of a core is what
            # they take. A nice value would not do: the kernel weighs it within a session only.
            os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
        run = asyncio.run(load(chosen, edge))
    except (bed.NotABedHost, NotServing) as error:
        print(f"load: {error}", file=sys.stderr)
        return CANNOT_START
    report = judge(run, Limits(lag_p99=chosen.lag_p99 / 1000))
    if chosen.output:
        chosen.output.write_text(json.dumps(document(report)), encoding="utf-8")
    print(report)
    return STATUS[report.verdict]


def document(report: Report) -> dict[str, object]:
    """Return the JSON document: the judgement in brief, and below ``run`` everything that was seen."""
    return {
        "verdict": report.verdict.value,
        "reasons": report.reasons,
        "sent": report.sent,
        "failed": report.failed,
        "keep_alive_races": report.keep_alive_races,
        "failed_by_kind": {kind.value: figures.failed for kind, figures in report.kinds.items()},
        "outage_seconds": report.outage.seconds,
        "lag_p99": report.lag_p99,
        "lag_longest": report.lag_longest,
        "websocket_closes": report.sockets.closes,
        "run": observations.to_document(report.run),
    }


async def load(chosen: argparse.Namespace, edge: bed.Edge) -> Run:
    """Carry out one run."""
    system = SYSTEMS[chosen.system]
    mix = Mix(system, rates(chosen.rate, system), chosen.websockets if system.socket else 0)
    generator = Generator(edge, mix, round_trip=chosen.round_trip / 1000)
    first_id = await generator.warm_up()
    stop = _stop_signal(chosen)
    started_at = datetime.now(UTC).isoformat(timespec="milliseconds")
    seconds = await generator.send(stop, started=lambda: print(READY, flush=True))
    return Run(
        started_at=started_at,
        address=edge.address,
        seconds=seconds,
        rate=chosen.rate,
        round_trip=chosen.round_trip / 1000,
        requests=tuple(sorted(generator.requests, key=lambda request: request.scheduled)),
        sessions=tuple(generator.sessions),
        websockets=mix.websockets,
        writes=await _compare(generator, system.write, first_id) if system.write else Writes(),
    )


async def _compare(generator: Generator, write: Target, first_id: int) -> Writes:
    try:
        stored = await writes.read_back(generator.ask, write, generator.prefix, first_id)
    except (NotServing, writes.Unreadable) as error:
        return Writes(acknowledged=len(generator.acknowledged), unread=str(error))
    return writes.compare(generator.acknowledged, generator.unanswered, stored)


def _stop_signal(chosen: argparse.Namespace) -> asyncio.Event:
    """Return what is set after the duration, by a signal, or by the end of standard input."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.call_later(chosen.duration, stop.set)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if chosen.until_stdin_closes:

        def read() -> None:
            if not os.read(sys.stdin.fileno(), 4096):
                loop.remove_reader(sys.stdin.fileno())
                stop.set()

        loop.add_reader(sys.stdin.fileno(), read)
    return stop


class _bounded:
    """A positive number up to a limit."""

    def __init__(self, highest: float) -> None:
        self._highest = highest

    def __call__(self, written: str) -> float:
        number = float(written)
        if not 0 <= number <= self._highest:
            raise argparse.ArgumentTypeError(f"{written} is not between 0 and {self._highest:g}")
        return number
