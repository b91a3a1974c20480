"""The host that is measured on: a bare one is added to the test bed, gets the pet-care system, and is removed."""

from __future__ import annotations

import shlex
import subprocess
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from benchmarks.converge.bench_host import HarnessError, bed, testbed_directory
from benchmarks.release import in_place
from benchmarks.release.contestants import NEW, OLD, RIVALS, Command, playbook

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).parent
SYSTEM = ROOT / "inventories/petcare"
RIVAL_NAMES = ("compose", "roll", "roll-tuned")
NAME = "release-bench"


@dataclass(frozen=True)
class BenchHost:
    """A host of the bed by its name there, and where the output of what runs on it is kept."""

    name: str
    workspace: Path

    @property
    def logs(self) -> Path:
        return self.workspace / "logs"

    @property
    def in_place(self) -> Path:
        return self.workspace / "in-place"

    @property
    def inventory(self) -> Path:
        return testbed_directory() / f"inventory-{self.name}"

    def run(self, command: Command, log: str, values: Mapping[str, str] | None = None) -> None:
        """Run a contestant's command to its end; what it prints goes to a log."""
        inventories = {"inventory": str(self.inventory), "in_place": str(self.in_place)}
        argv = command.filled_in({**inventories, **(values or {})})
        path = self.logs / f"{log}.log"
        with path.open("w", encoding="utf-8") as stream:
            completed = subprocess.run(
                self._remote(argv) if command.on_host else argv,
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                check=False,
            )
        if completed.returncode:
            raise HarnessError(f"{shlex.join(argv)} failed with status {completed.returncode}; see {path}")

    def prepare(self) -> None:
        """Bring the pet-care system onto the host, and the rivals' files and everybody's images."""
        in_place.write(SYSTEM, self.in_place)
        self.run(playbook("site"), "site")
        archive = rivals_archive()
        unpacked = subprocess.run(
            self._remote(["tar", "--extract", "--directory", "/", "--no-same-owner"]),
            input=archive,
            capture_output=True,
            check=False,
        )
        if unpacked.returncode:
            raise HarnessError(f"the rivals' files could not be unpacked: {unpacked.stderr.decode()}")
        self.run(Command(("bash", f"{RIVALS}/prepare.sh", OLD, NEW), on_host=True), "prepare")

    def _remote(self, argv: list[str]) -> list[str]:
        configuration = testbed_directory() / "ssh/config"
        return ["ssh", "-F", str(configuration), "-o", "BatchMode=yes", self.name, shlex.join(["sudo", *argv])]


def rivals_archive() -> bytes:
    """Return the rivals' directory as it shall be on the host; the compose file is the system's own."""
    members = {f"{script.name}": script for script in (HERE / "host").glob("*.sh")}
    for file in (HERE / "rivals").rglob("*"):
        if file.is_file():
            members[str(file.relative_to(HERE / "rivals"))] = file
    for rival in RIVAL_NAMES:
        members[f"{rival}/compose.yaml"] = SYSTEM / "compose.yaml"
        for file in (SYSTEM / "files").rglob("*"):
            if file.is_file():
                members[f"{rival}/files/{file.relative_to(SYSTEM / 'files')}"] = file
    packed = BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, file in sorted(members.items()):
            archive.add(file, f"{RIVALS.removeprefix('/')}/{name}")
    return packed.getvalue()


@contextmanager
def added(name: str | None, workspace: Path) -> Iterator[BenchHost]:
    """Yield the named host, which stays, or one that is there for as long as the block runs."""
    if name is not None:
        host = BenchHost(name, workspace)
        if not host.inventory.exists():
            raise HarnessError(f"there is no {host.inventory}: add a host with `molecule/testbed/bed host add {name}`")
        yield host
        return
    bed("host", "add", NAME)
    try:
        yield BenchHost(NAME, workspace)
    finally:
        bed("host", "remove", NAME)
