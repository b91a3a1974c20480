# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What `docker inspect` says about a stack's containers, as data."""

from __future__ import annotations

import calendar
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.composeops.stack.plugins.module_utils.io.docker import PROJECT_LABEL, service_of

REVISION_LABEL = "composeops.revision"
NUMBER_LABEL = "com.docker.compose.container-number"
ONE_OFF_LABEL = "com.docker.compose.oneoff"


@dataclass(frozen=True)
class PortBinding:
    """A port of a container, published on the host."""

    port: int
    protocol: str
    address: str
    host_port: int

    def __str__(self) -> str:
        return f"{self.address}:{self.host_port}->{self.port}/{self.protocol}"


@dataclass(frozen=True)
class Container:
    """One container of a service."""

    identifier: str
    name: str
    service: str
    number: int
    status: str
    """created, running, paused, restarting, removing, exited or dead."""
    health: str
    """starting, healthy or unhealthy; empty where there is no health check."""
    image: str
    image_id: str
    revision: str
    started_at: float = 0.0
    exit_code: int = 0
    out_of_memory: bool = False
    error: str = ""
    restart_count: int = 0
    restarts: bool = False
    """The engine brings it back whenever it ends."""
    last_probe: str = ""
    """What the last failed health check printed."""
    ports: tuple[PortBinding, ...] = ()
    project: str = ""
    """Its compose project: the stack, or a colour of it."""

    @property
    def running(self) -> bool:
        return self.status == "running"


def parse(inspected: Sequence[Mapping[str, Any]]) -> list[Container]:
    """Return the containers of services, ordered by service and number; those of `compose run` are left out."""
    found = [_container(document) for document in inspected if not _one_off(document)]
    return sorted(found, key=lambda container: (container.service, container.number))


def by_service(containers: Sequence[Container]) -> dict[str, list[Container]]:
    """Return the containers under the name of their service."""
    grouped: dict[str, list[Container]] = {}
    for container in containers:
        grouped.setdefault(container.service, []).append(container)
    return grouped


def timestamp(text: str) -> float:
    """Return seconds since the epoch for what the engine writes (UTC); 0 for never."""
    if not text or text.startswith("0001-"):
        return 0.0
    fraction = text[19:].rstrip("Z").lstrip(".") or "0"
    return calendar.timegm(time.strptime(text[:19], "%Y-%m-%dT%H:%M:%S")) + float(f"0.{fraction}")


def _container(document: Mapping[str, Any]) -> Container:
    state = document["State"]
    health = state.get("Health") or {}
    labels = document["Config"].get("Labels") or {}
    policy = document["HostConfig"].get("RestartPolicy") or {}
    return Container(
        identifier=document["Id"],
        name=document["Name"].lstrip("/"),
        service=service_of(document),
        number=int(labels.get(NUMBER_LABEL, "1")),
        status=state["Status"],
        health="" if health.get("Status") == "none" else health.get("Status", ""),
        image=document["Config"]["Image"],
        image_id=document["Image"],
        revision=labels.get(REVISION_LABEL, ""),
        started_at=timestamp(state.get("StartedAt", "")),
        exit_code=state.get("ExitCode", 0),
        out_of_memory=state.get("OOMKilled", False),
        error=state.get("Error", ""),
        restart_count=document.get("RestartCount", 0),
        restarts=policy.get("Name") in ("always", "unless-stopped"),
        last_probe=_last_failure(health),
        ports=tuple(_bindings(document["HostConfig"].get("PortBindings") or {})),
        project=labels.get(PROJECT_LABEL, ""),
    )


def _one_off(document: Mapping[str, Any]) -> bool:
    labels = document["Config"].get("Labels") or {}
    return str(labels.get(ONE_OFF_LABEL, "False")) == "True"


def _last_failure(health: Mapping[str, Any]) -> str:
    probes = health.get("Log") or []
    if not probes or probes[-1].get("ExitCode") == 0:
        return ""
    return str(probes[-1].get("Output", "")).strip()


def _bindings(bindings: Mapping[str, Any]) -> list[PortBinding]:
    found = []
    for key, targets in sorted(bindings.items()):
        port, _, protocol = key.partition("/")
        for target in targets or []:
            first, _, last = str(target.get("HostPort", "")).partition("-")
            for host_port in range(int(first or 0), int(last or first or 0) + 1):
                found.append(PortBinding(int(port), protocol or "tcp", target.get("HostIp") or "0.0.0.0", host_port))  # noqa: S104
    return found
