"""Prints the figures that the integrated system is asked for (INT-06), as a host of the test bed has them.

Usage: python -m benchmarks.systems.integrated --inventory .testbed/inventory-HOST

The host has the system deployed with the intervals of production (`molecule/testbed/bed host add HOST --system
integrated`, then playbooks/site.yml without an overlay). Its backend is frozen once, right after a check, which is the
worst moment, and the monitor in the container mends it. The whole takes three minutes.
"""

from __future__ import annotations

import argparse
import calendar
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from tests.integration.bed_host import BedHost
from tests.support.containers import name
from tests.support.outside import Outside

SITE = "integrated.example.com"
INTERVAL = 30.0
PATIENCE = 240.0
METRICS = "/run/app/monitor/monitor.prom"
CHECKED = 'composeops_monitor_check_timestamp_seconds{check="backend"'
LOG = "cat /var/log/app/$HOSTNAME/healthmonitor.log"


@dataclass(frozen=True)
class Figure:
    """One figure in seconds: what is asked, and what was seen."""

    name: str
    below: float
    seen: float

    @property
    def kept(self) -> bool:
        return self.seen < self.below

    def __str__(self) -> str:
        return f"{self.name:<40} < {self.below:3g} s  {self.seen:5.1f} s  {'ok' if self.kept else 'MISSED'}"


def first_failure(log: str, since: float) -> float | None:
    """Return when, in whole seconds, the monitor first wrote that the backend failed, from ``since`` on."""
    for line in log.splitlines():
        stamp, _, said = line.partition(" ")
        if said.startswith("backend failed (1 of 3)"):
            at = calendar.timegm(time.strptime(stamp, "%Y-%m-%dT%H:%M:%SZ"))
            if at >= int(since):
                return float(at)
    return None


def healthy(outside: Outside) -> bool:
    try:
        return outside.https(SITE, "/api/health").status == 200  # noqa: PLR2004 (OK)
    except OSError:
        return False


def figures(host: BedHost, outside: Outside) -> list[Figure]:
    app = name(host.output, "app", "integrated")
    inside = ["docker", "exec", app, "sh", "-c"]
    releases = json.loads(host.output("composeops releases --json"))["integrated"]
    started = next(release["seconds"]["start"] for release in releases if release["status"] == "active")

    metrics = host.output([*inside, f"cat {METRICS}"]).splitlines()
    checked = float(next(line for line in metrics if line.startswith(CHECKED)).rpartition(" ")[2])
    wait = INTERVAL - (time.time() - checked) % INTERVAL + 1
    print(f"waiting {wait:.0f} s for a check, then freezing the backend", flush=True)
    time.sleep(wait)
    host.run([*inside, "kill -STOP $(supervisorctl pid backend)"], check=True)
    began = time.time()
    while not healthy(outside):
        if time.time() - began > PATIENCE:
            raise SystemExit(f"the backend did not come back within {PATIENCE:g} s")
        time.sleep(0.5)
    served = time.time() - began
    known = first_failure(host.output([*inside, LOG]), began)
    return [
        Figure("start of the container", 120, started),
        Figure("frozen backend: known to the monitor", 60, float("inf") if known is None else known - began),
        Figure("frozen backend: serves again", 120, served),
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inventory", type=Path, required=True, help="the inventory that the bed wrote for the host")
    inventory = parser.parse_args(arguments).inventory
    overlay = yaml.safe_load((inventory / "group_vars/all.yml").read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory(prefix="composeops-") as directory:
        host = BedHost(inventory, Path(directory))
        found = figures(host, Outside(host.address, overlay["verify_ca"]))
    print("\n".join(map(str, found)))
    return 0 if all(figure.kept for figure in found) else 1


if __name__ == "__main__":
    sys.exit(main())
