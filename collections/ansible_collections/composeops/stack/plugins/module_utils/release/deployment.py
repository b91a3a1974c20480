# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Brings a stack to what is asked: observes, plans, and takes the plan's steps; a run may die between any two."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone

from ansible_collections.composeops.stack.plugins.module_utils.errors import CommandError, ComposeOpsError, InvalidInput
from ansible_collections.composeops.stack.plugins.module_utils.io.docker import Docker
from ansible_collections.composeops.stack.plugins.module_utils.io.runner import Runner
from ansible_collections.composeops.stack.plugins.module_utils.release import active, fault, fingerprints, render, state
from ansible_collections.composeops.stack.plugins.module_utils.release.clock import Clock, SystemClock
from ansible_collections.composeops.stack.plugins.module_utils.release.colour_plan import (
    ColourPlan,
    Colours,
    DeploymentPlan,
    StepName,
    plan_colours,
)
from ansible_collections.composeops.stack.plugins.module_utils.release.coloured import Volume
from ansible_collections.composeops.stack.plugins.module_utils.release.colours import BLUE
from ansible_collections.composeops.stack.plugins.module_utils.release.compose import COMPOSE_FILE
from ansible_collections.composeops.stack.plugins.module_utils.release.containers import Container, parse
from ansible_collections.composeops.stack.plugins.module_utils.release.diff import differences
from ansible_collections.composeops.stack.plugins.module_utils.release.history import History, Release
from ansible_collections.composeops.stack.plugins.module_utils.release.images import Images
from ansible_collections.composeops.stack.plugins.module_utils.release.model import Service, StackRequest
from ansible_collections.composeops.stack.plugins.module_utils.release.part import Part, PartTarget, Tools
from ansible_collections.composeops.stack.plugins.module_utils.release.plan import Plan, make_plan
from ansible_collections.composeops.stack.plugins.module_utils.release.project import ProjectDirectory, ProjectFiles
from ansible_collections.composeops.stack.plugins.module_utils.release.renderer import Renderer
from ansible_collections.composeops.stack.plugins.module_utils.release.rollout import Rollout, Watched
from ansible_collections.composeops.stack.plugins.module_utils.release.state import Endpoint, StackState
from ansible_collections.composeops.stack.plugins.module_utils.secrets import store

LOCKS = "/run/composeops"
"""Where the locks of stacks are; whatever changes a stack holds its lock."""


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
    """Those of the base project and of every colour."""
    colour_disk: ProjectFiles | None = None
    """The files of the colour that the record names."""
    serving: str = ""
    """The colour that new requests go to."""
    unsettled: bool = False
    """Whether an interrupted run left a release about which nothing final is recorded."""


@dataclass(frozen=True)
class Target:
    """What is to be there of a stack."""

    services: tuple[Service, ...]
    """Those of the base project."""
    endpoints: tuple[Endpoint, ...]
    files: ProjectFiles
    inputs: str
    revision: str
    notes: tuple[str, ...] = ()
    coloured: tuple[Service, ...] = ()
    """Those that run in a colour."""
    colours: Mapping[str, ProjectFiles] = field(default_factory=dict)
    """The files of each colour; of the active one alone where nothing was rendered anew."""
    volumes: tuple[Volume, ...] = ()

    @property
    def all_services(self) -> tuple[Service, ...]:
        return self.services + self.coloured

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

    plan: DeploymentPlan
    """What was done: the plan as it was after images had been pulled."""
    containers: tuple[Container, ...]
    digests: Mapping[str, str]
    release: int = 0
    seconds: Mapping[str, float] = field(default_factory=dict)
    """How long each step of a release took."""


class Deployment:
    """One stack on this host.

    ``root`` and ``secrets`` are the directories of records and secrets, ``active`` is where the edge looks which colour
    serves. ``repeats`` is the number of an earlier release that is gone back to.
    """

    def __init__(
        self,
        request: StackRequest,
        runner: Runner,
        *,
        clock: Clock | None = None,
        root: str = state.DIRECTORY,
        secrets: str = store.DIRECTORY,
        active: str = active.DIRECTORY,
        repeats: int = 0,
    ) -> None:
        self.request = request
        self._root = root
        self._secrets_directory = secrets
        self._clock = clock or SystemClock()
        self._docker = Docker(runner)
        self._images = Images(runner)
        self._values = store.read(request.name, secrets)
        self._key = store.fingerprint_key(secrets)
        tools = Tools(runner, self._docker, self._clock, request.health, request.log_lines, self.secret_values)
        self._base = Part(request.name, "", root, tools)
        self._rollout = Rollout(request, tools, root, active)
        self._history = History(request.name, root)
        self._repeats = repeats
        self._seconds: dict[str, float] = {}

    @property
    def secret_values(self) -> list[str]:
        """Every secret of the stack, for masking."""
        return list(self._values.values())

    @property
    def project(self) -> ProjectDirectory:
        """The directory of the base project."""
        return self._base.project

    def prepare(self) -> None:
        """Make the host's key for fingerprints where it has none yet; not for check mode."""
        self._key = store.fingerprint_key(self._secrets_directory, create=True)

    def observe(self) -> Observation:
        """Return what is there."""
        record = state.read_state(self.request.name, self._root)
        wanted = [*(file.path for file in self.request.files), *(record.files if record else ())]
        disk = self.project.read(wanted)
        colour_disk = self._rollout.parts[record.colour].project.read(wanted) if record and record.colour else None
        try:
            containers = parse(self._docker.containers(self.request.name))
        except CommandError:
            if self._docker.available():
                raise
            return Observation(False, record, disk)
        unsettled = self._history.all() != self._history.settled(record.release if record else 0)
        return Observation(True, record, disk, tuple(containers), colour_disk, self._rollout.serving(), unsettled)

    def target(self, observed: Observation) -> Target:
        """Return what is to be there; where nothing was asked anew and nobody touched the files, what was rendered."""
        inputs = fingerprints.of_inputs(self._key, self.request, self._values)
        record, disk, colour_disk = observed.record, observed.disk, observed.colour_disk
        if record and disk and record.inputs == inputs:
            coloured = render.services_of(json.loads(colour_disk.compose)) if colour_disk else ()
            revision = fingerprints.of_release(self._key, disk, coloured)
            if (record.revision, record.colour_files) == (revision, self._colour_files(colour_disk)):
                services = render.services_of(json.loads(disk.compose))
                of_active = {record.colour: colour_disk} if colour_disk else {}
                return Target(services, record.endpoints, disk, inputs, revision, (), coloured, of_active)
        return self._render(observed, inputs)

    def _render(self, observed: Observation, inputs: str) -> Target:
        renderer = Renderer(self.request, self._base.compose, secrets=self._values, key=self._key, root=self._root)
        rendered = renderer.render(observed.record, observed.containers)
        rendering = rendered.rendering
        return Target(
            services=rendering.services,
            endpoints=rendering.endpoints,
            files=rendered.files,
            inputs=inputs,
            revision=fingerprints.of_release(self._key, rendered.files, rendering.coloured),
            notes=rendering.notes,
            coloured=rendering.coloured,
            colours=rendered.colours,
            volumes=rendering.volumes,
        )

    def plan(self, observed: Observation, target: Target) -> DeploymentPlan:
        """Return what a deployment does."""
        record = observed.record
        images = self._image_ids(target.all_services)
        base = make_plan(
            target.services,
            self._base.of(observed.containers),
            images=images,
            always_pull=self.request.pull == "always",
            writes=target.files.changed_from(observed.disk),
            written_at=self._written_at(self._base, target.files),
            was_stopped=bool(record and record.stopped),
            moved=[service.name for service in target.coloured],
        )
        return DeploymentPlan(
            base=base,
            colours=self._plan_colours(observed, target, images),
            notes=target.notes,
            record=not target.recorded_in(record) or observed.unsettled,
        )

    def _plan_colours(self, observed: Observation, target: Target, images: Mapping[str, str]) -> ColourPlan | None:
        record = observed.record
        active = record.colour if record else ""
        containers = {colour: part.of(observed.containers) for colour, part in self._rollout.parts.items()}
        if not target.coloured and not active and not any(containers.values()):
            return None
        wanted = target.colours.get(active)
        migration = self.request.migration
        return plan_colours(
            target.coloured,
            Colours(
                active=active,
                serving=observed.serving,
                running=render.services_of(json.loads(observed.colour_disk.compose)) if observed.colour_disk else (),
                containers=containers,
            ),
            images=images,
            always_pull=self.request.pull == "always",
            writes=wanted.changed_from(observed.colour_disk) if wanted else (),
            written_at=self._written_at(self._rollout.parts[active], wanted) if active and wanted else {},
            was_stopped=bool(record and record.stopped),
            migration=f"{migration.service}: {' '.join(migration.command)}" if migration else "",
            policy=self.request.rollout,
        )

    def colour_differences(self, observed: Observation, target: Target) -> list[dict[str, str]]:
        """Return what changes in the compose file of a colour, shown as that of the one that serves, or of blue."""
        colour = observed.record.colour if observed.record and observed.record.colour else BLUE
        wanted = target.colours.get(colour)
        if wanted is None:
            return []
        before = replace(observed.colour_disk, files=wanted.files) if observed.colour_disk else None
        compose = replace(wanted, environment=before.environment if before else wanted.environment)
        found = differences(before, compose, self.request.secrets, self.secret_values)
        return [
            {**entry, "before_header": f"routed services: {path}", "after_header": f"routed services: {path}"}
            for entry in found
            if (path := entry["after_header"]) == COMPOSE_FILE
        ]

    def apply(self, observed: Observation, target: Target, plan: DeploymentPlan) -> Outcome:
        """Take the steps of ``plan``; a failure puts the release before back and raises."""
        began = observed
        if plan.colours:
            with self._timed("recover"):
                observed = self._recover(observed, target, plan.colours)
        if plan.pulls or plan.refreshes:
            with self._timed("pull"):
                self._images.pull([*plan.pulls, *plan.refreshes])
        plan = self._after_pulling(began, target, plan)
        self._forget_outdated(observed.record)
        colours = plan.colours
        if colours and colours.roll and colours.colour not in target.colours:
            # Nothing was asked anew, but an image moved under its tag.
            target = self._render(observed, target.inputs)
        release = self._begin(observed, target, plan)
        try:
            with self._timed("base"):
                containers = self._take(plan.base, observed, target)
            if colours:
                containers += self._bring_up(colours, observed, target)
        except ComposeOpsError as error:
            raise self._failed(error, observed, target, plan, release) from error
        if observed.record and not plan.changes:
            self.project.forget_previous()
            return Outcome(plan, tuple(containers), observed.record.images, observed.record.release)
        return self._commit(observed, target, plan, release, containers)

    def _after_pulling(self, began: Observation, target: Target, plan: DeploymentPlan) -> DeploymentPlan:
        """Return the plan as it is now that images are there: a tag may have moved. What was announced stays said."""
        if not (plan.pulls or plan.refreshes):
            return plan
        renewed = self.plan(began, target)
        base = replace(renewed.base, pulls=plan.base.pulls, refreshes=plan.base.refreshes)
        colours = renewed.colours
        if colours and plan.colours:
            services = replace(
                colours.services, pulls=plan.colours.services.pulls, refreshes=plan.colours.services.refreshes
            )
            colours = replace(colours, services=services)
        return replace(renewed, base=base, colours=colours)

    def _recover(self, observed: Observation, target: Target, plan: ColourPlan) -> Observation:
        """Undo or finish what an interrupted run left, and return what is there then."""
        if plan.switch_back:
            self._rollout.switch(plan.before)
        for colour in plan.leftovers:
            known = observed.record.endpoints if observed.record else ()
            self._rollout.drain(colour, [*known, *target.endpoints])
            self._rollout.stop(colour)
        gone = {self._rollout.parts[colour].name for colour in plan.leftovers}
        kept = tuple(container for container in observed.containers if container.project not in gone)
        return replace(observed, containers=kept, serving=plan.before or observed.serving)

    def _begin(self, observed: Observation, target: Target, plan: DeploymentPlan) -> Release | None:
        """Record that a release begins, where what runs becomes another release; return it."""
        record = observed.record
        if not plan.changes:
            return None
        if observed.unsettled:
            self._history.settle(record.release if record else 0)
        same = record is not None and (record.inputs, record.revision) == (target.inputs, target.revision)
        images = self._images.present(service.image for service in target.all_services)
        digests = {
            service.name: images[service.image].digest for service in target.all_services if service.image in images
        }
        rolls = bool(plan.colours and plan.colours.roll)
        if record and record.release and same and not rolls and dict(record.images) == digests:
            return None
        release = Release(
            number=self._history.next_number(),
            created_at=self._now(),
            status="deploying",
            revision=target.revision,
            colour=plan.colours.colour if plan.colours else "",
            images={service.name: service.image for service in target.all_services},
            digests=digests,
            identifiers={reference: image.identifier for reference, image in images.items()},
            reason=f"repeats release {self._repeats}" if self._repeats else "",
        )
        self.project.make()
        self._history.begin(release, self.request)
        return release

    def _take(self, plan: Plan, observed: Observation, target: Target) -> list[Container]:
        return self._base.take(
            plan.steps(),
            PartTarget(target.services, target.files),
            self._base.of(observed.containers),
            obsolete=observed.record.files if observed.record else (),
            set_aside=observed.disk if observed.record else None,
        )

    def _bring_up(self, plan: ColourPlan, observed: Observation, target: Target) -> list[Container]:
        """Bring a colour to its target, without any request going there that does not go there already."""
        if not plan.colour:
            return []
        wanted = PartTarget(target.coloured, target.colours[plan.colour])
        if not plan.roll:
            obsolete = observed.record.files if observed.record else ()
            part = self._rollout.parts[plan.colour]
            return part.take(plan.services.steps(), wanted, part.of(observed.containers), obsolete=obsolete)
        self._rollout.make_volumes(target.volumes)
        self._rollout.write(plan.colour, wanted)
        if self.request.migration:
            with self._timed("migrate"):
                self._rollout.migrate(plan.colour, self.request.migration)
        with self._timed("start"):
            containers = self._rollout.start(plan.colour, plan.services, wanted)
        with self._timed("gate"):
            self._rollout.gate(plan.colour, target.endpoints)
        return containers

    def _commit(
        self,
        observed: Observation,
        target: Target,
        plan: DeploymentPlan,
        release: Release | None,
        containers: list[Container],
    ) -> Outcome:
        """Let the release take over and record it; take it back where it does not stay well."""
        colours = plan.colours
        number = release.number if release else observed.record.release if observed.record else 0
        if colours and colours.roll:
            with self._timed("switch"):
                self._rollout.switch(colours.colour)
        digests = self._digests(target.all_services)
        if release:
            # Complete before it is the active one: the images may have been pulled only now.
            present = self._images.present(service.image for service in target.all_services)
            identifiers = {reference: image.identifier for reference, image in present.items()}
            release = replace(release, digests=digests, identifiers=identifiers)
            self._history.update(release)
        with self._timed("commit"):
            self._record(target, digests, colours, number)
        if colours and colours.roll and self.request.rollout.watch:
            try:
                with self._timed("watch"):
                    self._rollout.watch(colours.colour, Watched(target.coloured, target.endpoints, containers))
            except ComposeOpsError as error:
                if observed.record:
                    self._rollout.switch(colours.before or colours.colour)
                    state.write_state(observed.record, self._root)
                else:
                    state.forget_state(self.request.name, self._root)
                raise self._failed(error, observed, target, plan, release) from error
        self.project.forget_previous()
        if colours and colours.retires:
            self._retire(colours.retires, observed, target)
        with self._timed("prune"):
            if release:
                done = replace(release, status="active", digests=digests, seconds=dict(self._seconds))
                self._history.update(done)
            self._history.settle(number)
            if self._repeats and release and observed.record:
                self._history.withdraw(observed.record.release, f"release {number} went back to {self._repeats}")
            self._history.prune(self.request.rollout.keep, number)
        return Outcome(plan, tuple(containers), digests, number, dict(self._seconds))

    def _retire(self, colour: str, observed: Observation, target: Target) -> None:
        known = observed.record.endpoints if observed.record else ()
        with self._timed("drain"):
            self._rollout.drain(colour, [*known, *target.endpoints])
        with self._timed("stop"):
            self._rollout.stop(colour)

    def _failed(
        self,
        error: ComposeOpsError,
        observed: Observation,
        target: Target,
        plan: DeploymentPlan,
        release: Release | None,
    ) -> DeploymentFailed:
        """Take a release back and return what is raised about it."""
        colours = plan.colours
        left = ""
        if colours and colours.roll and observed.record:
            left = self._abandon(colours.colour, target)
        left = " ".join(part for part in (left, self._put_back(observed, target)) if part)
        if release:
            reason = error.message.splitlines()[0]
            self._history.update(replace(release, status="failed", reason=reason, seconds=dict(self._seconds)))
        return DeploymentFailed(error, left, changed=plan.changes, containers=self._what_runs())

    def _abandon(self, colour: str, target: Target) -> str:
        """Remove a release that did not take over, or no longer serves."""
        try:
            self._rollout.drain(colour, target.endpoints)
            self._rollout.stop(colour)
        except ComposeOpsError as error:
            return f"Removing what was started in {colour} failed too, and the next run does it: {error}"
        return ""

    def _what_runs(self) -> list[Container]:
        """Return the containers for a report; none where the engine itself is what failed."""
        try:
            return parse(self._docker.containers(self.request.name))
        except ComposeOpsError:
            return []

    def _forget_outdated(self, record: StackState | None) -> None:
        """Remove what an earlier run set aside and died before removing, after it had recorded its own release."""
        previous = self.project.read_previous()
        if previous and (record is None or fingerprints.of_files(self._key, previous) != record.base_files):
            self.project.forget_previous()

    def _put_back(self, observed: Observation, target: Target) -> str:
        """Put the base project of the release before back where there is one, and return what is there now."""
        previous = self.project.read_previous()
        if observed.record is None:
            return "It is the first release: what was started is left there to be looked at."
        if previous is None:
            if observed.record.colour and not target.recorded_in(observed.record):
                return "The release before serves; nothing of it was touched."
            return "The declared release is the one that was deployed before: there was nothing to put back."
        try:
            services = render.services_of(json.loads(previous.compose))
            self.project.write(previous, [file.path for file in target.files.files])
            containers = self._base.gate.containers()
            plan = make_plan(
                services,
                containers,
                images=self._image_ids(services),
                written_at=self._written_at(self._base, previous),
            )
            before = PartTarget(services, previous)
            self._base.take(plan.steps(), before, containers, obsolete=observed.record.files)
        except ComposeOpsError as error:
            return f"Putting the release before back failed too, only its files are back: {error}"
        self.project.forget_previous()
        return "The release before was put back, and all its services are ready."

    def _record(self, target: Target, digests: Mapping[str, str], colours: ColourPlan | None, number: int) -> None:
        colour = colours.colour if colours else ""
        record = StackState(
            stack=self.request.name,
            project=self.request.name,
            revision=target.revision,
            applied_at=self._now(),
            endpoints=target.endpoints,
            services={service.name: service.image for service in target.all_services},
            images=dict(digests),
            inputs=target.inputs,
            files=tuple(file.path for file in target.files.files),
            release=number,
            colour=colour,
            base_files=fingerprints.of_files(self._key, target.files),
            colour_files=self._colour_files(target.colours.get(colour)),
        )
        state.write_state(record, self._root)

    def _now(self) -> str:
        return datetime.fromtimestamp(self._clock.now(), timezone.utc).isoformat(timespec="seconds")

    @contextlib.contextmanager
    def _timed(self, step: StepName) -> Iterator[None]:
        """Note how long a step takes; a test may have the run die after it."""
        began = self._clock.elapsed()
        yield
        self._seconds[step] = round(self._clock.elapsed() - began, 2)
        fault.after(step)

    def _colour_files(self, disk: ProjectFiles | None) -> str:
        return fingerprints.of_files(self._key, disk) if disk else ""

    @staticmethod
    def _written_at(part: Part, wanted: ProjectFiles) -> dict[str, float]:
        return part.project.written_at([file.path for file in wanted.files])

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
