"""The host that is measured against: added to the test bed, reached over ssh, reset between contestants, removed."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from benchmarks.converge.contestants import ROOT
from benchmarks.converge.workspace import Login

NAME = "bench"
SCRIPTS = Path(__file__).parent / "host"


class HarnessError(Exception):
    """The measurement cannot go on, or what it measured would not be true."""


def testbed_directory() -> Path:
    """Where the test bed keeps its state; the same variable as the bed's own."""
    return Path(os.environ.get("COMPOSEOPS_TESTBED_DIR") or ROOT / ".testbed")


def bed(*arguments: str) -> None:
    """Run a command of the test bed, its progress visible."""
    completed = subprocess.run(
        [ROOT / ".venv/bin/python", "-m", "testbed", *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT / "molecule")},
        check=False,
    )
    if completed.returncode:
        raise HarnessError(f"`testbed {' '.join(arguments)}` failed; start the bed with `make bed`, then run again.")


class BenchHost:
    """The host, by the near way to it: what is done here is not measured."""

    def __init__(self, inventory: Path, known_hosts: Path) -> None:
        self.inventory = inventory
        self._known_hosts = known_hosts
        document = yaml.safe_load((inventory / "hosts.yml").read_text(encoding="utf-8"))
        ((self.system_name, self.variables),) = document["all"]["children"]["composeops"]["hosts"].items()
        self.bed_variables: dict[str, Any] = yaml.safe_load(
            (inventory / "group_vars/all.yml").read_text(encoding="utf-8")
        )

    @property
    def address(self) -> str:
        return str(self.variables["ansible_host"])

    def login(self, address: str | None = None, port: int = 22) -> Login:
        """How to reach the host, directly or through something at another address."""
        return Login(
            address=address or self.address,
            port=port,
            user=str(self.variables["ansible_user"]),
            key=Path(self.variables["ansible_ssh_private_key_file"]),
            known_hosts=self._known_hosts,
        )

    @property
    def bed_known_hosts(self) -> str:
        """The host keys the bed knows, as it wrote them."""
        options = shlex.split(self.variables["ansible_ssh_common_args"])
        (path,) = [option.split("=", 1)[1] for option in options if option.startswith("UserKnownHostsFile=")]
        return Path(path).read_text(encoding="utf-8")

    def ssh(self, login: Login | None = None) -> list[str]:
        """The argv of a cold ssh connection: nothing shared with one before it."""
        chosen = login or self.login()
        return [
            *("ssh", "-o", "BatchMode=yes", "-o", "ControlMaster=no", "-o", "ControlPath=none"),
            *("-p", str(chosen.port), "-i", str(chosen.key)),
            *chosen.ssh_options(),
            f"{chosen.user}@{chosen.address}",
        ]

    def script(self, name: str, arguments: Sequence[str]) -> str:
        """Run one of this package's scripts on the host, as root; return what it printed."""
        remote = shlex.join(["sudo", "bash", "-s", "--", *arguments])
        completed = subprocess.run(
            [*self.ssh(), remote],
            input=(SCRIPTS / name).read_text(encoding="utf-8"),
            check=False,
            text=True,
            capture_output=True,
        )
        if completed.returncode:
            raise HarnessError(
                f"{name} failed on the host with status {completed.returncode}:\n{completed.stdout}{completed.stderr}"
            )
        return completed.stdout


def is_there() -> bool:
    """Whether the test bed has the host, of a run that kept it or was killed."""
    state = testbed_directory() / "state.json"
    if not state.exists():
        raise HarnessError("There is no test bed; start it with `make bed`, then run again.")
    return NAME in json.loads(state.read_text(encoding="utf-8"))["hosts"]


@contextmanager
def added(keep: bool, known_hosts: Path) -> Iterator[BenchHost]:
    """Have a fresh host in the bed for as long as the block runs; with ``keep`` it stays for a look at it."""
    if is_there():
        bed("host", "remove", NAME)
    bed("host", "add", NAME)
    try:
        host = BenchHost(testbed_directory() / f"inventory-{NAME}", known_hosts)
        known_hosts.write_text(host.bed_known_hosts, encoding="utf-8")
        yield host
    finally:
        if not keep:
            bed("host", "remove", NAME)
