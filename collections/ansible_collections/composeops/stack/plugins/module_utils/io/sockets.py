# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which TCP ports this host listens on, and which processes hold them, read from /proc."""

from __future__ import annotations

import ipaddress
import os
import sys
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace

_LISTEN = "0A"
_ESTABLISHED = "01"


@dataclass(frozen=True)
class Listener:
    """A listening TCP socket; ``process`` is empty when no process of this host shows it."""

    address: str
    port: int
    inode: str
    process: str = ""

    @property
    def reachable_from_outside(self) -> bool:
        """Whether the address is more than this host's own; a firewall may still stand before it."""
        return not ipaddress.ip_address(self.address).is_loopback


def parse(table: str) -> list[Listener]:
    """Read the listening sockets out of the text of /proc/net/tcp or /proc/net/tcp6."""
    result = []
    for line in table.splitlines()[1:]:
        fields = line.split()
        if len(fields) > 9 and fields[3] == _LISTEN:  # noqa: PLR2004 (the tenth field is the inode)
            address, _, port = fields[1].partition(":")
            result.append(Listener(_address(address), int(port, 16), fields[9]))
    return result


def listening() -> list[Listener]:
    """Return what this host listens on, without the processes."""
    return [listener for table in _tables() for listener in parse(table)]


def _tables() -> Iterator[str]:
    for path in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            with open(path, encoding="ascii") as stream:
                yield stream.read()
        except FileNotFoundError:  # a host without IPv6 has no such table
            continue


def parse_connections(table: str, ports: Collection[int]) -> int:
    """Count the established connections to ``ports`` in the text of /proc/net/tcp or /proc/net/tcp6."""
    rows = (line.split() for line in table.splitlines()[1:])
    return sum(
        len(fields) > 9  # noqa: PLR2004 (a row ends with the inode and more)
        and fields[3] == _ESTABLISHED
        and int(fields[2].partition(":")[2], 16) in ports
        and ipaddress.ip_address(_address(fields[2].partition(":")[0])).is_loopback
        for fields in rows
    )


def connections(ports: Collection[int]) -> int:
    """Return how many connections lead from this host to ``ports`` of its loopback."""
    return sum(parse_connections(table, ports) for table in _tables())


def with_processes(listeners: Iterable[Listener]) -> list[Listener]:
    """Name the process of each listener; needs root to see those of others."""
    wanted = {f"socket:[{listener.inode}]": listener for listener in listeners}
    names: dict[str, str] = {}
    for process in filter(str.isdigit, os.listdir("/proc")):
        if len(names) == len(wanted):
            break
        try:
            descriptors = [entry.path for entry in os.scandir(f"/proc/{process}/fd")]
        except OSError:  # it ended, or it is not ours to see
            continue
        for descriptor in descriptors:
            try:
                link = os.readlink(descriptor)
            except OSError:
                continue
            if link in wanted and link not in names:
                names[link] = _name(process)
    return [replace(listener, process=names.get(link, "")) for link, listener in wanted.items()]


def _name(process: str) -> str:
    try:
        with open(f"/proc/{process}/comm", encoding="utf-8") as stream:
            return stream.read().strip()
    except OSError:
        return ""


def _address(text: str) -> str:
    """Decode the kernel's form: groups of four bytes, each in the byte order of the machine."""
    groups = [bytes.fromhex(text[index : index + 8]) for index in range(0, len(text), 8)]
    raw = b"".join(group[::-1] if sys.byteorder == "little" else group for group in groups)
    address = ipaddress.ip_address(raw)
    mapped = getattr(address, "ipv4_mapped", None)
    return str(mapped or address)
