"""The directory a run works in: plays, templates and one inventory per distance, logs, and samples as they come."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from benchmarks.converge import resources

PLAYS = Path(__file__).parent / "plays"
HOST_NAME = "bench"


@dataclass(frozen=True)
class Login:
    """How one distance reaches the host over ssh."""

    address: str
    port: int
    user: str
    key: Path
    known_hosts: Path

    def ssh_options(self) -> list[str]:
        """Options every contestant that starts ssh is given."""
        return ["-o", f"UserKnownHostsFile={self.known_hosts}", "-o", "StrictHostKeyChecking=yes"]


def known_hosts_for(known: str, address: str, port: int) -> str:
    """Return the lines of ``known``, with those about ``address`` repeated for a local ``port`` that leads there."""
    lines = known.splitlines()
    repeated = [
        f"[127.0.0.1]:{port} {fields[1]}"
        for fields in (line.split(maxsplit=1) for line in lines)
        if len(fields) > 1 and address in fields[0].split(",")
    ]
    return "\n".join([*lines, *repeated]) + "\n"


def ansible_connection(login: Login) -> dict[str, Any]:
    """Return the variables that tell ansible how to reach the host."""
    return {
        "ansible_host": login.address,
        "ansible_port": login.port,
        "ansible_user": login.user,
        "ansible_ssh_private_key_file": str(login.key),
        "ansible_ssh_common_args": " ".join(login.ssh_options()),
    }


def pyinfra_inventory(login: Login) -> str:
    """Return the inventory of one host, as pyinfra reads it: Python with a list of hosts."""
    data = {
        "ssh_hostname": login.address,
        "ssh_port": login.port,
        "ssh_user": login.user,
        "ssh_key": str(login.key),
        "ssh_known_hosts_file": str(login.known_hosts),
        "ssh_strict_host_key_checking": "yes",
        "ssh_allow_agent": False,
        "ssh_look_for_keys": False,
    }
    return f"hosts = [({HOST_NAME!r}, {data!r})]\n"


class Workspace:
    """A fresh directory below ``.cache`` (which git ignores)."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.logs = directory / "logs"
        self.known_hosts = directory / "known_hosts"
        if directory.exists():
            shutil.rmtree(directory)
        shutil.copytree(PLAYS, directory, ignore=shutil.ignore_patterns("templates", "__pycache__"))
        self.logs.mkdir()
        (directory / "defaults.cfg").write_text("[defaults]\n", encoding="utf-8")
        self.variables: dict[str, Any] = yaml.safe_load((directory / "variables.yml").read_text(encoding="utf-8"))
        self.resources = resources.resources(self.variables["bench_applications"])
        resources.write(self.resources, directory)

    def add_inventories(self, distance: str, login: Login) -> None:
        """Write what ansible and pyinfra need to reach the host from this distance."""
        inventory = {"all": {"hosts": {HOST_NAME: ansible_connection(login)}}}
        (self.directory / f"{distance}.yml").write_text(yaml.safe_dump(inventory), encoding="utf-8")
        (self.directory / f"{distance}.py").write_text(pyinfra_inventory(login), encoding="utf-8")

    def add_known_host(self, address: str, port: int) -> None:
        """Trust at a local port what is trusted at the address it leads to."""
        known = self.known_hosts.read_text(encoding="utf-8")
        self.known_hosts.write_text(known_hosts_for(known, address, port), encoding="utf-8")

    def record(self, sample: dict[str, Any]) -> None:
        """Append one sample, so that an interrupted run leaves what it measured."""
        with (self.directory / "samples.jsonl").open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(sample) + "\n")
