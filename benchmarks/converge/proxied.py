"""The delaying proxy as a process of its own, so that it does not wait for the harness's interpreter."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.converge.contestants import ROOT


@contextmanager
def delayed(address: str, port: int, one_way: float) -> Iterator[int]:
    """Yield the local port at which ``address`` seems to be far away."""
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "benchmarks.converge.delay_proxy"),
            *("--to", f"{address}:{port}", "--one-way", str(one_way)),
        ],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        yield int(process.stdout.readline())
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()
