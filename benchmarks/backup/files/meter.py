"""Runs a command and prints what it cost as a line of JSON: seconds, and the memory of all its processes together.

Usage: meter.py COMMAND [ARGUMENT ...]. What the command prints goes to standard error.
"""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

INTERVAL = 0.05
PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Measured:
    """``peak`` is the largest sum of resident bytes of the command and its descendants, ``largest`` of one process."""

    seconds: float
    peak: int
    largest: int


def measure(argv: Sequence[str]) -> Measured:
    """Run ``argv`` to its end; raise when it fails. Processes in containers are the engine's and are not counted."""
    began = time.monotonic()
    process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=sys.stderr)
    peaks = [0, 0]
    ended = threading.Event()

    def sample() -> None:
        while not ended.wait(INTERVAL):
            sizes = resident(process.pid)
            peaks[0] = max(peaks[0], sum(sizes))
            peaks[1] = max([peaks[1], *sizes])

    sampler = threading.Thread(target=sample)
    sampler.start()
    status = process.wait()
    seconds = time.monotonic() - began
    ended.set()
    sampler.join()
    if status != 0:
        raise SystemExit(f"{' '.join(argv)} failed with status {status}")
    return Measured(seconds, *peaks)


def resident(root: int) -> list[int]:
    """Return the resident bytes of ``root`` and each of its descendants."""
    children: dict[int, list[int]] = defaultdict(list)
    pages: dict[int, int] = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/stat", encoding="utf-8", errors="replace") as stream:
                fields = stream.read().rpartition(")")[2].split()
        except OSError:
            continue  # it ended meanwhile
        children[int(fields[1])].append(int(name))
        pages[int(name)] = int(fields[21])
    found, pending = [], [root]
    while pending:
        pid = pending.pop()
        pending += children[pid]
        found.append(pages.get(pid, 0) * PAGE)
    return found


print(json.dumps(dataclasses.asdict(measure(sys.argv[1:]))))
