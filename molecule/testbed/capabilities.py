"""What this machine allows a container, and what a host in a container therefore needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
from docker.errors import APIError

from testbed import names

CGROUP = "/sys/fs/cgroup"

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


def cgroup_configuration(capabilities: Capabilities, hierarchies: Sequence[str]) -> dict[str, Any]:
    """How a host sees the machine's control groups.

    Version 1: each hierarchy on its own, on a read-only directory of the host's. Given the machine's whole directory,
    systemd would mount the missing hierarchies there and set the machine's directory read-only.
    """
    if capabilities.cgroup_version == 1:
        return {
            "CgroupnsMode": "host",
            "Tmpfs": {CGROUP: "ro,nosuid,nodev,noexec,mode=755"},
            "Binds": [f"{hierarchy}:{hierarchy}:rw" for hierarchy in hierarchies],
        }
    if capabilities.privileged:
        # A writable hierarchy of the container's own comes from the engine.
        return {"CgroupnsMode": "private", "Tmpfs": {}, "Binds": []}
    return {"CgroupnsMode": "host", "Tmpfs": {}, "Binds": [f"{CGROUP}:{CGROUP}:rw"]}


def hierarchies(mounts: str) -> list[str]:
    """Where the machine's version 1 hierarchies are mounted, from /proc/self/mounts."""
    points = [line.split()[1:3] for line in mounts.splitlines()]
    return sorted({point for point, kind in points if kind in {"cgroup", "cgroup2"} and point.startswith(f"{CGROUP}/")})


def machine_hierarchies() -> list[str]:
    """This machine's."""
    return hierarchies(Path("/proc/self/mounts").read_text(encoding="utf-8"))


def host_configuration(capabilities: Capabilities, hierarchies: Sequence[str]) -> dict[str, Any]:
    """The part of the engine's HostConfig that lets systemd and a nested engine run, in the API's words."""
    configuration = cgroup_configuration(capabilities, hierarchies)
    configuration["Tmpfs"] = {
        **configuration["Tmpfs"],
        "/run": "exec,nosuid,nodev,mode=755",
        "/tmp": "exec,nosuid,nodev,mode=1777",
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
