"""Every system that preflight lets pass has the variables that differ, and one that is untested says so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.composeops.stack.plugins.module_utils.preflight.machine import (
    UNTESTED,
    Machine,
    Requirements,
    machine_hints,
    machine_problems,
)

ROOT = Path(__file__).resolve().parents[2]


def variables(role: str, kind: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / f"roles/{role}/{kind}/main.yml").read_text(encoding="utf-8"))
    return found


SYSTEMS: list[str] = variables("preflight", "defaults")["preflight_systems"]
TESTED = ("debian-12", "debian-13")


def machine(system: str) -> Machine:
    return Machine(system, system, (3, 12), 4096, {})


def test_each_system_is_tested_or_says_that_it_is_not() -> None:
    assert sorted(SYSTEMS) == sorted((*TESTED, *UNTESTED))
    for system in SYSTEMS:
        said = [hint.sentence() for hint in machine_hints(machine(system))]
        assert said == (
            [f"hint: system: {system} is supported and untested: roles know its packages, no test ran on it"]
            if system in UNTESTED
            else []
        )


@pytest.mark.parametrize("system", ["debian-11", "ubuntu-20.04", "ubuntu-25.10", "rocky-9"])
def test_any_other_system_is_refused(system: str) -> None:
    (problem,) = machine_problems(machine(system), Requirements(SYSTEMS, (3, 10), 0, {}))
    assert "which is not supported" in problem.message
    assert all(known in problem.remedy for known in SYSTEMS)


@pytest.mark.parametrize("system", SYSTEMS)
def test_packages_of_the_engine_are_known_for_each_distribution(system: str) -> None:
    distribution = machine(system).facts["distribution"]
    packages = variables("docker_engine", "vars")["__docker_engine_packages_of"][distribution]
    assert packages[0] == "docker.io"
    assert any(package.startswith("docker-compose") for package in packages)
    # Ubuntu's engine brings its command line; a package of that name would be refused there.
    assert ("docker-cli" in packages) == (distribution == "Debian")


@pytest.mark.parametrize("system", SYSTEMS)
def test_security_updates_come_from_each_distribution(system: str) -> None:
    distribution = machine(system).facts["distribution"]
    template = (ROOT / "roles/baseline/templates/upgrades.conf.j2").read_text(encoding="utf-8")
    (origin,) = [line for line in template.splitlines() if f"origin={distribution}," in line]
    assert "${distro_codename}-security" in origin
