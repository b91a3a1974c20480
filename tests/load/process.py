"""The load as a test uses it: a process of its own, running for as long as a ``with`` block."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from types import TracebackType

from tests.load import observations
from tests.load.cli import CANNOT_START, LONGEST, READY
from tests.load.report import Limits, Report, judge

ROOT = Path(__file__).resolve().parents[2]
READY_TIMEOUT = 60.0
STOP_TIMEOUT = 60.0
"""What was under way may take its time-out to end; then the writes are compared."""


class LoadError(Exception):
    """The load could not begin, or left no account."""


class Load:
    """``with Load(host.inventory) as load: ...`` and then ``assert load.report.passed, load.report``."""

    def __init__(
        self,
        inventory: Path,
        *,
        system: str = "petcare",
        rate: float = 220.0,
        websockets: int = 10,
        round_trip: float = 0.02,
        longest: float = 900.0,
        limits: Limits | None = None,
    ) -> None:
        """``longest`` ends it in any case; ``round_trip`` is in seconds."""
        self._limits = limits or Limits()
        self._directory = tempfile.TemporaryDirectory(prefix="composeops-load-")
        self._output = Path(self._directory.name) / "run.json"
        self._errors = Path(self._directory.name) / "stderr"
        self._argv = [
            *(sys.executable, "-m", "tests.load", "--until-stdin-closes"),
            *("--inventory", str(inventory), "--system", system, "--output", str(self._output)),
            *("--rate", str(rate), "--websockets", str(websockets)),
            *("--round-trip", str(round_trip * 1000), "--duration", str(min(longest, LONGEST))),
        ]
        self._process: subprocess.Popen[str] | None = None
        self._report: Report | None = None

    @property
    def report(self) -> Report:
        """The judgement, when the block has ended."""
        if self._report is None:
            raise LoadError("the load is still running: read its report after the block")
        return self._report

    def __enter__(self) -> Load:
        # A file and not a pipe: nobody reads while the load runs, and a full pipe would stop it.
        with self._errors.open("w", encoding="utf-8") as errors:
            self._process = subprocess.Popen(
                self._argv, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True
            )
        assert self._process.stdout is not None
        watchdog = threading.Timer(READY_TIMEOUT, self._process.kill)
        watchdog.start()
        line = self._process.stdout.readline().strip()
        watchdog.cancel()
        if line != READY:
            output, _ = self._process.communicate()
            with self._directory:
                raise LoadError(f"the load did not begin: {line}{output}{self._errors.read_text(encoding='utf-8')}")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process is not None
        with self._directory:
            try:
                # Closes standard input, which ends the load.
                output, _ = self._process.communicate(timeout=STOP_TIMEOUT)
            except subprocess.TimeoutExpired as expired:
                self._process.kill()
                self._process.communicate()
                raise LoadError(f"the load did not end within {STOP_TIMEOUT:g} s") from expired
            if not self._output.exists() or self._process.returncode == CANNOT_START:
                errors = self._errors.read_text(encoding="utf-8")
                raise LoadError(f"the load ended with status {self._process.returncode}: {output}{errors}")
            document = json.loads(self._output.read_text(encoding="utf-8"))
        self._report = judge(observations.from_document(document["run"]), self._limits)
