# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The Docker command line as functions: inspection of containers and images, and processes inside containers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.io.runner import Completed, Runner

PROJECT_LABEL = "com.docker.compose.project"
SERVICE_LABEL = "com.docker.compose.service"
STACK_LABEL = "composeops.stack"
"""The stack of a container whose compose project is only one colour of it."""
DECLARED_SERVICE_LABEL = "composeops.service"
"""The name that the compose file gives its service; in a colour compose knows it by another one."""
_LISTING = f'{{{{.ID}}}} {{{{.Label "{PROJECT_LABEL}"}}}} {{{{.Label "{STACK_LABEL}"}}}}'


class Docker:
    """The engine of this host, through its command line and the given runner."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    def available(self) -> bool:
        """Whether an engine answers; False also where the command line is not installed."""
        return self._runner.run(["docker", "version", "--format", "{{.Server.Version}}"], check=False).ok

    def containers(self, stack: str, service: str | None = None) -> list[dict[str, Any]]:
        """Return `docker inspect` of the containers of a stack in every colour, stopped ones included."""
        argv = ["docker", "ps", "--all", "--no-trunc", "--filter", f"label={PROJECT_LABEL}", "--format", _LISTING]
        listed = [line.split(" ") for line in self._runner.run(argv).stdout.splitlines()]
        identifiers = [identifier for identifier, *labels in listed if stack in labels]
        if not identifiers:
            return []
        # A container may end between the two calls; what is left is still the truth.
        inspected = self._runner.run(["docker", "inspect", "--type", "container", *identifiers], check=False)
        found = list(json.loads(inspected.stdout or "[]"))
        return [container for container in found if service is None or service_of(container) == service]

    def running_container(self, stack: str, service: str) -> dict[str, Any]:
        """Return `docker inspect` of the one running container of a service; raise where there is none."""
        running = [found for found in self.containers(stack, service) if found["State"]["Running"]]
        if not running:
            raise ComposeOpsError(
                f"Service {service} of stack {stack} has no running container.",
                "Deploy the stack first (playbooks/deploy.yml), or look at playbooks/logs.yml.",
            )
        return running[0]

    def execute(
        self, container: str, argv: Sequence[str], *, stdin: str | None = None, timeout: float = 60, check: bool = True
    ) -> Completed:
        """Run ``argv`` inside a container; a secret goes through ``stdin``, never through ``argv``."""
        interactive = ["--interactive"] if stdin is not None else []
        return self._runner.run(
            ["docker", "exec", *interactive, container, *argv], stdin=stdin, timeout=timeout, check=check
        )

    def logs(self, container: str, lines: int) -> str:
        """Return the last ``lines`` lines a container wrote, both streams, oldest first."""
        completed = self._runner.run(["docker", "logs", "--tail", str(lines), container], check=False)
        return (completed.stdout + completed.stderr).strip()

    def logs_since(self, container: str, seconds: int, timeout: float) -> str:
        """Return what a container wrote in the last ``seconds``, both streams, each oldest first."""
        argv = ["docker", "logs", "--since", f"{seconds}s", container]
        completed = self._runner.run(argv, timeout=timeout)
        return completed.stdout + completed.stderr

    def remove(self, containers: Sequence[str], timeout: float) -> None:
        """Stop containers as their stop signals and time-outs say, then remove them; volumes stay."""
        if containers:
            self._runner.run(["docker", "stop", *containers], timeout=timeout)
            self._runner.run(["docker", "rm", *containers])

    def networks(self, project: str) -> list[str]:
        """Return the names of the networks of a compose project."""
        return self._names("network", project)

    def volumes(self, project: str) -> list[str]:
        """Return the names of the volumes of a compose project."""
        return self._names("volume", project)

    def _names(self, kind: str, project: str) -> list[str]:
        argv = ["docker", kind, "ls", "--filter", f"label={PROJECT_LABEL}={project}", "--format", "{{.Name}}"]
        return sorted(self._runner.run(argv).stdout.split())


def address(inspected: Mapping[str, Any]) -> str:
    """Return where this host reaches a running container."""
    for network in inspected["NetworkSettings"]["Networks"].values():
        if network["IPAddress"]:
            return str(network["IPAddress"])
    return "127.0.0.1"


def service_of(inspected: Mapping[str, Any]) -> str:
    """Return the name that the compose file gives the service of a container; empty where compose did not make it."""
    labels = inspected["Config"].get("Labels") or {}
    return str(labels.get(DECLARED_SERVICE_LABEL) or labels.get(SERVICE_LABEL, ""))
