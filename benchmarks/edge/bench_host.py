"""The host that is measured on: a bare one of the test bed that gets every contestant, removed at the end."""

from __future__ import annotations

import json
import shlex
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ansible_collections.composeops.stack.plugins.module_utils.release.colours import COLOURS
from ansible_collections.composeops.stack.plugins.module_utils.release.state import (
    Endpoint,
    StackState,
    directory,
    path,
    serialise,
)

from benchmarks.converge.bench_host import HarnessError, bed, testbed_directory
from benchmarks.edge.contestants import SITE, Contestant
from benchmarks.edge.measurement import Sample, Unusable, read

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).parent
NAME = "edge-bench"
STACK, SERVICE, PORT = "edge-bench", "backend", 3000
BACKEND = 20080
WARM_UP = 2


def record() -> str:
    """Return the record of a stack whose one service is the backend, whichever colour serves."""
    endpoints = tuple(Endpoint(SERVICE, PORT, "127.0.0.1", BACKEND, colour) for colour in COLOURS)
    return serialise(StackState(STACK, STACK, "1", "2026-01-01T00:00:00Z", endpoints, colour=COLOURS[0])).decode()


class BenchHost:
    """A host of the bed by its name there."""

    def __init__(self, name: str, log: Path) -> None:
        self._name = name
        self._log = log

    def prepare(self) -> None:
        """Install every contestant, the backend and the client."""
        inventory = testbed_directory() / f"inventory-{self._name}"
        values = {
            "edge_bench_site": SITE,
            "edge_bench_record_directory": directory(STACK),
            "edge_bench_record_path": path(STACK),
            "edge_bench_record": record(),
            "edge_bench_route": {"path": "/", "stack": STACK, "service": SERVICE, "port": PORT},
        }
        playbook = [".venv/bin/ansible-playbook", "-i", str(inventory), str(HERE / "setup.yml")]
        self._logged([*playbook, "--extra-vars", json.dumps(values)])

    def versions(self) -> str:
        """Return what of others takes part."""
        debian = self._output(["dpkg-query", "--show", "--showformat=${Package} ${Version}, ", "nginx", "wrk"])
        return f"{debian}Traefik {self._output(['traefik', 'version']).split()[1]}"

    def turn(self, contestant: Contestant, seconds: int, connections: int) -> Sample:
        """Let clients ask through a contestant for some seconds, after some that do not count."""
        client = ["wrk", "--threads", "1", "--connections", str(connections), "--latency", contestant.url]
        self._output([*client, "--duration", f"{WARM_UP}s"])
        try:
            return read(contestant.name, self._output([*client, "--duration", f"{seconds}s"]))
        except Unusable as error:
            raise HarnessError(str(error)) from error

    def _remote(self, argv: list[str]) -> list[str]:
        configuration = testbed_directory() / "ssh/config"
        return ["ssh", "-F", str(configuration), "-o", "BatchMode=yes", self._name, shlex.join(["sudo", *argv])]

    def _logged(self, argv: list[str]) -> None:
        with self._log.open("a", encoding="utf-8") as stream:
            completed = subprocess.run(
                argv, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=stream, stderr=subprocess.STDOUT, check=False
            )
        if completed.returncode:
            raise HarnessError(f"{argv[0]} failed with status {completed.returncode}; see {self._log}")

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
            stream.write(f"$ {shlex.join(argv)}\n{completed.stdout}\n")
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
