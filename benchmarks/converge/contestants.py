"""Who is compared, and how each is started."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.converge.recap import Recap, parse_ansible, parse_pyinfra

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".venv-benchmarks"
MITOGEN_STRATEGIES = VENV / "lib/python3.11/site-packages/ansible_mitogen/plugins/strategy"


class Scope(enum.Enum):
    """How much of a host is asked for."""

    FILES_AND_PACKAGES = "files and packages"
    WHOLE_HOST = "whole host"


WHOLE_HOST_TAG = "whole-host"
"""Tasks of the plays that belong to the whole host only; skipped when a play is loaded, so they cost nothing then."""


@dataclass(frozen=True)
class Contestant:
    """One way to bring the resources onto the host."""

    name: str
    title: str
    parse: Callable[[str], Recap]
    play: str
    environment: Mapping[str, str] = field(default_factory=dict)
    scopes: frozenset[Scope] = frozenset(Scope)
    left_out: str = ""

    def argv(self, scope: Scope, distance: str) -> list[str]:
        """The command line, to be started in the workspace, where each distance has its inventory."""
        if self.parse is parse_pyinfra:
            return [str(VENV / "bin/pyinfra"), f"{distance}.py", self.play, "--yes"]
        skipped = ["--skip-tags", WHOLE_HOST_TAG] if scope is Scope.FILES_AND_PACKAGES else []
        return [str(VENV / "bin/ansible-playbook"), "--inventory", f"{distance}.yml", self.play, *skipped]


# Nobody is configured by a file of the user or of this repository, except us by our own.
DEFAULTS = {"ANSIBLE_CONFIG": "defaults.cfg"}

OURS = Contestant(
    name="ours",
    title="composeops.stack",
    parse=parse_ansible,
    play="ours.yml",
    environment={"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")},
)

CONTESTANTS = (
    OURS,
    Contestant(
        name="stock",
        title="stock modules, default settings",
        parse=parse_ansible,
        play="stock.yml",
        environment=DEFAULTS,
    ),
    Contestant(
        name="pipelining",
        title="stock modules, pipelining, no facts",
        parse=parse_ansible,
        play="stock.yml",
        environment={**DEFAULTS, "ANSIBLE_PIPELINING": "True", "ANSIBLE_GATHERING": "explicit"},
    ),
    Contestant(
        name="mitogen",
        title="stock modules, Mitogen, no facts",
        parse=parse_ansible,
        play="stock.yml",
        environment={
            **DEFAULTS,
            "ANSIBLE_GATHERING": "explicit",
            "ANSIBLE_STRATEGY": "mitogen_linear",
            "ANSIBLE_STRATEGY_PLUGINS": str(MITOGEN_STRATEGIES),
        },
    ),
    Contestant(
        name="pyinfra",
        title="pyinfra",
        parse=parse_pyinfra,
        play="pyinfra_deploy.py",
        scopes=frozenset({Scope.FILES_AND_PACKAGES}),
        left_out="the whole host: its `docker.compose` operation runs `compose up` and reports a change every time",
    ),
)
