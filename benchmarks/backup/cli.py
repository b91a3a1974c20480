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

from benchmarks.backup import bench_host, report
from benchmarks.backup.contestants import BACKUP, RESTORE
from benchmarks.backup.report import Sample
from benchmarks.converge import machine
from benchmarks.converge.bench_host import HarnessError
from benchmarks.converge.figures import interleaved

WORKSPACE = bench_host.ROOT / ".cache/benchmarks/backup"
RESULTS = Path(__file__).parent / "RESULTS.md"
KINDS = {"backup": BACKUP, "restore": RESTORE}


def arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="benchmarks/backup/run",
        description="Back up a database to S3 and restore it, by several ways, in one run, on a host of the test bed. "
        "See benchmarks/backup/README.md.",
    )
    parser.add_argument("--repetitions", type=int, default=5, metavar="N", help="default: %(default)d")
    parser.add_argument("--gigabytes", type=float, default=1.0, metavar="N", help="of dump; default: %(default)g")
    parser.add_argument("--kind", action="append", choices=list(KINDS), help="only this; may be repeated")
    parser.add_argument(
        "--host",
        metavar="NAME",
        help="measure on this host of the bed, and leave it; default: a new one, removed after",
    )
    parser.add_argument("--write-results", action="store_true", help=f"write {RESULTS.relative_to(bench_host.ROOT)}")
    chosen = parser.parse_args(argv)
    if chosen.repetitions < 1:
        parser.error("at least one repetition is needed")
    chosen.kind = chosen.kind or list(KINDS)
    return chosen


def conditions() -> dict[str, str]:
    """What the results hold for."""
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "machine": f"{machine.processor()}, {os.cpu_count()} cores, {machine.memory_gib()} GiB; "
        "database, clients and S3 server share it",
        machine.LOAD: f"{os.getloadavg()[0]:.1f}",
    }


def measure(chosen: argparse.Namespace, host: bench_host.BenchHost) -> list[Sample]:
    """Give every contestant its turns, in an order that changes with each repetition."""
    samples = []
    for kind in chosen.kind:
        for repetition in range(chosen.repetitions):
            for name in interleaved([contestant.name for contestant in KINDS[kind]], repetition):
                sample = host.turn(kind, name)
                samples.append(sample)
                with (WORKSPACE / "samples.jsonl").open("a", encoding="utf-8") as stream:
                    stream.write(json.dumps(dataclasses.asdict(sample)) + "\n")
                print(
                    f"{kind} {repetition + 1}, {name}: {sample.seconds:.1f} s, {sample.peak / 1e6:.0f} MB", flush=True
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
    facts = conditions()
    try:
        with bench_host.added(chosen.host, WORKSPACE / "log") as host:
            host.prepare()
            dumped = host.fill(chosen.gigabytes, files="restore" in chosen.kind)
            facts |= {"dump": f"{dumped / 1e9:.2f} GB, {chosen.repetitions} repetitions", "tools": host.tools()}
            samples = measure(chosen, host)
    except HarnessError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    page = report.page(samples, facts, dumped)
    print(f"\n{page}")
    if chosen.write_results:
        RESULTS.write_text(page, encoding="utf-8")
        print(f"written to {RESULTS}")
    return 2 if report.verdicts(samples) else 0


if __name__ == "__main__":
    sys.exit(main())
