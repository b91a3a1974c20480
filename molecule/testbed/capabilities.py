"""What this machine allows a container, and what a host in a container therefore needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import docker
from docker.errors import APIError

from testbed import names

# systemd 256 and later refuse a version 1 hierarchy unless they are told twice.
LEGACY_CGROUP_ARGUMENTS = (
    "SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1",
    "systemd.unified_cgroup_hierarchy=0",
    "systemd.legacy_systemd_cgroup_controller=1",
)

# Without --privileged every capability is given but these. SYS_RESOURCE is what restricted machines lack; a host
# that could set the clock or load modules would do so for the whole machine.
WITHHELD = ("SYS_RESOURCE", "SYS_TIME", "SYS_MODULE")


@dataclass(frozen=True)
class Capabilities:
    """The two things that differ between machines."""

    privileged: bool
    cgroup_version: int


def init_command(capabilities: Capabilities) -> list[str]:
    """What runs as process 1 of a host."""
    return ["/sbin/init", *(LEGACY_CGROUP_ARGUMENTS if capabilities.cgroup_version == 1 else ())]


def needs_host_cgroups(capabilities: Capabilities) -> bool:
    """Only a privileged container on version 2 gets a writable hierarchy of its own from the engine."""
    return capabilities.cgroup_version == 1 or not capabilities.privileged


def host_configuration(capabilities: Capabilities) -> dict[str, Any]:
    """The part of the engine's HostConfig that lets systemd and a nested engine run, in the API's words."""
    configuration: dict[str, Any] = {
        "Tmpfs": {"/run": "exec,nosuid,nodev,mode=755", "/tmp": "exec,nosuid,nodev,mode=1777"},
        "CgroupnsMode": "host" if needs_host_cgroups(capabilities) else "private",
        "Binds": ["/sys/fs/cgroup:/sys/fs/cgroup:rw"] if needs_host_cgroups(capabilities) else [],
    }
    if capabilities.privileged:
        return {**configuration, "Privileged": True}
    return {
        **configuration,
        "CapAdd": ["ALL"],
        "CapDrop": list(WITHHELD),
        "SecurityOpt": ["seccomp=unconfined", "apparmor=unconfined"],
        # What `--security-opt systempaths=unconfined` means to the API.
        "MaskedPaths": [],
        "ReadonlyPaths": [],
    }


def probe_privileged(client: docker.DockerClient, bed: str, image: str) -> bool:
    """Whether a trivial privileged container starts; some machines hold back a capability it needs."""
    container = client.containers.create(
        image,
        ["/bin/true"],
        privileged=True,
        network_mode="none",
        labels=names.labels(bed, role="probe"),
    )
    try:
        container.start()
        return bool(container.wait(timeout=60)["StatusCode"] == 0)
    except APIError:
        return False
    finally:
        container.remove(force=True)


def detect(client: docker.DockerClient, *, privileged: bool) -> Capabilities:
    version = client.info().get("CgroupVersion") or "1"
    return Capabilities(privileged=privileged, cgroup_version=int(version))
