"""Make, start and replace the bed's containers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import docker
from docker.errors import APIError, NotFound

from testbed import names
from testbed.errors import BedError
from testbed.state import NetworkRecord
from testbed.steps import UNCHANGED
from testbed.waiting import wait_for

CONFLICT = 409


@dataclass(frozen=True)
class Container:
    """What a container should be, in the engine API's words."""

    bed: str
    name: str
    role: str
    image_id: str
    network: NetworkRecord
    address: str
    configuration: Mapping[str, Any]
    hostname: str = ""
    command: Sequence[str] | None = None
    aliases: Sequence[str] = ()
    volumes: Sequence[str] = field(default_factory=tuple)

    @property
    def full_name(self) -> str:
        return names.container(self.bed, self.name)

    def body(self) -> dict[str, Any]:
        """The request that creates it."""
        endpoint = {"IPAMConfig": {"IPv4Address": self.address}, "Aliases": list(self.aliases)}
        body: dict[str, Any] = {
            "Image": self.image_id,
            "Hostname": self.hostname or self.name,
            "Labels": names.labels(self.bed, role=self.role, content=self.content()),
            "HostConfig": {**self.configuration, "NetworkMode": self.network.name},
            "NetworkingConfig": {"EndpointsConfig": {self.network.name: endpoint}},
        }
        if self.command is not None:
            body["Cmd"] = list(self.command)
        return body

    def content(self) -> str:
        """Changes whenever the container would."""
        parts = (self.image_id, self.address, self.configuration, self.hostname, self.command, self.aliases)
        return hashlib.sha256(json.dumps(parts, sort_keys=True, default=list).encode()).hexdigest()


def find(client: docker.DockerClient, bed: str, name: str) -> Any | None:
    try:
        return client.containers.get(names.container(bed, name))
    except NotFound:
        return None


def ensure(client: docker.DockerClient, wanted: Container, *, replace: bool) -> str:
    """Create and start what is missing; an outdated one is replaced only where that loses nothing."""
    there = find(client, wanted.bed, wanted.name)
    if there is not None and replace and there.labels.get(names.CONTENT_LABEL) != wanted.content():
        there.remove(force=True)
        there = None
    if there is None:
        for volume in wanted.volumes:
            client.volumes.create(volume, labels=names.labels(wanted.bed))
        created = client.api.create_container_from_config(wanted.body(), wanted.full_name)
        client.api.start(created["Id"])
        return "created and started"
    if there.status != "running":
        there.start()
        return "started"
    return UNCHANGED


def remove(client: docker.DockerClient, identifier: str) -> None:
    """Remove a container and wait until it is gone, also when a build that was broken off is removing it already."""
    try:
        client.api.remove_container(identifier, force=True, v=True)
    except NotFound:
        return
    except APIError as error:
        if error.status_code != CONFLICT:
            raise
        wait_for(
            lambda: not client.api.containers(all=True, filters={"id": identifier}),
            what=f"container {identifier[:12]} is gone",
            seconds=60,
            next_step="Run the same command again.",
        )


def must_run(client: docker.DockerClient, bed: str, name: str) -> Any:
    """The running container; a dead one explains itself with its last lines."""
    there = find(client, bed, name)
    if there is None or there.status != "running":
        lines = there.logs(tail=12).decode(errors="replace") if there is not None else ""
        raise BedError(
            f"The bed's container {name} is not running.\n{lines}",
            f"`docker -H {client.api.base_url} logs {names.container(bed, name)}` shows everything it said.",
        )
    return there


def execute(container: Any, argv: Sequence[str]) -> tuple[int, str]:
    """Run a program in a container: (status, output)."""
    status, output = container.exec_run(list(argv))
    return status, output.decode(errors="replace")
