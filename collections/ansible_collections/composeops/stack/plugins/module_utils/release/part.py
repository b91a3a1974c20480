# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One compose project of a stack on its host, the base or a colour, and how it is brought to what is asked."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.composeops.stack.plugins.module_utils.errors import CommandError
from ansible_collections.composeops.stack.plugins.module_utils.io.docker import Docker
from ansible_collections.composeops.stack.plugins.module_utils.io.runner import Runner
from ansible_collections.composeops.stack.plugins.module_utils.release import colours, state
from ansible_collections.composeops.stack.plugins.module_utils.release.clock import Clock
from ansible_collections.composeops.stack.plugins.module_utils.release.compose import Compose
from ansible_collections.composeops.stack.plugins.module_utils.release.containers import Container
from ansible_collections.composeops.stack.plugins.module_utils.release.gate import Gate
from ansible_collections.composeops.stack.plugins.module_utils.release.health import Wanted
from ansible_collections.composeops.stack.plugins.module_utils.release.masking import mask
from ansible_collections.composeops.stack.plugins.module_utils.release.model import HealthPolicy, Service
from ansible_collections.composeops.stack.plugins.module_utils.release.plan import Step
from ansible_collections.composeops.stack.plugins.module_utils.release.project import ProjectDirectory, ProjectFiles

START_ALLOWANCE = 300.0
"""Seconds for compose to stop the old containers of a wave and create the new ones, beside their health."""


@dataclass(frozen=True)
class Tools:
    """What the parts of one stack share."""

    runner: Runner
    docker: Docker
    clock: Clock
    health: HealthPolicy
    log_lines: int
    secrets: Sequence[str]


@dataclass(frozen=True)
class PartTarget:
    """What is to be there of a part."""

    services: tuple[Service, ...]
    files: ProjectFiles


def directory(stack: str, colour: str, root: str) -> str:
    """Return the directory of a part; a colour's is written only while nothing of it serves."""
    base = state.directory(stack, root)
    return os.path.join(base, "colours", colour) if colour else base


class Part:
    """One compose project of ``stack``: that of a colour, or the base where ``colour`` is empty."""

    def __init__(self, stack: str, colour: str, root: str, tools: Tools) -> None:
        self.colour = colour
        self.name = colours.project(stack, colour)
        self.project = ProjectDirectory(directory(stack, colour, root))
        self.compose = Compose(tools.runner, self.name, self.project.path)
        self._tools = tools
        self.gate = Gate(
            tools.docker,
            stack,
            project=self.name,
            policy=tools.health,
            log_lines=tools.log_lines,
            secrets=tools.secrets,
            clock=tools.clock,
        )

    def of(self, containers: Sequence[Container]) -> list[Container]:
        """Return those of ``containers`` that are this part's."""
        return [container for container in containers if container.project == self.name]

    def written_at(self, wanted: ProjectFiles) -> dict[str, float]:
        """Return when those of the files that are there were written, in seconds since the epoch."""
        return self.project.written_at([file.path for file in wanted.files])

    def take(
        self,
        steps: Sequence[Step],
        target: PartTarget,
        before: Sequence[Container],
        *,
        obsolete: Sequence[str] = (),
        set_aside: ProjectFiles | None = None,
    ) -> list[Container]:
        """Take ``steps`` and return the containers afterwards; ``before`` are those that were seen just now."""
        containers = list(before)
        acted = False
        for step in steps:
            if step.kind == "write":
                self.project.keep_previous(set_aside)
                self.project.write(target.files, obsolete)
            elif step.kind == "remove":
                self.remove([found for found in before if found.service in step.subjects])
            elif step.kind == "start":
                self._start(step.subjects, target.services)
            elif step.kind == "restart":
                self.compose.restart(self.keys(step.subjects), START_ALLOWANCE)
            elif step.kind == "wait":
                containers = self.wait(target.services, step.conditions or {}, before, None if acted else before)
            acted = acted or step.kind != "wait"
        return containers

    def wait(
        self,
        services: Sequence[Service],
        conditions: Mapping[str, Wanted],
        before: Sequence[Container],
        seen: Sequence[Container] | None = None,
    ) -> list[Container]:
        """Wait until services have come as far as ``conditions`` say."""
        return self.gate.wait(services, conditions, before, seen)

    def keys(self, services: Sequence[str]) -> list[str]:
        """Return what compose calls ``services`` here."""
        return [colours.key(service, self.colour) for service in services]

    def remove(self, containers: Sequence[Container]) -> None:
        """Stop and remove containers."""
        self._tools.docker.remove([container.identifier for container in containers], START_ALLOWANCE)

    def _start(self, names: Sequence[str], services: Sequence[Service]) -> None:
        try:
            self.compose.up(self.keys(names), self._tools.health.limit + START_ALLOWANCE)
        except CommandError as error:
            # What the container wrote says more than what compose says about it.
            masked = CommandError(mask(error.message, self._tools.secrets), error.remedy, returncode=error.returncode)
            raise self.gate.diagnose(services, names) or masked from error
