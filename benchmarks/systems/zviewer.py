"""Prints the figures that the zviewer system is asked for (ZVW-08), as a host of the test bed has them.

Usage: python -m benchmarks.systems.zviewer --inventory .testbed/inventory-HOST

The host has the system deployed (`molecule/testbed/bed host add HOST --system zviewer`, then playbooks/site.yml). One
instance is killed, and comes back by itself; nothing else is changed. The whole takes half a minute.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

import yaml

from tests.integration.bed_host import BedHost
from tests.support.outside import Outside
from tests.support.zviewer import ask, gateway_times, instances, seconds_until_healthy

REQUESTS = 300
WATCHED = 10.0


@dataclass(frozen=True)
class Figure:
    """One figure: what is asked, what was seen, and how."""

    name: str
    below: float
    seen: float | None
    unit: str
    how: str

    @property
    def kept(self) -> bool:
        return self.seen is not None and self.seen < self.below

    def __str__(self) -> str:
        seen = "not seen" if self.seen is None else f"{self.seen:.4g} {self.unit}"
        verdict = "ok" if self.kept else "MISSED"
        return f"{self.name:<17} {f'< {self.below:g} {self.unit}':<9} {seen:<11} {verdict:<7} {self.how}"


def of_times(name: str, below: float, milliseconds: Sequence[float], how: str) -> Figure:
    """Return the figure of many times: their 99th percentile, with the median beside it."""
    tail = statistics.quantiles(milliseconds, n=100)[98]
    said = f"{how}; 99 % of {len(milliseconds)}, median {statistics.median(milliseconds):.1f} ms"
    return Figure(name, below, tail, "ms", said)


def discovery(outside: Outside) -> Figure:
    taken = [ask(outside, "main-server", "/discover/media-service").json()["milliseconds"] for _ in range(REQUESTS)]
    return of_times("discovery", 100, taken, "a service asks Consul for another one")


def gateway(host: BedHost) -> Figure:
    return of_times("gateway response", 50, gateway_times(host, "/api/version", REQUESTS), "on a kept connection")


def container_start(host: BedHost) -> Figure:
    """Return how long the instance that was killed just now took, from its start until it was healthy."""
    how = "from the start of the instance that was killed to its first passed health check"
    deadline = time.monotonic() + WATCHED
    known: list[float] = []
    while not known and time.monotonic() < deadline:
        found = [seconds_until_healthy(each) for each in instances(host.output)["main-server"] if each["RestartCount"]]
        known = [seconds for seconds in found if seconds is not None]
    return Figure("container start", 30, max(known, default=None), "s", how)


def deployment(host: BedHost) -> Figure:
    (releases,) = json.loads(host.output("composeops releases --json")).values()
    steps = next(release["seconds"] for release in releases if release.get("seconds", {}).get("start"))
    how = "all services and their gateway, images pulled: " + ", ".join(
        f"{k} {v:.0f}" for k, v in steps.items() if v >= 1
    )
    return Figure("deployment", 300, sum(steps.values()), "s", how)


def failover(host: BedHost, outside: Outside) -> Figure:
    """Kill one instance of a service while requests come in; return the longest time without a good answer."""
    victim = instances(host.output)["main-server"][0]["State"]["Pid"]
    good, failed = [time.monotonic()], 0
    ends = time.monotonic() + WATCHED
    host.run(["kill", "-9", str(victim)], check=True)
    while time.monotonic() < ends:
        status = ask(outside, "main-server", "/version").status
        failed += status != HTTPStatus.OK
        good += [time.monotonic()] if status == HTTPStatus.OK else []
    longest = max(later - earlier for earlier, later in itertools.pairwise(good))
    how = f"longest without a good answer after kill -9, {failed} of {len(good) - 1 + failed} requests failed"
    return Figure("failover", 30, longest, "s", how)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inventory", type=Path, required=True, help="the overlay inventory of the host")
    inventory = parser.parse_args().inventory
    overlay = yaml.safe_load((inventory / "group_vars/all.yml").read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory(prefix="composeops-") as directory:
        host = BedHost(inventory.resolve(), Path(directory))
        outside = Outside(host.address, overlay["verify_ca"])
        figures = [discovery(outside), gateway(host), deployment(host), failover(host, outside), container_start(host)]
    print("\n".join(map(str, figures)))
    return 0 if all(figure.kept for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
