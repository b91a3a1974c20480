"""The host that is measured on: a bare one of the test bed with a database that is filled, removed at the end."""

from __future__ import annotations

import json
import shlex
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.backup.report import Sample
from benchmarks.converge.bench_host import HarnessError, bed, testbed_directory

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).parent
NAME = "backup-bench"
DIRECTORY = "/opt/backup-bench"


class BenchHost:
    """A host of the bed by its name there."""

    def __init__(self, name: str, log: Path) -> None:
        self._name = name
        self._log = log

    def prepare(self) -> None:
        """Install everybody's tools and start the database."""
        inventory = testbed_directory() / f"inventory-{self._name}"
        self._logged([".venv/bin/ansible-playbook", "-i", str(inventory), str(HERE / "setup.yml")])
        self._logged(self._remote(["docker", "compose", "--project-directory", DIRECTORY, "up", "--detach", "--wait"]))

    def fill(self, gigabytes: float, *, files: bool) -> int:
        """Fill the database, write the ``files`` that restores start from, and return the size of the dump."""
        self._logged(self._remote(["python3", f"{DIRECTORY}/turn.py", "fill", str(gigabytes)]))
        if files:
            self._logged(self._remote(["python3", f"{DIRECTORY}/turn.py", "files"]))
        return int(self._output(["python3", f"{DIRECTORY}/turn.py", "size"]))

    def tools(self) -> str:
        """Return the versions of the rivals."""
        query = ["dpkg-query", "--show", "--showformat=${Package} ${Version}, ", "age", "rclone", "restic", "zstd"]
        return self._output(query).rstrip(", ")

    def turn(self, kind: str, contestant: str) -> Sample:
        """Let a contestant do its work once."""
        lines = self._output(["python3", f"{DIRECTORY}/turn.py", kind, contestant]).splitlines()
        return Sample(kind, contestant, **json.loads(lines[-1]))

    def _remote(self, argv: list[str]) -> list[str]:
        configuration = testbed_directory() / "ssh/config"
        return ["ssh", "-F", str(configuration), "-o", "BatchMode=yes", self._name, shlex.join(["sudo", *argv])]

    def _logged(self, argv: list[str]) -> None:
        with self._log.open("a", encoding="utf-8") as stream:
            completed = subprocess.run(
                argv, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=stream, stderr=subprocess.STDOUT, check=False
            )
        if completed.returncode:
            raise HarnessError(f"{shlex.join(argv)} failed with status {completed.returncode}; see {self._log}")

    def _output(self, argv: list[str]) -> str:
        with self._log.open("a", encoding="utf-8") as stream:
            completed = subprocess.run(
                self._remote(argv),
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=stream,
                text=True,
                check=False,
            )
        if completed.returncode:
            raise HarnessError(f"{shlex.join(argv)} failed with status {completed.returncode}; see {self._log}")
        return completed.stdout


@contextmanager
def added(name: str | None, log: Path) -> Iterator[BenchHost]:
    """Yield the named host, which stays, or one that is there for as long as the block runs."""
    if name is not None:
        yield BenchHost(name, log)
        return
    bed("host", "add", NAME)
    try:
        yield BenchHost(NAME, log)
    finally:
        bed("host", "remove", NAME)
