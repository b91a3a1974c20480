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
from benchmarks.release import bench_host, report
from benchmarks.release.contestants import CONTESTANTS, OLD
from benchmarks.release.measurement import Sample, take

WORKSPACE = bench_host.ROOT / ".cache/benchmarks/release"
RESULTS = Path(__file__).parent / "RESULTS.md"


def arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="benchmarks/release/run",
        description="Upgrade the pet-care system under load, by several ways, in one run, on a host of the test bed. "
        "See benchmarks/release/README.md.",
    )
    names = [contestant.name for contestant in CONTESTANTS]
    parser.add_argument("--repetitions", type=int, default=5, metavar="N", help="default: %(default)d")
    parser.add_argument("--contestant", action="append", choices=names, help="only this one; may be repeated")
    parser.add_argument("--rate", type=float, default=220.0, metavar="N", help="requests/s; default: %(default)g")
    parser.add_argument(
        "--host",
        metavar="NAME",
        help="measure on this host of the bed, and leave it; default: a new one, removed after",
    )
    parser.add_argument("--write-results", action="store_true", help=f"write {RESULTS.relative_to(bench_host.ROOT)}")
    chosen = parser.parse_args(argv)
    if chosen.repetitions < 1:
        parser.error("at least one repetition is needed")
    chosen.contestant = chosen.contestant or names
    return chosen


def conditions() -> dict[str, str]:
    """What the results hold for."""
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "machine": f"{machine.processor()}, {os.cpu_count()} cores, {machine.memory_gib()} GiB; "
        "clients, host and controller share it",
        "load average before": f"{os.getloadavg()[0]:.1f}",
        "controller": machine.versions(["ansible-core"]),
    }


def measure(chosen: argparse.Namespace, host: bench_host.BenchHost) -> list[Sample]:
    """Give every contestant its turns, in an order that changes with each repetition."""
    by_name = {contestant.name: contestant for contestant in CONTESTANTS}
    host.prepare()
    # Our own playbook has brought it up: everybody begins with nobody else there.
    host.run(by_name["blue-green"].end, "first-end")
    samples = []
    for repetition in range(chosen.repetitions):
        for name in interleaved(chosen.contestant, repetition):
            sample = take(host, by_name[name], chosen.rate, f"{repetition}-{name}")
            samples.append(sample)
            with (WORKSPACE / "samples.jsonl").open("a", encoding="utf-8") as stream:
                stream.write(json.dumps(dataclasses.asdict(sample)) + "\n")
            print(
                f"repetition {repetition + 1}, {name}: {sample.failed} of {sample.sent} failed, "
                f"outage {sample.outage:.2f} s, command {sample.command:.1f} s",
                flush=True,
            )
    if chosen.host:
        # A host that stays is left with the system serving through its own nginx configuration.
        host.run(by_name["blue-green"].begin, "last-begin", {"version": OLD})
    return samples


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print the page; 1 when nothing can be said."""
    chosen = arguments(argv)
    # Otherwise a terminated run would leave its host in the bed.
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    if WORKSPACE.exists():
        shutil.rmtree(WORKSPACE)
    logs = WORKSPACE / "logs"
    logs.mkdir(parents=True)
    facts = conditions()
    try:
        with bench_host.added(chosen.host, WORKSPACE) as host:
            samples = measure(chosen, host)
    except HarnessError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    page = report.page(samples, facts, chosen.rate)
    print(f"\n{page}\nlogs are in {logs}")
    if chosen.write_results:
        RESULTS.write_text(page, encoding="utf-8")
        print(f"written to {RESULTS}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
