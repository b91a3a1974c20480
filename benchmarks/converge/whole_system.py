"""The figure beside the comparison: a no-change run of the pet-care system's own playbook, as an operator runs it."""

from __future__ import annotations

from pathlib import Path

import yaml

from benchmarks.converge import recap
from benchmarks.converge.bench_host import BenchHost, HarnessError
from benchmarks.converge.contestants import ROOT
from benchmarks.converge.stopwatch import timed
from benchmarks.converge.workspace import Login, Workspace, ansible_connection

PLAYBOOK = ROOT / "playbooks/site.yml"


class WholeSystem:
    """The system on the bench host, which plays the system's only host."""

    def __init__(self, host: BenchHost, workspace: Workspace) -> None:
        self._host = host
        self._workspace = workspace

    def add_inventory(self, distance: str, login: Login) -> None:
        """Write the third inventory, which only says from how far the host is reached.

        The host keeps its address there: the system checks from the controller what is reachable at it.
        """
        connection = ansible_connection(login)
        connection["ansible_host"] = self._host.address
        connection["ansible_ssh_common_args"] += f" -o HostName={login.address} -o HostKeyAlias={self._host.address}"
        document = {"all": {"hosts": {self._host.system_name: connection}}}
        self._inventory(distance).write_text(yaml.safe_dump(document), encoding="utf-8")

    def converge(self, distance: str) -> None:
        """Bring the system onto the host; not measured, as it is downloads and health gates for the most part."""
        if self._run(distance, "first")[1].failed:
            raise HarnessError(f"{PLAYBOOK} did not converge; see {self._workspace.logs}/system-{distance}-first.log")

    def no_change(self, distance: str, repetition: int) -> float:
        """Return the seconds of a run that has nothing to do."""
        seconds, found = self._run(distance, str(repetition))
        if not found.nothing_changed:
            raise HarnessError(
                f"{PLAYBOOK} changed {found.changed} things on a converged host; "
                f"see {self._workspace.logs}/system-{distance}-{repetition}.log"
            )
        return seconds

    def _run(self, distance: str, name: str) -> tuple[float, recap.Recap]:
        inventories: list[Path] = [ROOT / "inventories/petcare", self._host.inventory, self._inventory(distance)]
        log = self._workspace.logs / f"system-{distance}-{name}.log"
        run = timed(
            [ROOT / ".venv/bin/ansible-playbook", *(part for path in inventories for part in ("-i", path)), PLAYBOOK],
            log,
            {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")},
            ROOT,
        )
        if run.returncode:
            raise HarnessError(f"{PLAYBOOK} failed with status {run.returncode}; see {log}")
        return run.seconds, recap.parse_ansible(run.output)

    def _inventory(self, distance: str) -> Path:
        return self._workspace.directory / f"system-{distance}.yml"
