# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Looks at a stack on its host, and says what a deployment would do; it changes nothing."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timezone

from ansible_collections.composeops.stack.plugins.module_utils.errors import CommandError, ComposeOpsError, InvalidInput
from ansible_collections.composeops.stack.plugins.module_utils.io.docker import Docker
from ansible_collections.composeops.stack.plugins.module_utils.io.runner import Runner
from ansible_collections.composeops.stack.plugins.module_utils.release import (
    active,
    fingerprints,
    image_volumes,
    render,
    state,
)
from ansible_collections.composeops.stack.plugins.module_utils.release.clock import Clock, SystemClock
from ansible_collections.composeops.stack.plugins.module_utils.release.colour_plan import (
    ColourPlan,
    Colours,
    DeploymentPlan,
    plan_colours,
    warm_after,
)
from ansible_collections.composeops.stack.plugins.module_utils.release.coloured import Volume
from ansible_collections.composeops.stack.plugins.module_utils.release.colours import BLUE
from ansible_collections.composeops.stack.plugins.module_utils.release.compose import COMPOSE_FILE
from ansible_collections.composeops.stack.plugins.module_utils.release.containers import Container, parse
from ansible_collections.composeops.stack.plugins.module_utils.release.diff import differences
from ansible_collections.composeops.stack.plugins.module_utils.release.history import History
from ansible_collections.composeops.stack.plugins.module_utils.release.images import Images
from ansible_collections.composeops.stack.plugins.module_utils.release.model import Service, StackRequest
from ansible_collections.composeops.stack.plugins.module_utils.release.observation import Observation, Target
from ansible_collections.composeops.stack.plugins.module_utils.release.part import Part, Tools
from ansible_collections.composeops.stack.plugins.module_utils.release.plan import make_plan
from ansible_collections.composeops.stack.plugins.module_utils.release.project import ProjectDirectory, ProjectFiles
from ansible_collections.composeops.stack.plugins.module_utils.release.renderer import Renderer
from ansible_collections.composeops.stack.plugins.module_utils.release.retention import Forgotten, forgotten
from ansible_collections.composeops.stack.plugins.module_utils.release.rollout import Rollout
from ansible_collections.composeops.stack.plugins.module_utils.release.warm import KeptWarm
from ansible_collections.composeops.stack.plugins.module_utils.secrets import store


class Survey:
    """One stack on this host, as it is and as it is to be.

    ``root`` and ``secrets`` are the directories of records and secrets, ``active`` is where the edge looks which colour
    serves. ``only`` names services, where it is not all that are rendered.
    """

    going_back = False
    """Whether the request is that of an earlier release."""

    def __init__(
        self,
        request: StackRequest,
        runner: Runner,
        *,
        clock: Clock | None = None,
        root: str = state.DIRECTORY,
        secrets: str = store.DIRECTORY,
        active: str = active.DIRECTORY,
        only: Collection[str] = (),
    ) -> None:
        self.request = request
        self._only = only
        self.root = root
        self.clock = clock or SystemClock()
        self.docker = Docker(runner)
        self.images = Images(runner)
        self._secrets_directory = secrets
        self._values = store.read(request.name, secrets)
        self._key = store.fingerprint_key(secrets)
        tools = Tools(runner, self.docker, self.clock, request.health, request.log_lines, self.secret_values)
        self.base = Part(request.name, "", root, tools)
        self.rollout = Rollout(request, tools, root, active)
        self.history = History(request.name, root)

    @property
    def secret_values(self) -> list[str]:
        """Every secret of the stack, for masking."""
        return list(self._values.values())

    @property
    def project(self) -> ProjectDirectory:
        """The directory of the base project."""
        return self.base.project

    def missing_secrets(self) -> list[str]:
        """Return which listed secrets the host does not have."""
        return [name for name in self.request.secrets if name not in self._values]

    def prepare(self) -> None:
        """Make the host's key for fingerprints where it has none yet; not for check mode."""
        self._key = store.fingerprint_key(self._secrets_directory, create=True)

    def now(self) -> str:
        """Return the time as records have it."""
        return datetime.fromtimestamp(self.clock.now(), timezone.utc).isoformat(timespec="seconds")

    def observe(self) -> Observation:
        """Return what is there."""
        record = state.read_state(self.request.name, self.root)
        wanted = [*(file.path for file in self.request.files), *(record.files if record else ())]
        disk = self.project.read(wanted)
        colour_disk = self.rollout.files(record.colour, wanted) if record else None
        warm_disk = self.rollout.files(record.warm, wanted) if record else None
        try:
            containers = parse(self.docker.containers(self.request.name))
        except CommandError:
            if self.docker.available():
                raise
            return Observation(False, record, disk)
        unsettled = self.history.all() != self.history.settled(record.release if record else 0)
        return Observation(
            True,
            record,
            disk,
            tuple(containers),
            colour_disk,
            self.rollout.serving(),
            unsettled,
            warm_disk,
            self.rollout.weights(),
        )

    def what_runs(self) -> list[Container]:
        """Return the containers for a report; none where the engine itself is what failed."""
        try:
            return self.without_warm(parse(self.docker.containers(self.request.name)))
        except ComposeOpsError:
            return []

    def without_warm(self, containers: Sequence[Container]) -> list[Container]:
        """Return containers without those of a release that is only kept running to go back to."""
        warm = state.warm_project(self.request.name, self.root)
        return [container for container in containers if container.project != warm]

    def target(self, observed: Observation) -> Target:
        """Return what is to be there; where nothing was asked anew and nobody touched the files, what was rendered."""
        inputs = fingerprints.of_inputs(self._key, self.request, self._values)
        record, disk, colour_disk = observed.record, observed.disk, observed.colour_disk
        if record and disk and record.inputs == inputs:
            coloured = declared_by(colour_disk)
            revision = fingerprints.of_release(self._key, disk, coloured)
            if (record.revision, record.colour_files) == (revision, self.fingerprint(colour_disk)):
                services = declared_by(disk)
                of_active = {record.colour: colour_disk} if colour_disk else {}
                return Target(services, record.endpoints, disk, inputs, revision, (), coloured, of_active)
        return self.render(observed, inputs)

    def render(self, observed: Observation, inputs: str) -> Target:
        """Return what is to be there, rendered anew for every colour."""
        rendered = self._renderer().render(observed.record, observed.containers)
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
            rendered=True,
        )

    def volumes(self) -> tuple[Volume, ...]:
        """Return every volume of the stack that compose would make."""
        return self._renderer().volumes()

    def _renderer(self) -> Renderer:
        return Renderer(
            self.request,
            self.base.compose,
            secrets=self._values,
            key=self._key,
            root=self.root,
            only=self._only,
        )

    def plan(self, observed: Observation, target: Target) -> DeploymentPlan:
        """Return what a deployment does."""
        record = observed.record
        present = self.images.present(service.image for service in target.all_services)
        images = {reference: image.identifier for reference, image in present.items()}
        base = make_plan(
            target.services,
            self.base.of(observed.containers),
            images=images,
            always_pull=self.request.pull == "always",
            writes=target.files.changed_from(observed.disk),
            written_at=self.base.written_at(target.files),
            was_stopped=bool(record and record.stopped),
            moved=[service.name for service in target.coloured],
        )
        plan = DeploymentPlan(
            base=base,
            colours=self._plan_colours(observed, target, images),
            notes=(*target.notes, *image_volumes.sentences(target.coloured, present)),
            record=not target.recorded_in(record) or observed.unsettled,
        )
        if not plan.changes:
            return plan
        same = record is not None and (record.inputs, record.revision) == (target.inputs, target.revision)
        coming = not same or bool(plan.colours and plan.colours.roll)
        used = {warm_after(plan.colours, record)[1], 0 if coming or not record else record.release}
        return replace(plan, forgotten=self.forgotten(target, used, coming=coming))

    def forgotten(self, target: Target, used: Collection[int], *, coming: bool) -> Forgotten:
        """Return which releases are no longer kept, and which images only they ran."""
        releases, keep = self.history.all(), self.request.rollout.keep
        if len(releases) + coming <= keep:
            return Forgotten()
        others = [name for name in state.deployed(self.root) if name != self.request.name]
        needed = {
            *(service.image for service in target.all_services),
            *(identifier for name in others for identifier in History(name, self.root).identifiers()),
            *self.images.in_use(except_stack=self.request.name),
        }
        return forgotten(releases, keep, used, needed, coming=coming)

    def _plan_colours(self, observed: Observation, target: Target, images: Mapping[str, str]) -> ColourPlan | None:
        record = observed.record
        active = record.colour if record else ""
        containers = {colour: part.of(observed.containers) for colour, part in self.rollout.parts.items()}
        if not target.coloured and not active and not any(containers.values()) and not observed.weights:
            return None
        wanted = target.colours.get(active)
        return plan_colours(
            target.coloured,
            Colours(
                active=active,
                serving=observed.serving,
                running=declared_by(observed.colour_disk),
                containers=containers,
                weights=observed.weights,
                kept=self._kept_warm(observed, target),
            ),
            images=images,
            always_pull=self.request.pull == "always",
            writes=wanted.changed_from(observed.colour_disk) if wanted else (),
            written_at=self.rollout.parts[active].written_at(wanted) if active and wanted else {},
            was_stopped=bool(record and record.stopped),
            migration=self.request.migration,
            routed={route.service for route in self.request.routed},
            consumers=self.request.consumers,
            going_back=self.going_back,
            policy=self.request.rollout,
        )

    def _kept_warm(self, observed: Observation, target: Target) -> KeptWarm:
        record, disk = observed.record, observed.warm_disk
        if not record or not record.warm or not disk:
            return KeptWarm()
        wanted = target.colours.get(record.warm)
        return KeptWarm(
            colour=record.warm,
            release=record.warm_release,
            services=declared_by(disk),
            writes=wanted.changed_from(disk) if wanted else None,
            written_at=self.rollout.parts[record.warm].written_at(disk),
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

    def fingerprint(self, disk: ProjectFiles | None) -> str:
        """Return the name of the files of a project; empty where there are none."""
        return fingerprints.of_files(self._key, disk) if disk else ""

    def digests(self, services: Sequence[Service]) -> dict[str, str]:
        """Return service to the digest of its image, for those that this host has."""
        present = self.images.present(service.image for service in services)
        return {service.name: present[service.image].digest for service in services if service.image in present}

    def image_ids(self, services: Sequence[Service]) -> dict[str, str]:
        """Return the references of images that this host has, with their ids."""
        present = self.images.present(service.image for service in services)
        return {reference: image.identifier for reference, image in present.items()}


def declared_by(disk: ProjectFiles | None) -> tuple[Service, ...]:
    """Return the services that the files of a project declare."""
    return render.services_of(json.loads(disk.compose)) if disk else ()


def require_secrets(survey: Survey) -> None:
    """Raise where a listed secret is not on the host: an empty one must never be deployed."""
    missing = survey.missing_secrets()
    if missing:
        name = survey.request.name
        raise InvalidInput(
            f"Stack {name}: the secrets {', '.join(missing)} are not on this host ({store.path(name)}).",
            "The module composeops.stack.secrets puts them there; the role `stack` calls it first.",
        )
