"""The arguments of a host follow from what the machine allows."""

from __future__ import annotations

import pytest
from testbed.capabilities import Capabilities, hierarchies, host_configuration, init_command

MOUNTS = """\
tmpfs /sys/fs/cgroup tmpfs ro,relatime 0 0
cgroup /sys/fs/cgroup/memory cgroup rw,relatime,memory 0 0
cgroup /sys/fs/cgroup/systemd cgroup rw,relatime,name=systemd 0 0
cgroup2 /sys/fs/cgroup/unified cgroup2 rw,relatime 0 0
/dev/vda / ext4 rw 0 0
cgroup /elsewhere/memory cgroup rw,memory 0 0
"""


def test_only_the_machines_own_hierarchies_are_found() -> None:
    assert hierarchies(MOUNTS) == [
        "/sys/fs/cgroup/memory",
        "/sys/fs/cgroup/systemd",
        "/sys/fs/cgroup/unified",
    ]


def test_version_2_has_no_hierarchies_below_its_root() -> None:
    assert hierarchies("cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n") == []


@pytest.mark.parametrize(
    ("version", "legacy"),
    [pytest.param(1, True, id="version_1"), pytest.param(2, False, id="version_2")],
)
def test_systemd_is_told_about_version_1_only(version: int, legacy: bool) -> None:
    command = init_command(Capabilities(privileged=False, cgroup_version=version))
    assert command[0] == "/sbin/init"
    assert ("SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1" in command) is legacy


@pytest.mark.parametrize("version", [1, 2])
def test_privileged_machines_simply_use_it(version: int) -> None:
    configuration = host_configuration(Capabilities(privileged=True, cgroup_version=version), [])
    assert configuration["Privileged"] is True
    assert "CapAdd" not in configuration


@pytest.mark.parametrize("version", [1, 2])
def test_restricted_machines_get_every_capability_but_the_withheld(version: int) -> None:
    configuration = host_configuration(Capabilities(privileged=False, cgroup_version=version), [])
    assert "Privileged" not in configuration
    assert configuration["CapAdd"] == ["ALL"]
    assert {"SYS_RESOURCE", "SYS_TIME"} <= set(configuration["CapDrop"])
    # What `systempaths=unconfined` is to the API: empty lists, not absent ones.
    assert configuration["MaskedPaths"] == []
    assert configuration["ReadonlyPaths"] == []


@pytest.mark.parametrize("privileged", [True, False])
def test_version_1_host_cannot_mount_into_the_machines_directory(privileged: bool) -> None:
    configuration = host_configuration(Capabilities(privileged, 1), ["/sys/fs/cgroup/memory"])
    assert configuration["CgroupnsMode"] == "host"
    assert configuration["Binds"] == ["/sys/fs/cgroup/memory:/sys/fs/cgroup/memory:rw"]
    assert configuration["Tmpfs"]["/sys/fs/cgroup"].startswith("ro,")


def test_version_2_privileged_host_has_a_hierarchy_of_its_own() -> None:
    configuration = host_configuration(Capabilities(privileged=True, cgroup_version=2), [])
    assert configuration["CgroupnsMode"] == "private"
    assert configuration["Binds"] == []


def test_version_2_restricted_host_borrows_the_machines() -> None:
    configuration = host_configuration(Capabilities(privileged=False, cgroup_version=2), [])
    assert configuration["CgroupnsMode"] == "host"
    assert configuration["Binds"] == ["/sys/fs/cgroup:/sys/fs/cgroup:rw"]


def test_run_and_tmp_allow_programs_as_on_a_server() -> None:
    configuration = host_configuration(Capabilities(privileged=False, cgroup_version=2), [])
    assert all(configuration["Tmpfs"][path].startswith("exec") for path in ("/run", "/tmp"))
