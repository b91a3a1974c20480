# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Brings a stack to what is asked: observes, plans, and takes the plan's steps; a run may die between any two."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone

from ansible_collections.composeops.stack.plugins.module_utils.errors import CommandError, ComposeOpsError, InvalidInput
from ansible_collections.composeops.stack.plugins.module_utils.io.docker import Docker
from ansible_collections.composeops.stack.plugins.module_utils.io.runner import Runner
from ansible_collections.composeops.stack.plugins.module_utils.release import fingerprints, render, state
from ansible_collections.composeops.stack.plugins.module_utils.release.clock import Clock, SystemClock
from ansible_collections.composeops.stack.plugins.module_utils.release.compose import Compose
from ansible_collections.composeops.stack.plugins.module_utils.release.containers import Container, parse
from ansible_collections.composeops.stack.plugins.module_utils.release.gate import Gate
from ansible_collections.composeops.stack.plugins.module_utils.release.images import Images
from ansible_collections.composeops.stack.plugins.module_utils.release.masking import mask
from ansible_collections.composeops.stack.plugins.module_utils.release.model import Service, StackRequest
from ansible_collections.composeops.stack.plugins.module_utils.release.plan import Plan, Step, make_plan
from ansible_collections.composeops.stack.plugins.module_utils.release.project import ProjectDirectory, ProjectFiles
from ansible_collections.composeops.stack.plugins.module_utils.release.renderer import Renderer
from ansible_collections.composeops.stack.plugins.module_utils.release.state import Endpoint, StackState
from ansible_collections.composeops.stack.plugins.module_utils.secrets import store

START_ALLOWANCE = 300.0
"""Seconds for compose to stop the old containers of a wave and create the new ones, beside their health."""


class DeploymentFailed(ComposeOpsError):
    """A deployment that did not pass, after the release before was put back where there was one."""

    def __init__(self, cause: ComposeOpsError, left: str, *, changed: bool, containers: Sequence[Container]) -> None:
        remedy = " ".join(part for part in (cause.remedy, left, "Correct the cause and deploy again.") if part)
        super().__init__(cause.message, remedy)
        self.changed = changed
        """Whether anything on the host is not as it was, containers that were put back included."""
        self.containers = tuple(containers)
        """What was left."""

    def __str__(self) -> str:
        # The message ends with the lines of a log; what to do is not one of them.
        return f"{self.message}\n{self.remedy}"


@dataclass(frozen=True)
class Observation:
    """What is there of a stack."""

    engine: bool
    """Whether an engine answers; on a bare host none does."""
    record: StackState | None
    disk: ProjectFiles | None
    containers: tuple[Container, ...] = ()


@dataclass(frozen=True)
class Target:
    """What is to be there of a stack."""

    services: tuple[Service, ...]
    endpoints: tuple[Endpoint, ...]
    files: ProjectFiles
    inputs: str
    revision: str
    notes: tuple[str, ...] = ()

    def recorded_in(self, record: StackState | None) -> bool:
        """Whether ``record`` says that this is what runs."""
        return (
            record is not None
            and not record.stopped
            and (record.inputs, record.revision) == (self.inputs, self.revision)
        )


@dataclass(frozen=True)
class Outcome:
    """What a deployment came to."""

    plan: Plan
    """What was done: the plan as it was after images had been pulled."""
    containers: tuple[Container, ...]
    digests: Mapping[str, str]


class Deployment:
    """One stack on this host. ``root`` and ``secrets`` are the directories of records and secrets."""

    def __init__(
        self,
        request: StackRequest,
        runner: Runner,
        *,
        clock: Clock | None = None,
        root: str = state.DIRECTORY,
        secrets: str = store.DIRECTORY,
    ) -> None:
        self.request = request
        self._root = root
        self._secrets_directory = secrets
        self._clock = clock or SystemClock()
        self._docker = Docker(runner)
        self._images = Images(runner)
        directory = state.directory(request.name, root)
        self.project = ProjectDirectory(directory)
        self._compose = Compose(runner, request.name, directory)
        self._values = store.read(request.name, secrets)
        self._key = store.fingerprint_key(secrets)
        self._gate = Gate(
            self._docker,
            request.name,
            policy=request.health,
            log_lines=request.log_lines,
            secrets=self._values.values(),
            clock=self._clock,
        )

    @property
    def secret_values(self) -> list[str]:
        """Every secret of the stack, for masking."""
        return list(self._values.values())

    def prepare(self) -> None:
        """Make the host's key for fingerprints where it has none yet; not for check mode."""
        self._key = store.fingerprint_key(self._secrets_directory, create=True)

    def observe(self) -> Observation:
        """Return what is there."""
        record = state.read_state(self.request.name, self._root)
        wanted = [file.path for file in self.request.files]
        disk = self.project.read([*wanted, *(record.files if record else ())])
        try:
            containers = parse(self._docker.containers(self.request.name))
        except CommandError:
            if self._docker.available():
                raise
            return Observation(False, record, disk)
        return Observation(True, record, disk, tuple(containers))

    def target(self, observed: Observation) -> Target:
        """Return what is to be there; where nothing was asked anew and nobody touched the files, what was rendered."""
        inputs = fingerprints.of_inputs(self._key, self.request, self._values)
        record, disk = observed.record, observed.disk
        same = record and disk and (record.inputs, record.revision) == (inputs, fingerprints.of_files(self._key, disk))
        if record and disk and same:
            services = render.services_of(json.loads(disk.compose))
            return Target(services, record.endpoints, disk, inputs, record.revision)
        renderer = Renderer(self.request, self._compose, secrets=self._values, key=self._key, root=self._root)
        rendering, files = renderer.render(record, observed.containers)
        revision = fingerprints.of_files(self._key, files)
        return Target(rendering.services, rendering.endpoints, files, inputs, revision, rendering.notes)

    def plan(self, observed: Observation, target: Target) -> Plan:
        """Return what a deployment does."""
        record = observed.record
        return make_plan(
            target.services,
            observed.containers,
            images=self._image_ids(target.services),
            always_pull=self.request.pull == "always",
            writes=target.files.changed_from(observed.disk),
            written_at=self._written_at(target),
            record=not target.recorded_in(record),
            was_stopped=bool(record and record.stopped),
            notes=target.notes,
        )

    def apply(self, observed: Observation, target: Target, plan: Plan) -> Outcome:
        """Take the steps of ``plan``; a failure puts the release before back and raises."""
        if plan.pulls or plan.refreshes:
            self._images.pull([*plan.pulls, *plan.refreshes])
            # A tag may have moved: only now is it known which services have to be recreated.
            plan = replace(self.plan(observed, target), pulls=plan.pulls, refreshes=plan.refreshes)
        self._forget_outdated(observed.record)
        try:
            containers = self._take(plan.steps(), observed, target)
        except ComposeOpsError as error:
            left = self._put_back(observed, target)
            raise DeploymentFailed(error, left, changed=plan.changes, containers=self._what_runs()) from error
        if observed.record and not plan.changes:
            self.project.forget_previous()
            return Outcome(plan, tuple(containers), observed.record.images)
        digests = self._digests(target.services)
        self._record(target, digests)
        return Outcome(plan, tuple(containers), digests)

    def _take(self, steps: Sequence[Step], observed: Observation, target: Target) -> list[Container]:
        containers = list(observed.containers)
        acted = False
        for step in steps:
            if step.kind == "write":
                self.project.keep_previous(observed.disk if observed.record else None)
                self.project.write(target.files, observed.record.files if observed.record else ())
            elif step.kind == "remove":
                self._remove([found for found in observed.containers if found.service in step.subjects])
            elif step.kind == "start":
                self._start(step.subjects, target.services)
            elif step.kind == "restart":
                self._compose.restart(step.subjects, START_ALLOWANCE)
            elif step.kind == "wait":
                seen = None if acted else observed.containers
                containers = self._gate.wait(target.services, step.conditions or {}, observed.containers, seen)
            acted = acted or step.kind != "wait"
        return containers

    def _start(self, names: Sequence[str], services: Sequence[Service]) -> None:
        try:
            self._compose.up(names, self.request.health.limit + START_ALLOWANCE)
        except CommandError as error:
            # What the container wrote says more than what compose says about it.
            raise self._gate.diagnose(services, names) or _masked(error, self.secret_values) from error

    def _remove(self, containers: Sequence[Container]) -> None:
        self._docker.remove([container.identifier for container in containers], START_ALLOWANCE)

    def _what_runs(self) -> list[Container]:
        """Return the containers for a report; none where the engine itself is what failed."""
        try:
            return self._gate.containers()
        except ComposeOpsError:
            return []

    def _forget_outdated(self, record: StackState | None) -> None:
        """Remove what an earlier run set aside and died before removing, after it had recorded its own release."""
        previous = self.project.read_previous()
        if previous and (record is None or fingerprints.of_files(self._key, previous) != record.revision):
            self.project.forget_previous()

    def _put_back(self, observed: Observation, target: Target) -> str:
        """Put the release before back where there is one, and return what is there now."""
        previous = self.project.read_previous()
        if observed.record is None:
            return "It is the first release: what was started is left there to be looked at."
        if previous is None:
            return "The declared release is the one that was deployed before: there was nothing to put back."
        try:
            services = render.services_of(json.loads(previous.compose))
            self.project.write(previous, [file.path for file in target.files.files])
            containers = self._gate.containers()
            before = Target(services, observed.record.endpoints, previous, "", "")
            plan = make_plan(
                services, containers, images=self._image_ids(services), written_at=self._written_at(before)
            )
            self._take(plan.steps(), replace(observed, containers=tuple(containers)), before)
        except ComposeOpsError as error:
            return f"Putting the release before back failed too, only its files are back: {error}"
        self.project.forget_previous()
        return "The release before was put back, and all its services are ready."

    def _record(self, target: Target, digests: Mapping[str, str]) -> None:
        record = StackState(
            stack=self.request.name,
            project=self.request.name,
            revision=target.revision,
            applied_at=datetime.fromtimestamp(self._clock.now(), timezone.utc).isoformat(timespec="seconds"),
            endpoints=target.endpoints,
            services={service.name: service.image for service in target.services},
            images=dict(digests),
            inputs=target.inputs,
            files=tuple(file.path for file in target.files.files),
        )
        state.write_state(record, self._root)
        self.project.forget_previous()

    def _written_at(self, target: Target) -> dict[str, float]:
        return self.project.written_at([file.path for file in target.files.files])

    def _digests(self, services: Sequence[Service]) -> dict[str, str]:
        present = self._images.present(service.image for service in services)
        return {service.name: present[service.image].digest for service in services if service.image in present}

    def _image_ids(self, services: Sequence[Service]) -> dict[str, str]:
        present = self._images.present(service.image for service in services)
        return {reference: image.identifier for reference, image in present.items()}

    def missing_secrets(self) -> list[str]:
        """Return which listed secrets the host does not have."""
        return [name for name in self.request.secrets if name not in self._values]


def require_secrets(deployment: Deployment) -> None:
    """Raise where a listed secret is not on the host: an empty one must never be deployed."""
    missing = deployment.missing_secrets()
    if missing:
        name = deployment.request.name
        raise InvalidInput(
            f"Stack {name}: the secrets {', '.join(missing)} are not on this host ({store.path(name)}).",
            "The module composeops.stack.secrets puts them there; the role `stack` calls it first.",
        )


def _masked(error: CommandError, secrets: Sequence[str]) -> CommandError:
    return CommandError(mask(error.message, secrets), error.remedy, returncode=error.returncode)
