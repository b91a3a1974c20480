# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Looks at the host: what it is, what it has left, who listens, what names resolve to."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import sys
from collections.abc import Mapping, Sequence

from ansible_collections.composeops.stack.plugins.module_utils.host import engine
from ansible_collections.composeops.stack.plugins.module_utils.io import files, sockets
from ansible_collections.composeops.stack.plugins.module_utils.io.runner import Runner
from ansible_collections.composeops.stack.plugins.module_utils.preflight.machine import Machine, Resolution
from ansible_collections.composeops.stack.plugins.module_utils.preflight.ports import Seen

MIB = 1024 * 1024
OWN_SITES = "/etc/nginx/composeops"
FOREIGN_SITES = ("/etc/nginx/sites-enabled", "/etc/nginx/conf.d")
DEFAULT_SITE = "default"
PROJECT_LABEL = "com.docker.compose.project"


def machine(paths: Sequence[str]) -> Machine:
    """Return what this host is and has."""
    release = os_release(files.read_text("/etc/os-release") or "")
    system = f"{release.get('ID', 'unknown')}-{release.get('VERSION_ID', 'unknown')}"
    return Machine(
        system=system,
        system_name=release.get("PRETTY_NAME", system),
        python=tuple(sys.version_info[:2]),
        memory_mib=total_memory(files.read_text("/proc/meminfo") or ""),
        free_mib={path: free_space(path) for path in paths},
    )


def os_release(text: str) -> dict[str, str]:
    """Read /etc/os-release: shell assignments, with or without quotes."""
    pairs = (line.partition("=") for line in text.splitlines() if "=" in line and not line.startswith("#"))
    return {name.strip(): value.strip().strip("\"'") for name, _, value in pairs}


def total_memory(meminfo: str) -> int:
    """Return MiB of memory out of the text of /proc/meminfo."""
    for line in meminfo.splitlines():
        name, _, rest = line.partition(":")
        if name == "MemTotal":
            return int(rest.split()[0]) // 1024
    return 0


def free_space(path: str) -> int:
    """Return MiB that are free where ``path`` is, or will be."""
    while not os.path.exists(path):
        path = os.path.dirname(path)
    status = os.statvfs(path)
    return status.f_bavail * status.f_frsize // MIB


def ports(runner: Runner, wanted: Sequence[int]) -> Seen:
    """Return who has the ports that are wanted, and whether nginx serves somebody else's sites."""
    listeners = [listener for listener in sockets.listening() if listener.port in wanted]
    named = sockets.with_processes(listeners) if listeners else []
    return Seen(named, published(runner) if named else {}, foreign_sites(), engine_sockets())


def engine_sockets(processes: str = "/proc", settings: str = "/etc/docker/daemon.json") -> list[str]:
    """Return where a running Docker engine takes commands by TCP from whoever comes."""
    content = engine.parse(files.read_text(settings))
    found: dict[str, None] = {}
    for process in filter(str.isdigit, os.listdir(processes)):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            # One in a container has another network, and is that container's matter.
            here = os.readlink(f"{processes}/{process}/ns/net") == os.readlink(f"{processes}/self/ns/net")
            if here and (files.read_text(f"{processes}/{process}/comm") or "").strip() == "dockerd":
                argv = (files.read_text(f"{processes}/{process}/cmdline") or "").split("\0")
                found.update(dict.fromkeys(engine.tcp_sockets(argv, content)))
    return list(found)


def published(runner: Runner) -> dict[int, str]:
    """Return the host ports of all containers with the compose project of each."""
    columns = f'{{{{json .Ports}}}}\t{{{{.Label "{PROJECT_LABEL}"}}}}'
    completed = runner.run(["docker", "ps", "--format", columns], check=False)
    found: dict[int, str] = {}
    for line in completed.stdout.splitlines() if completed.ok else ():
        text, _, project = line.partition("\t")
        for part in json.loads(text).split(", "):
            host, arrow, _container = part.partition("->")
            first, _, last = host.rpartition(":")[2].partition("-")
            if arrow and first.isdigit():
                found.update(dict.fromkeys(range(int(first), int(last or first) + 1), project))
    return found


def image_users(runner: Runner, images: Sequence[str]) -> dict[str, str]:
    """Return whom each image runs as, of those that are on the host; empty is root."""
    columns = "{{json .RepoTags}}\t{{json .RepoDigests}}\t{{.Config.User}}"
    # It fails for those that are not here, and still tells of the others.
    inspected = runner.run(["docker", "image", "inspect", "--format", columns, *images], check=False)
    rows = [line.split("\t") for line in inspected.stdout.splitlines() if line.count("\t") == columns.count("\t")]
    return {
        name: user for tags, digests, user in rows for name in (json.loads(tags) or []) + (json.loads(digests) or [])
    }


def engine_confines(runner: Runner) -> bool:
    """Return whether the engine gives every container no new privileges."""
    told = runner.run(["docker", "info", "--format", "{{json .SecurityOptions}}"], check=False)
    return told.ok and "name=no-new-privileges" in told.stdout


def foreign_sites(own: str = OWN_SITES, directories: Sequence[str] = FOREIGN_SITES) -> list[str]:
    """Return the configuration of an nginx that was there before us; Debian's own default site is nobody's."""
    if os.path.isdir(own):
        return []
    found = []
    for directory in directories:
        names = os.listdir(directory) if os.path.isdir(directory) else []
        found += [os.path.join(directory, name) for name in names if name != DEFAULT_SITE]
    return sorted(found)


def resolve(names: Sequence[str]) -> list[Resolution]:
    """Return what each name resolves to, as programs on this host see it."""
    found = []
    for name in names:
        try:
            answers = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
        except OSError as error:
            found.append(Resolution(name, error=error.strerror or str(error)))
        else:
            found.append(Resolution(name, tuple(sorted({str(answer[4][0]) for answer in answers}))))
    return found


def own_addresses(runner: Runner) -> set[str]:
    """Return the addresses of this host, the loopback's left out."""
    completed = runner.run(["ip", "-json", "address"], check=False)
    interfaces: list[Mapping[str, object]] = json.loads(completed.stdout) if completed.ok else []
    found = set()
    for interface in interfaces:
        entries = interface.get("addr_info")
        for entry in entries if isinstance(entries, list) else ():
            if entry.get("scope") != "host":
                found.add(str(entry.get("local", "")))
    return found
