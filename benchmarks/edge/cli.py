"""The benchmark's command line and the order of what it does."""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import shutil
import signal
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.converge import machine
from benchmarks.converge.bench_host import HarnessError
from benchmarks.converge.figures import interleaved
from benchmarks.edge import bench_host, report
from benchmarks.edge.contestants import CONTESTANTS
from benchmarks.edge.measurement import Sample

WORKSPACE = bench_host.ROOT / ".cache/benchmarks/edge"
RESULTS = Path(__file__).parent / "RESULTS.md"


def arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="benchmarks/edge/run",
        description="Requests through our edge and through others, over TLS, in one run, on a host of the test bed. "
        "See benchmarks/edge/README.md.",
    )
    names = [contestant.name for contestant in CONTESTANTS]
    parser.add_argument("--repetitions", type=int, default=5, metavar="N", help="default: %(default)d")
    parser.add_argument("--seconds", type=int, default=10, metavar="N", help="of each turn; default: %(default)d")
    parser.add_argument("--connections", type=int, default=64, metavar="N", help="of clients; default: %(default)d")
    parser.add_argument("--contestant", action="append", choices=names, help="only this one; may be repeated")
    parser.add_argument(
        "--host",
        metavar="NAME",
        help="measure on this host of the bed, and leave it; default: a new one, removed after",
    )
    parser.add_argument("--write-results", action="store_true", help=f"write {RESULTS.relative_to(bench_host.ROOT)}")
    chosen = parser.parse_args(argv)
    if min(chosen.repetitions, chosen.seconds, chosen.connections) < 1:
        parser.error("repetitions, seconds and connections have to be at least one")
    chosen.contestant = chosen.contestant or names
    return chosen


def conditions(chosen: argparse.Namespace) -> dict[str, str]:
    """What the results hold for."""
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "machine": f"{machine.processor()}, {os.cpu_count()} cores, {machine.memory_gib()} GiB; "
        "client, proxy and backend share it",
        machine.LOAD: f"{os.getloadavg()[0]:.1f}",
        "turns": f"{chosen.repetitions} of {chosen.seconds} s each, {chosen.connections} connections that are kept",
    }


def measure(chosen: argparse.Namespace, host: bench_host.BenchHost) -> list[Sample]:
    """Give every contestant its turns, in an order that changes with each repetition."""
    by_name = {contestant.name: contestant for contestant in CONTESTANTS}
    samples = []
    for repetition in range(chosen.repetitions):
        for name in interleaved(chosen.contestant, repetition):
            sample = host.turn(by_name[name], chosen.seconds, chosen.connections)
            samples.append(sample)
            with (WORKSPACE / "samples.jsonl").open("a", encoding="utf-8") as stream:
                stream.write(json.dumps(dataclasses.asdict(sample)) + "\n")
            print(
                f"{repetition + 1}, {name}: {sample.rate:.0f} requests/s, 99 % in {sample.tail * 1000:.1f} ms",
                flush=True,
            )
    return samples


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print the page; 1 when nothing can be said, 2 when a required ratio was missed."""
    chosen = arguments(argv)
    # Otherwise a terminated run would leave its host in the bed.
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    if WORKSPACE.exists():
        shutil.rmtree(WORKSPACE)
    WORKSPACE.mkdir(parents=True)
    facts = conditions(chosen)
    try:
        with bench_host.added(chosen.host, WORKSPACE / "log") as host:
            host.prepare()
            facts["versions"] = host.versions()
            samples = measure(chosen, host)
    except HarnessError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    page = report.page(samples, facts)
    print(f"\n{page}")
    if chosen.write_results:
        RESULTS.write_text(page, encoding="utf-8")
        print(f"written to {RESULTS}")
    return 2 if report.verdicts(samples) else 0


if __name__ == "__main__":
    sys.exit(main())
