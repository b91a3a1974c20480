# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Stops, restarts and removes a stack that is there; its volumes outlive all of it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError, InvalidInput
from ansible_collections.composeops.stack.plugins.module_utils.release.containers import Container

TIMEOUT = 900.0
"""Seconds for the stop time-outs of all services, one after the other at worst."""


@dataclass(frozen=True)
class Removal:
    """What removing a stack takes away, and what it leaves."""

    containers: tuple[str, ...]
    networks: tuple[str, ...]
    files: bool
    volumes: tuple[str, ...]

    @property
    def changes(self) -> bool:
        return bool(self.containers or self.networks or self.files)

    def sentences(self) -> list[str]:
        said = [f"stop and remove {name}" for name in self.containers]
        said += [f"remove the network {name}" for name in self.networks]
        said += ["remove the files of the deployment"] if self.files else []
        return said + [f"keep the volume {name}" for name in self.volumes] if said else []


def chosen(stack: str, containers: Sequence[Container], services: Sequence[str]) -> list[Container]:
    """Return the containers of the named services, or all; raise where a name has none."""
    require_known(stack, {container.service for container in containers}, services)
    return [container for container in containers if not services or container.service in services]


def require_known(stack: str, known: Collection[str], services: Sequence[str]) -> None:
    """Raise where one of ``services`` is none of the stack's."""
    for name in services:
        if name not in known:
            raise InvalidInput(
                f"Stack {stack} has no service {name!r} on this host.",
                f"It has {', '.join(sorted(known)) or 'none: deploy it first (playbooks/deploy.yml)'}.",
            )


def to_stop(containers: Sequence[Container]) -> list[str]:
    """Return the names of the containers that are not stopped yet."""
    return [found.name for found in containers if found.status in ("running", "restarting", "paused")]


def require_deployed(stack: str, containers: Sequence[Container]) -> None:
    """Raise where there is nothing to restart."""
    if not containers:
        raise ComposeOpsError(f"Stack {stack} has no containers to restart.", "Deploy it (playbooks/deploy.yml).")
