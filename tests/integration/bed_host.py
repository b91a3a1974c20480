"""The host of the test bed, as tests use it: one module, one playbook or one command at a time."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
ANSIBLE_PLAYBOOK = Path(sys.executable).with_name("ansible-playbook")


@dataclass(frozen=True)
class Completed:
    """A command that ended on the host."""

    returncode: int
    stdout: str
    stderr: str

    @property
    def ok(self) -> bool:
        return self.returncode == 0


@dataclass(frozen=True)
class PlaybookRun:
    """A playbook that ended: what it printed, and the results of its tasks in order."""

    returncode: int
    output: str
    tasks: tuple[dict[str, Any], ...]

    @property
    def ok(self) -> bool:
        return self.returncode == 0

    @property
    def changed(self) -> list[str]:
        """The names of the tasks that reported a change."""
        return [task["task"] for task in self.tasks if task["result"]["changed"]]

    @property
    def failures(self) -> list[str]:
        """The messages of the tasks that failed; of a loop, those of its items."""
        messages = []
        for task in self.tasks:
            if task["status"] in ("failed", "unreachable"):
                items = [item for item in task["result"].get("results", []) if item.get("failed")]
                messages += [str(result.get("msg", "")) for result in items or [task["result"]]]
        return messages


class BedHost:
    """One host of a running test bed, reached through the inventory directory that the bed wrote.

    ``directory`` is where the one-task playbooks lie; a test may put ``templates/`` and ``files/`` there, and action
    plugins find them as they would find those beside any playbook.
    """

    def __init__(self, inventory: Path, directory: Path) -> None:
        self.inventory = inventory
        self.directory = directory
        hosts = yaml.safe_load((inventory / "hosts.yml").read_text(encoding="utf-8"))
        self.name, self.variables = _only_host(hosts)

    @property
    def address(self) -> str:
        return str(self.variables["ansible_host"])

    @property
    def _results(self) -> Path:
        return self.directory / "results.jsonl"

    def module(
        self,
        name: str,
        args: Mapping[str, Any],
        *,
        check: bool = False,
        diff: bool = False,
        variables: Mapping[str, Any] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        """Run one module as root and return its result, with ``failed`` and ``changed`` always set."""
        play = [
            {
                "name": "One task",
                "hosts": self.name,
                "become": True,
                "gather_facts": False,
                "vars": dict(variables or {}),
                "environment": dict(environment or {}),
                "tasks": [{"name": "The task", name: dict(args)}],
            }
        ]
        playbook = self.directory / "task.yml"
        playbook.write_text(yaml.safe_dump(play, sort_keys=False), encoding="utf-8")
        run = self.playbook(playbook, check=check, diff=diff)
        assert len(run.tasks) == 1, f"expected one task result of {name}:\n{run.output}"
        return dict(run.tasks[0]["result"])

    def playbook(
        self,
        path: Path | str,
        *,
        inventories: Sequence[Path | str] = (),
        extra_variables: Mapping[str, Any] | None = None,
        check: bool = False,
        diff: bool = False,
        arguments: Sequence[str] = (),
    ) -> PlaybookRun:
        """Run a playbook against this host; ``inventories`` come before the bed's own, which overrides them.

        ``arguments`` are further ones of ansible-playbook, such as ``-vvv``.
        """
        results = self._results
        results.unlink(missing_ok=True)
        argv, environment = self.command(path, inventories=inventories, extra_variables=extra_variables)
        argv += [*["--check"] * check, *["--diff"] * diff, *arguments]
        completed = subprocess.run(
            argv, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
        lines = results.read_text(encoding="utf-8").splitlines() if results.exists() else []
        return PlaybookRun(
            completed.returncode, completed.stdout + completed.stderr, tuple(json.loads(line) for line in lines)
        )

    def command(
        self,
        path: Path | str,
        *,
        inventories: Sequence[Path | str] = (),
        extra_variables: Mapping[str, Any] | None = None,
    ) -> tuple[list[str], dict[str, str]]:
        """Return argv and environment that run a playbook against this host from the repository's root."""
        argv = [str(ANSIBLE_PLAYBOOK), str(path)]
        for inventory in [*inventories, self.inventory]:
            argv += ["-i", str(inventory)]
        if extra_variables:
            argv += ["-e", json.dumps(dict(extra_variables))]
        environment = {
            **os.environ,
            "ANSIBLE_CALLBACKS_ENABLED": "composeops.stack.summary,result_file",
            "ANSIBLE_CALLBACK_PLUGINS": str(ROOT / "tests/integration/callback_plugins"),
            "ANSIBLE_NOCOLOR": "1",
            "COMPOSEOPS_RESULT_FILE": str(self._results),
        }
        return argv, environment

    def run(self, command: str | Sequence[str], *, stdin: str | None = None, check: bool = False) -> Completed:
        """Run a shell command line, or an argv, on the host as root; with ``check`` a failure raises."""
        script = command if isinstance(command, str) else shlex.join(command)
        completed = subprocess.run(
            [*self._ssh(), f"sudo -n sh -c {shlex.quote(script)}"],
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            text=True,
            check=False,
        )
        result = Completed(completed.returncode, completed.stdout, completed.stderr)
        assert result.ok or not check, f"{script!r} failed on {self.name}: {result}"
        return result

    def output(self, command: str | Sequence[str]) -> str:
        """Return what a command prints on the host; a failure raises."""
        return self.run(command, check=True).stdout.strip()

    def read(self, path: str) -> str:
        """Return the content of a file on the host; a missing file raises."""
        return self.run(["cat", path], check=True).stdout

    def write(self, path: str, content: str, mode: str = "0644") -> None:
        """Write a file on the host, with its parent directories."""
        quoted = shlex.quote(path)
        self.run(f"install -D -m {mode} /dev/stdin {quoted}", stdin=content, check=True)

    def exists(self, path: str) -> bool:
        return self.run(["test", "-e", path]).ok

    def _ssh(self) -> list[str]:
        variables = self.variables
        key = str(variables["ansible_ssh_private_key_file"])
        return [
            "ssh",
            *shlex.split(str(variables.get("ansible_ssh_common_args", ""))),
            *("-o", "BatchMode=yes", "-o", "ControlMaster=auto", "-o", "ControlPersist=30s"),
            *("-o", f"ControlPath={self.directory}/ssh-%C"),
            *("-p", str(variables.get("ansible_port", 22)), "-i", key),
            f"{variables.get('ansible_user', 'root')}@{self.address}",
        ]


def _only_host(inventory: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return name and variables of the one host that a bed's hosts.yml describes, whatever group it is in."""
    found: dict[str, dict[str, Any]] = {}

    def visit(group: Mapping[str, Any], inherited: Mapping[str, Any]) -> None:
        variables = {**inherited, **(group.get("vars") or {})}
        for name, own in (group.get("hosts") or {}).items():
            found[name] = {**found.get(name, {}), **variables, **(own or {})}
        for child in (group.get("children") or {}).values():
            visit(child or {}, variables)

    for group in inventory.values():
        visit(group or {}, {})
    assert len(found) == 1, f"a bed's inventory has one host, this one has {sorted(found)}"
    return next(iter(found.items()))
