# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Stops, restarts and removes a deployed stack: what needs no compose file from the controller."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.composeops.stack.plugins.module_utils.errors import CommandError, InvalidInput
from ansible_collections.composeops.stack.plugins.module_utils.io.docker import Docker
from ansible_collections.composeops.stack.plugins.module_utils.io.runner import Runner
from ansible_collections.composeops.stack.plugins.module_utils.release import active as colour_flag
from ansible_collections.composeops.stack.plugins.module_utils.release import colours, lifecycle, render, report, state
from ansible_collections.composeops.stack.plugins.module_utils.release.clock import Clock, SystemClock
from ansible_collections.composeops.stack.plugins.module_utils.release.containers import Container, by_service, parse
from ansible_collections.composeops.stack.plugins.module_utils.release.gate import last_lines
from ansible_collections.composeops.stack.plugins.module_utils.release.health import Wanted
from ansible_collections.composeops.stack.plugins.module_utils.release.model import HealthPolicy
from ansible_collections.composeops.stack.plugins.module_utils.release.part import Part, Tools
from ansible_collections.composeops.stack.plugins.module_utils.secrets import store

DIAGNOSIS_LINES = 40


@dataclass(frozen=True)
class Result:
    """What an operation did, or would do."""

    plan: tuple[str, ...]
    containers: tuple[Container, ...] = ()
    volumes: tuple[str, ...] = ()

    @property
    def changed(self) -> bool:
        return bool(self.plan)


@dataclass(frozen=True)
class Status:
    """How a stack is."""

    record: state.StackState | None
    services: tuple[dict[str, Any], ...]


class Operations:
    """One stack that is there. ``root`` and ``secrets`` are the directories of records and secrets."""

    def __init__(
        self,
        stack: str,
        runner: Runner,
        *,
        clock: Clock | None = None,
        root: str = state.DIRECTORY,
        secrets: str = store.DIRECTORY,
        active: str = colour_flag.DIRECTORY,
    ) -> None:
        self._stack = stack
        self._root = root
        self._active = active
        self._secrets = list(store.read(stack, secrets).values())
        self._docker = Docker(runner)
        self._runner = runner
        self._clock = clock or SystemClock()
        self._parts = self._make_parts(HealthPolicy(), DIAGNOSIS_LINES)

    def containers(self) -> list[Container]:
        """Return the containers of the stack; none on a host without an engine."""
        try:
            return parse(self._docker.containers(self._stack))
        except CommandError:
            if self._docker.available():
                raise
            return []

    def serving(self) -> list[Container]:
        """Return the containers of the stack without those of a release that is only kept warm."""
        return self._without_warm(self.containers(), state.read_state(self._stack, self._root))

    def _without_warm(self, containers: Sequence[Container], record: state.StackState | None) -> list[Container]:
        warm = record.warm_project if record else ""
        return [container for container in containers if container.project != warm]

    def status(self, services: Sequence[str]) -> Status:
        """Return how the named services are, or all that were deployed or have containers."""
        record = state.read_state(self._stack, self._root)
        containers = by_service(self._without_warm(self.containers(), record))
        declared = dict(record.services) if record else {}
        lifecycle.require_known(self._stack, {*declared, *containers}, services)
        states = report.service_states(containers, declared, record.images if record else {})
        return Status(record, tuple(entry for entry in states if not services or entry["name"] in services))

    def logs(self, services: Sequence[str], lines: int) -> dict[str, list[str]]:
        """Return the last lines of the named services, or all, without secrets."""
        grouped = by_service(lifecycle.chosen(self._stack, self.serving(), services))
        return {name: last_lines(self._docker, found, lines, self._secrets) for name, found in grouped.items()}

    def stop(self, services: Sequence[str], *, check: bool) -> Result:
        """Stop the named services, or all."""
        record = state.read_state(self._stack, self._root)
        there = self.containers()
        before = self._without_warm(there, record)
        names = lifecycle.to_stop(lifecycle.chosen(self._stack, before, services))
        warm = [] if services else [found for found in there if found not in before]
        remember = bool(record and not record.stopped and not services)
        said = [f"stop {name}" for name in names]
        said += [f"stop and remove {container.name}, which was kept running to go back to" for container in warm]
        if remember and not said:
            said.append("remember that the stack is stopped")
        if check or not said:
            return Result(tuple(said), tuple(before))
        if record and remember:
            # Before the containers end: a run that dies in between must not leave jobs that look finished.
            state.write_state(replace(record, stopped=True, warm="", warm_release=0), self._root)
        for part in self._parts:
            if part.of(warm):
                part.compose.down(lifecycle.TIMEOUT)
        if names:
            # What answers requests ends before what it needs.
            for part in reversed(self._parts):
                own = part.of(lifecycle.chosen(self._stack, before, services))
                if own:
                    part.compose.stop(_keys(part, own) if services else [], lifecycle.TIMEOUT)
        return Result(tuple(said), tuple(self.serving()))

    def restart(
        self, services: Sequence[str], health: HealthPolicy, log_lines: int, *, check: bool, wait: bool = True
    ) -> Result:
        """Restart the named services, or all, and ``wait`` until they are healthy."""
        before = self.serving()
        lifecycle.require_deployed(self._stack, before)
        affected = lifecycle.chosen(self._stack, before, services)
        if self._parts[0].project.read([]) is None:
            raise InvalidInput(
                f"Stack {self._stack} was not deployed by this collection:"
                f" {self._parts[0].project.path} has no compose file.",
                "Deploy it (playbooks/deploy.yml).",
            )
        said = tuple(f"restart {container.name}" for container in affected)
        if check:
            return Result(said, tuple(before))
        parts = [part for part in self._make_parts(health, log_lines) if part.of(affected)]
        for part in parts:
            part.compose.restart(_keys(part, part.of(affected)) if services else [], lifecycle.TIMEOUT)
        record = state.read_state(self._stack, self._root)
        if record and record.stopped and not services:
            state.write_state(replace(record, stopped=False), self._root)
        containers: list[Container] = []
        for part in parts if wait else ():
            disk = part.project.read([])
            declared = render.services_of(json.loads(disk.compose)) if disk else ()
            conditions: dict[str, Wanted] = {container.service: "ready" for container in part.of(affected)}
            containers += part.gate.wait(declared, conditions, part.gate.containers())
        return Result(said, tuple(containers))

    def remove(self, *, check: bool) -> Result:
        """Remove containers, networks and files of the stack; its volumes and secrets stay."""
        containers = self.containers()
        engine = bool(containers) or self._docker.available()
        record = state.read_state(self._stack, self._root)
        removal = lifecycle.Removal(
            containers=tuple(container.name for container in containers),
            networks=tuple(name for part in self._parts for name in self._docker.networks(part.name)) if engine else (),
            files=record is not None or self._parts[0].project.read([]) is not None,
            volumes=tuple(self._docker.volumes(self._stack)) if engine else (),
        )
        said = tuple(removal.sentences())
        if removal.changes and not check:
            if removal.containers or removal.networks:
                for part in reversed(self._parts):
                    part.compose.down(lifecycle.TIMEOUT)
            colour_flag.switch(self._stack, colours.BLUE, self._active)
            self._parts[0].project.remove(record.files if record else ())
            containers = self.containers()
        return Result(said, tuple(containers), removal.volumes)

    def _make_parts(self, health: HealthPolicy, log_lines: int) -> tuple[Part, ...]:
        """Return the base project and the colours, in the order in which they start."""
        tools = Tools(self._runner, self._docker, self._clock, health, log_lines, self._secrets)
        return tuple(Part(self._stack, colour, self._root, tools) for colour in ("", *colours.COLOURS))


def _keys(part: Part, containers: Sequence[Container]) -> list[str]:
    return part.keys(sorted({container.service for container in containers}))
