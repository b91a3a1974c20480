"""What no contestant of its kind can go below: the start of ansible-playbook, one ssh connection, one remote Python."""

from __future__ import annotations

import socket
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.converge.bench_host import BenchHost, HarnessError
from benchmarks.converge.contestants import DEFAULTS, VENV
from benchmarks.converge.stopwatch import timed
from benchmarks.converge.workspace import Login, Workspace

ANSIBLE_START = "start of ansible-playbook (a play without tasks)"
CONNECTION = "one cold ssh connection running `true`"
PYTHON = "one start of Python on the host, with json and subprocess imported"

NO_TASKS = """\
- hosts: localhost
  connection: local
  gather_facts: false
"""


def measure(host: BenchHost, logins: Mapping[str, Login], workspace: Workspace, repetition: int) -> dict[str, float]:
    """Return seconds by what was measured; an ssh connection is one figure per distance."""
    play = workspace.directory / "no-tasks.yml"
    play.write_text(NO_TASKS, encoding="utf-8")
    ansible: list[str | Path] = [VENV / "bin/ansible-playbook", "--inventory", "localhost,", play]
    found = {ANSIBLE_START: _seconds(ansible, workspace, f"floor-ansible-{repetition}", DEFAULTS)}
    for distance, login in logins.items():
        found[f"{CONNECTION}, {distance}"] = _seconds(
            [*host.ssh(login), "true"], workspace, f"floor-ssh-{distance}-{repetition}", {}
        )
    found[PYTHON] = remote_python(host)
    return found


def _seconds(argv: Sequence[str | Path], workspace: Workspace, name: str, environment: Mapping[str, str]) -> float:
    run = timed(argv, workspace.logs / f"{name}.log", environment, workspace.directory)
    if run.returncode:
        raise HarnessError(f"{name} failed with status {run.returncode}:\n{run.output}")
    return run.seconds


def remote_python(host: BenchHost) -> float:
    """Measure on the host itself, so that no connection is in the figure."""
    return float(host.script("python-start.sh", []))


def round_trip(login: Login) -> float:
    """Return the seconds of one round trip to the host's sshd.

    Two of them pass between opening a connection and its first byte: one to connect, one for the greeting, which sshd
    sends as soon as it accepts. (Its own start of about 10 ms is in the figure.)
    """
    start = time.perf_counter()
    with socket.create_connection((login.address, login.port), timeout=10) as connection:
        connection.recv(1)
    return (time.perf_counter() - start) / 2
