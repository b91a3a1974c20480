# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is there of a stack, and what is to be there, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ansible_collections.composeops.stack.plugins.module_utils.release.coloured import Volume
from ansible_collections.composeops.stack.plugins.module_utils.release.containers import Container
from ansible_collections.composeops.stack.plugins.module_utils.release.model import Service
from ansible_collections.composeops.stack.plugins.module_utils.release.project import ProjectFiles
from ansible_collections.composeops.stack.plugins.module_utils.release.state import Endpoint, StackState


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
    warm_disk: ProjectFiles | None = None
    """The files of the release that is kept running."""
    weights: Mapping[str, int] = field(default_factory=dict)
    """Percent of the requests that an interrupted run's canary gets, by its colour."""


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
    """Those that only services in colours use; unknown where nothing was rendered anew."""
    rendered: bool = False
    """Whether it was rendered anew."""

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
