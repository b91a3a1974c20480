# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Acts on the colours of a stack: starts a release in one, asks it, lets it take over, and retires the other."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.composeops.stack.plugins.module_utils.errors import CommandError, ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.io import sockets
from ansible_collections.composeops.stack.plugins.module_utils.release import active, colours, disk, probe, switch
from ansible_collections.composeops.stack.plugins.module_utils.release.canary_run import Canary, StepFigures
from ansible_collections.composeops.stack.plugins.module_utils.release.coloured import Volume
from ansible_collections.composeops.stack.plugins.module_utils.release.containers import Container
from ansible_collections.composeops.stack.plugins.module_utils.release.health import Verdict, ended
from ansible_collections.composeops.stack.plugins.module_utils.release.lifecycle import TIMEOUT
from ansible_collections.composeops.stack.plugins.module_utils.release.masking import mask
from ansible_collections.composeops.stack.plugins.module_utils.release.model import Migration, Service, StackRequest
from ansible_collections.composeops.stack.plugins.module_utils.release.part import Part, PartTarget, Tools
from ansible_collections.composeops.stack.plugins.module_utils.release.project import ProjectFiles
from ansible_collections.composeops.stack.plugins.module_utils.release.state import Endpoint

POLL_SECONDS = 0.5
LOST_PROBES = 3
"""So many bad answers in a row during the watch mean that the release fails; one may be an accident."""


@dataclass(frozen=True)
class Watched:
    """What of a release is watched after the switch."""

    services: Sequence[Service]
    endpoints: Sequence[Endpoint]
    containers: Sequence[Container]


class Rollout:
    """The colours of one stack. ``directory`` is where nginx looks which one serves."""

    def __init__(self, request: StackRequest, tools: Tools, root: str, directory: str = active.DIRECTORY) -> None:
        self._request = request
        self._tools = tools
        self._switch = switch.of_host(request.name, tools.clock, directory=directory)
        self.parts = {colour: Part(request.name, colour, root, tools) for colour in colours.COLOURS}

    def serving(self) -> str:
        """Return the colour that new requests go to."""
        return self._switch.serving()

    def switch(self, colour: str) -> None:
        """Send new requests to ``colour``; raise where they go as before."""
        with disk.writing(self._request.name):
            self._switch.switch(colour)

    def weights(self) -> dict[str, int]:
        """Return the percentage of the requests that a canary gets, by its colour."""
        return self._switch.weights()

    def clear_weights(self) -> None:
        """Send all new requests where the switch says."""
        self._switch.clear_weights()

    def canary(self, colour: str, before: str) -> tuple[StepFigures, ...]:
        """Give ``colour`` a rising share of the requests; raise, without a share left, where it does not do well."""
        canary = Canary(self._request.name, self._request.rollout.canary, self._tools.clock, switch=self._switch)
        return canary.run(colour=colour, before=before)

    def files(self, colour: str, paths: Sequence[str]) -> ProjectFiles | None:
        """Return the files of a colour; None where it has none, or where there is no colour."""
        return self.parts[colour].project.read(paths) if colour else None

    def make_volumes(self, volumes: Sequence[Volume]) -> None:
        """Make volumes that no compose project makes; those that are there stay as they are."""
        for volume in volumes:
            argv = ["docker", "volume", "create", "--driver", volume.driver]
            argv += [word for name, value in volume.options for word in ("--opt", f"{name}={value}")]
            argv += [word for name, value in volume.labels for word in ("--label", f"{name}={value}")]
            self._tools.runner.run([*argv, volume.name])

    def write(self, colour: str, target: PartTarget) -> None:
        """Put the files of a release where its colour runs, and nothing else."""
        project = self.parts[colour].project
        with disk.writing(self._request.name):
            project.clear()
            project.write(target.files)

    def migrate(self, colour: str, migration: Migration) -> None:
        """Run the migration once, from the new image; raise with what it wrote when it fails."""
        part = self.parts[colour]
        try:
            part.compose.run_once(part.keys([migration.service])[0], migration.command, migration.timeout)
        except CommandError as error:
            said = mask(error.message, self._tools.secrets)
            raise ComposeOpsError(f"Stack {self._request.name}: the migration failed. {said}", error.remedy) from error

    def gate(self, colour: str, endpoints: Sequence[Endpoint]) -> None:
        """Ask every route's port twice; raise ``GateFailure`` where an answer is not what it should be."""
        own = [endpoint for endpoint in endpoints if endpoint.colour == colour]
        limit = self._request.health.limit
        found = probe.gate(self._request.routed, own, self._tools.clock, limit)
        if found:
            raise self._failure(colour, found)

    def watch(self, colour: str, watched: Watched) -> None:
        """Watch a release that serves; raise ``GateFailure`` where it does not stay well."""
        part, clock = self.parts[colour], self._tools.clock
        own = [endpoint for endpoint in watched.endpoints if endpoint.colour == colour]
        restarts = {container.identifier: container.restart_count for container in watched.containers}
        began = clock.elapsed()
        bad: dict[str, int] = {}
        while clock.elapsed() - began < self._request.rollout.watch:
            clock.sleep(POLL_SECONDS)
            broken = _broken(part.gate.containers(), restarts, watched.services)
            if broken:
                raise self._failure(colour, broken)
            found = probe.failures(self._request.routed, own)
            bad = {service: bad.get(service, 0) + 1 for service in found}
            lost = {service: found[service] for service, times in bad.items() if times >= LOST_PROBES}
            if lost:
                raise self._failure(colour, lost)

    def drain(self, colour: str, endpoints: Sequence[Endpoint], limit: float) -> bool:
        """Wait until no connection leads to a colour any more; return whether any does after ``limit`` seconds."""
        ports = {endpoint.host_port for endpoint in endpoints if endpoint.colour == colour}
        clock = self._tools.clock
        began = clock.elapsed()
        while True:
            # First, because a request may have been given to this colour just before the switch.
            clock.sleep(POLL_SECONDS)
            if not sockets.connections(ports):
                return False
            if clock.elapsed() - began >= limit:
                return True

    def pause(self, colour: str, services: Collection[str]) -> None:
        """Stop services of a colour, as their stop signals and time-outs say; their containers stay."""
        part = self.parts[colour]
        part.compose.stop(part.keys(sorted(services)), TIMEOUT)

    def resume(self, colour: str, services: Collection[str]) -> None:
        """Start services of a colour again that ``pause`` stopped."""
        part = self.parts[colour]
        part.compose.start(part.keys(sorted(services)), TIMEOUT)

    def stop(self, colour: str) -> None:
        """Stop the containers of a colour as their stop signals and time-outs say, and remove them."""
        self.parts[colour].compose.down(TIMEOUT)

    def rest(self, colour: str, services: Collection[str]) -> None:
        """Stop and remove services of a colour that is kept warm."""
        part = self.parts[colour]
        part.remove([found for found in part.gate.containers() if found.service in services])

    def hang_up(self, colour: str, endpoints: Sequence[Endpoint]) -> None:
        """Restart services of a colour to which connections lead still, so that they close these."""
        part = self.parts[colour]
        busy = {
            found.service for found in endpoints if found.colour == colour and sockets.connections([found.host_port])
        }
        if busy:
            part.compose.restart(part.keys(sorted(busy)), TIMEOUT)

    def _failure(self, colour: str, found: Mapping[str, str]) -> ComposeOpsError:
        part = self.parts[colour]
        verdicts = [Verdict(service, "failed", why) for service, why in sorted(found.items())]
        return part.gate.failure(verdicts, part.gate.containers())


def _broken(
    containers: Sequence[Container], restarts: Mapping[str, int], services: Sequence[Service]
) -> dict[str, str]:
    """Return each service of which a container is not what it was when the gate let it through; pure."""
    found = {}
    finishing = {service.name for service in services if service.may_finish}
    for container in containers:
        before = restarts.get(container.identifier)
        if before is None:
            continue
        if container.restart_count > before:
            memory = ", out of memory" if container.out_of_memory else ""
            found[container.service] = f"container {container.name} ended{memory} and was started again"
        elif not container.running and not (container.exit_code == 0 and container.service in finishing):
            found[container.service] = f"container {container.name} is {container.status}: {ended(container)}"
        elif container.health == "unhealthy":
            said = f": {container.last_probe}" if container.last_probe else ""
            found[container.service] = f"container {container.name} became unhealthy{said}"
    present = {container.service for container in containers}
    gone = {service.name for service in services if service.replicas and service.name not in present}
    return {**found, **dict.fromkeys(gone, "its containers are gone")}
