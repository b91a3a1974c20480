"""The containers of a stack on its host, in whichever colour they run."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

Run = Callable[[str], str]
"""Runs a command line on the host, as root, and returns what it prints; raises where it fails."""


def identifiers(run: Run, stack: str = "petcare") -> list[str]:
    """Return the ids of all containers of a stack: those of its base project, and those of its colours."""
    filters = (f"com.docker.compose.project={stack}", f"composeops.stack={stack}")
    listed = [run(f"docker ps --all --quiet --no-trunc --filter label={label}").split() for label in filters]
    return sorted({identifier for found in listed for identifier in found})


def containers(run: Run, stack: str = "petcare") -> dict[str, dict[str, Any]]:
    """Return `docker inspect` of the one container of each service, by the service's name in the compose file."""
    found: dict[str, dict[str, Any]] = {}
    for container in json.loads(run(f"docker inspect {' '.join(identifiers(run, stack))}")):
        labels = container["Config"]["Labels"]
        service = labels.get("composeops.service") or labels["com.docker.compose.service"]
        assert service not in found, f"{service} has two containers: {found[service]['Name']} and {container['Name']}"
        found[service] = container
    return found


def name(run: Run, service: str, stack: str = "petcare") -> str:
    """Return the name of the container of a service."""
    return str(containers(run, stack)[service]["Name"]).removeprefix("/")


def record(run: Run, stack: str = "petcare") -> dict[str, Any]:
    """Return what the host has recorded of a stack."""
    content: dict[str, Any] = json.loads(run(f"cat /var/lib/composeops/stacks/{stack}/state.json"))
    return content
