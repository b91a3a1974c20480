# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Renders a stack on its host, aside, with the host's own compose, ports and secrets; nothing is changed by it."""

from __future__ import annotations

import contextlib
import glob
import os
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.composeops.stack.plugins.module_utils.errors import InvalidInput
from ansible_collections.composeops.stack.plugins.module_utils.io import sockets
from ansible_collections.composeops.stack.plugins.module_utils.release import lines, ports, render, state
from ansible_collections.composeops.stack.plugins.module_utils.release.coloured import Volume, own_volumes
from ansible_collections.composeops.stack.plugins.module_utils.release.colours import BLUE, COLOURS
from ansible_collections.composeops.stack.plugins.module_utils.release.compose import Compose
from ansible_collections.composeops.stack.plugins.module_utils.release.containers import Container
from ansible_collections.composeops.stack.plugins.module_utils.release.dependencies import with_dependencies
from ansible_collections.composeops.stack.plugins.module_utils.release.model import StackRequest
from ansible_collections.composeops.stack.plugins.module_utils.release.placement import Placement, place
from ansible_collections.composeops.stack.plugins.module_utils.release.project import ProjectDirectory, ProjectFiles
from ansible_collections.composeops.stack.plugins.module_utils.release.render import Rendering
from ansible_collections.composeops.stack.plugins.module_utils.release.state import Endpoint, StackState
from ansible_collections.composeops.stack.plugins.module_utils.secrets import store

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm"}
"""What images call the processors of this host."""


@dataclass(frozen=True)
class Rendered:
    """A stack as it runs here, and its files in the base project and in each colour."""

    rendering: Rendering
    files: ProjectFiles
    colours: Mapping[str, ProjectFiles]


class Renderer:
    """Renders one request with the values and the fingerprint key of this host."""

    def __init__(
        self,
        request: StackRequest,
        compose: Compose,
        *,
        secrets: Mapping[str, str],
        key: bytes,
        root: str,
        only: Collection[str] = (),
    ) -> None:
        self._request = request
        self._compose = compose
        self._secrets = secrets
        self._key = key
        self._root = root
        self._only = only

    def render(self, record: StackState | None, containers: Sequence[Container]) -> Rendered:
        """Return the stack as it is to run here, checked by compose, and the files it consists of."""
        request = self._request
        with self._read() as (aside, whole):
            canonical = with_dependencies(whole, self._only) if self._only else whole
            self._check_external(canonical)
            placement = place(canonical, request)
            endpoints = self._endpoints(record, containers, render.replicas(canonical), placement)
            directory = state.directory(request.name, self._root)
            rendering = render.render(
                canonical,
                request,
                endpoints,
                self._fingerprint,
                placement=placement,
                directory=directory,
                architecture=ARCHITECTURES.get(os.uname().machine, os.uname().machine),
            )
            environment_file = self._environment_file(rendering)
            files = ProjectFiles(rendering.text, environment_file, request.files)
            of_colours = {
                colour: ProjectFiles(render.as_text(compose), environment_file, request.files)
                for colour, compose in rendering.colours.items()
            }
            # One colour is as valid as the other.
            for checked in [*([files] if rendering.services else []), *list(of_colours.values())[:1]]:
                aside.write(checked)
                self._compose.validate(aside.path)
        return Rendered(rendering, files, of_colours)

    def volumes(self) -> tuple[Volume, ...]:
        """Return every volume that the services use and compose would make."""
        with self._read() as (_aside, canonical):
            directory = state.directory(self._request.name, self._root)
            return own_volumes(canonical, self._request.name, set(canonical["services"]), directory)

    @contextlib.contextmanager
    def _read(self) -> Iterator[tuple[ProjectDirectory, dict[str, Any]]]:
        """Give a directory aside with the files of the stack in it, and its compose file as compose understands it."""
        request = self._request
        environment = {**request.environment, **render.marks(request.secrets)}
        with tempfile.TemporaryDirectory(prefix="composeops-") as parent:
            aside = ProjectDirectory(os.path.join(parent, "stack"))
            aside.write(ProjectFiles("{}", "", request.files))
            yield aside, self._compose.canonical(request.compose, request.source, aside.path, environment)

    def _check_external(self, canonical: Mapping[str, Any]) -> None:
        """Refuse what is said to be on this host and is not: compose finds out in the middle of a start."""
        for key, kind in (("networks", "network"), ("volumes", "volume")):
            declared = canonical.get(key) or {}
            wanted = {name: entry["name"] for name, entry in declared.items() if (entry or {}).get("external")}
            missing = set(wanted.values()) - self._compose.existing(kind) if wanted else set()
            for name, called in wanted.items():
                if called in missing:
                    where = lines.place(self._request.source, lines.line_of(self._request.compose, key, name))
                    raise InvalidInput(
                        f"{where}: {key}.{name} is external, and this host has no {kind} that is called {called}.",
                        f"Make it with `docker {kind} create {called}`, or leave out external.",
                    )

    def _endpoints(
        self,
        record: StackState | None,
        containers: Sequence[Container],
        replicas: Mapping[str, int],
        placement: Placement,
    ) -> list[Endpoint]:
        # A first deployment that was killed left containers and no record: their ports are the ones to keep.
        own = [
            Endpoint(container.service, port.port, port.address, port.host_port, self._colour(container))
            for container in containers
            for port in container.ports
            if port.address == ports.LOOPBACK
        ]
        held = {port.host_port for container in containers for port in container.ports}
        # They serve from their colour until what replaces them in the base is there.
        leaving = {
            port.host_port
            for container in containers
            if self._colour(container) and container.service not in placement.coloured
            for port in container.ports
        }
        listening = {listener.port for listener in sockets.listening()} - held
        existing = [
            # The edge leads there until it is told otherwise: blue takes over the ports of what was replaced in place.
            replace(found, colour=BLUE) if found.service in placement.coloured and not found.colour else found
            for found in (record.endpoints if record else own)
        ]
        return ports.allocate(
            self._request.routed,
            base=self._request.port_base,
            replicas=replicas,
            existing=existing,
            colours=dict.fromkeys(placement.coloured, COLOURS),
            taken=listening
            | leaving
            | self._of_other_stacks()
            | {entry.host_port for entry in self._request.published},
        )

    def _colour(self, container: Container) -> str:
        return container.project.removeprefix(self._request.name).removeprefix("-")

    def _of_other_stacks(self) -> set[int]:
        """Return the ports of other stacks and the room they grow in, which are theirs also while these are stopped."""
        paths = glob.glob(state.path("*", self._root))
        names = {os.path.basename(os.path.dirname(path)) for path in paths} - {self._request.name}
        return {port for name in names for port in ports.rooms(state.endpoints(name, root=self._root))}

    def _environment_file(self, rendering: Rendering) -> str:
        secrets = {name: self._secrets.get(name, "") for name in rendering.secrets}
        return render.environment_file({**self._request.environment, **secrets})

    def _fingerprint(self, name: str) -> str:
        return store.fingerprint(self._key, self._secrets.get(name, ""))
