"""Test hosts: Debian with systemd in a container, as bare as a fresh server, reached by ssh."""

from __future__ import annotations

import io
import re
import socket
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import docker
from docker.errors import NotFound

from testbed import acme, capabilities, containers, database, images, names, network, systems, traces
from testbed.bases import RELEASES
from testbed.containers import Container
from testbed.errors import BedError
from testbed.progress import Progress
from testbed.runner import run
from testbed.state import HostRecord, State, StateDirectory
from testbed.steps import UNCHANGED
from testbed.waiting import wait_for

DEFAULT_HOST = "petcare1"
DEFAULT_RELEASE = RELEASES[0]
USER = "ops"
BOOT_SECONDS = 90
STOP_SECONDS = 60

_NAME = re.compile(r"[a-z][a-z0-9-]{0,30}")
_DNS_NAME = re.compile(r"(?=.{1,253}$)[a-z0-9-]{1,63}(\.[a-z0-9-]{1,63})+")
_RESERVED = {"registry", "s3", "acme"}


def record(
    state: State, name: str, release: str, aliases: Sequence[str] = (), system: str = systems.DEFAULT
) -> HostRecord:
    """A checked record for a new host; without `aliases` it has the public names of its system."""
    if not _NAME.fullmatch(name) or name in _RESERVED or name.startswith(("acme-", "database-")):
        raise BedError(
            f"{name!r} cannot be a host's name.", "Use lower-case letters, digits and hyphens; not registry, s3, acme."
        )
    systems.host_name(system)
    aliases = aliases or systems.public_names(system)
    for alias in aliases:
        if not _DNS_NAME.fullmatch(alias):
            raise BedError(f"{alias!r} is not a DNS name.", "Use a name such as app.petcare.com.")
    number = network.host_number(host.number for host in state.hosts.values())
    return HostRecord(release=release, aliases=list(aliases), number=number, system=system)


def address(state: State, name: str) -> str:
    assert state.network is not None
    return network.address(state.network, state.hosts[name].number)


def key_path(directory: StateDirectory) -> Path:
    return directory / "ssh" / "id_ed25519"


def known_hosts_path(directory: StateDirectory) -> Path:
    return directory / "ssh" / "known_hosts"


def ensure_key(directory: StateDirectory) -> None:
    """The key that logs in to every host of this bed."""
    path = key_path(directory)
    if path.exists() and path.with_suffix(".pub").exists():
        return
    path.parent.mkdir(mode=0o700, exist_ok=True)
    path.unlink(missing_ok=True)
    run(
        ("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "testbed", "-f", str(path)),
        next_step="Install the package openssh-client.",
    )


def configuration(
    directory: StateDirectory, state: State, name: str, allowed: capabilities.Capabilities
) -> dict[str, Any]:
    """The engine's HostConfig of a host."""
    base = capabilities.host_configuration(allowed, capabilities.machine_hierarchies())
    binds = [
        *base["Binds"],
        f"{docker_volume(state, name)}:/var/lib/docker",
        # A real server's file: the engine's own resolver would vanish with the first flush of the firewall.
        f"{directory / 'hosts' / name / 'resolv.conf'}:/etc/resolv.conf",
    ]
    return {**base, "Binds": binds}


def docker_volume(state: State, name: str) -> str:
    return names.volume(state.id, name, "docker")


def ensure(client: docker.DockerClient, directory: StateDirectory, state: State, name: str, progress: Progress) -> str:
    """Create or start the host and wait until it can be worked on."""
    assert state.network is not None and state.privileged is not None
    host = state.hosts[name]
    allowed = capabilities.detect(client, privileged=state.privileged)
    directory.write(f"hosts/{name}/resolv.conf", f"nameserver {acme.address(state, name)}\n", mode=0o644)
    there = containers.find(client, state.id, name)
    if there is not None and there.status == "created":
        # A run was killed between creating and starting: its key may be missing.
        there.remove(force=True)
        there = None
    if there is None:
        wanted = Container(
            bed=state.id,
            name=name,
            role="host",
            image_id=images.identifier(client, names.image(state.id, f"host-{host.release}")),
            network=state.network,
            address=address(state, name),
            configuration=configuration(directory, state, name, allowed),
            hostname=name,
            command=capabilities.init_command(allowed),
            volumes=(docker_volume(state, name),),
        )
        for volume in wanted.volumes:
            client.volumes.create(volume, labels=names.labels(state.id))
        created = client.api.create_container_from_config(wanted.body(), wanted.full_name)
        client.api.put_archive(created["Id"], f"/home/{USER}/.ssh", _authorized_keys(directory))
        client.api.start(created["Id"])
        result = f"created and booted at {address(state, name)}"
    elif there.status != "running":
        there.start()
        result = f"booted at {address(state, name)}"
    elif not (directory / "hosts" / name / "host_keys").exists():
        result = f"was booting at {address(state, name)}"
    else:
        return UNCHANGED
    wait_for_boot(client, directory, state, name, progress)
    return result


def _authorized_keys(directory: StateDirectory) -> bytes:
    public = key_path(directory).with_suffix(".pub").read_bytes()
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        member = tarfile.TarInfo("authorized_keys")
        member.size, member.mode, member.uid, member.gid = len(public), 0o600, 1000, 1000
        tar.addfile(member, io.BytesIO(public))
    return stream.getvalue()


def wait_for_boot(
    client: docker.DockerClient, directory: StateDirectory, state: State, name: str, progress: Progress
) -> None:
    log = f"`docker -H {client.api.base_url} exec {names.container(state.id, name)} journalctl -b` shows the boot."

    def booted() -> str | None:
        host = containers.must_run(client, state.id, name)
        _, output = containers.execute(host, ("systemctl", "is-system-running"))
        return output.strip() if output.strip() in {"running", "degraded"} else None

    if wait_for(booted, what=f"{name} has booted", seconds=BOOT_SECONDS, next_step=log) == "degraded":
        host = containers.must_run(client, state.id, name)
        _, failed = containers.execute(host, ("systemctl", "list-units", "--failed", "--plain", "--no-legend"))
        # A host that something else broke is still a host to work on; a bare one must be sound.
        progress.say(f"note: {name} booted with failed units:\n{failed.rstrip()}")

    def ssh_answers() -> bool:
        with socket.socket() as connection:
            connection.settimeout(2)
            return connection.connect_ex((address(state, name), 22)) == 0

    wait_for(ssh_answers, what=f"sshd of {name} answers", seconds=30, next_step=log)
    _learn_host_keys(client, directory, state, name)


def _learn_host_keys(client: docker.DockerClient, directory: StateDirectory, state: State, name: str) -> None:
    """Read the keys through the engine, which cannot be impersonated, rather than from the network."""
    host = containers.must_run(client, state.id, name)
    status, output = containers.execute(host, ("sh", "-c", "cat /etc/ssh/ssh_host_*_key.pub"))
    if status != 0:
        raise BedError(f"{name} has no ssh host keys:\n{output}", f"`bed host remove {name}` and add it again.")
    directory.write(f"hosts/{name}/host_keys", output)
    write_ssh_files(directory, state)


def write_ssh_files(directory: StateDirectory, state: State) -> None:
    lines = []
    for name in sorted(state.hosts):
        path = directory / "hosts" / name / "host_keys"
        if path.exists():
            lines += known_host_lines(address(state, name), path.read_text(encoding="utf-8"))
    directory.write("ssh/known_hosts", "".join(lines))
    directory.write("ssh/config", ssh_config(directory, {name: address(state, name) for name in state.hosts}))


def ssh_config(directory: StateDirectory, addresses: dict[str, str]) -> str:
    """`ssh -F .testbed/ssh/config petcare1`: names instead of addresses that move from host to host."""
    entries = "".join(f"Host {name}\n    HostName {value}\n" for name, value in sorted(addresses.items()))
    return (
        f"{entries}Host *\n    User {USER}\n    IdentityFile {key_path(directory)}\n    IdentitiesOnly yes\n"
        f"    UserKnownHostsFile {known_hosts_path(directory)}\n    StrictHostKeyChecking yes\n"
    )


def known_host_lines(host_address: str, public_keys: str) -> list[str]:
    return [f"{host_address} {' '.join(line.split()[:2])}\n" for line in public_keys.splitlines() if line.strip()]


def stop(client: docker.DockerClient, state: State, name: str) -> None:
    """Shut the host down as a server shuts down: systemd stops its services, the nested engine its containers."""
    there = containers.find(client, state.id, name)
    if there is not None and there.status == "running":
        there.stop(timeout=STOP_SECONDS)


def remove(client: docker.DockerClient, state: State, name: str) -> None:
    stop(client, state, name)
    for container in (name, acme.container_name(name), database.container_name(name)):
        there = containers.find(client, state.id, container)
        if there is not None:
            there.remove(force=True, v=True)
    try:
        volume = client.volumes.get(docker_volume(state, name))
    except NotFound:
        return
    remove_volume(volume)


def remove_volume(volume: Any) -> None:
    """Remove a volume, and what the engine that lived in it left in the machine's control groups."""
    nested = traces.nested_containers(Path(volume.attrs["Mountpoint"]))
    volume.remove(force=True)
    traces.remove_nested(nested, capabilities.machine_hierarchies())
