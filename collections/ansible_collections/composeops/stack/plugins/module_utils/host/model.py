# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a host is wanted to be, what it was found to be, and the changes that lead from one to the other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from ansible_collections.composeops.stack.plugins.module_utils.io.systemd import UnitStatus

# --- wanted -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Group:
    name: str
    present: bool = True
    gid: int | None = None
    system: bool = False


@dataclass(frozen=True)
class User:
    """An account; None leaves a property as it is (or, for a new account, to the host's default)."""

    name: str
    present: bool = True
    uid: int | None = None
    group: str | None = None
    groups: tuple[str, ...] = ()
    exclusive_groups: bool = False
    shell: str | None = None
    home: str | None = None
    comment: str | None = None
    system: bool = False
    authorized_keys: tuple[str, ...] | None = None
    exclusive_keys: bool = False


@dataclass(frozen=True)
class Directory:
    path: str
    mode: int = 0o755
    owner: str = "root"
    group: str = "root"
    present: bool = True
    follow: bool = True


@dataclass(frozen=True)
class File:
    path: str
    content: bytes = b""
    mode: int = 0o644
    owner: str = "root"
    group: str = "root"
    present: bool = True
    sensitive: bool = False
    validate: tuple[str, ...] = ()
    follow: bool = True


@dataclass(frozen=True)
class Link:
    path: str
    target: str = ""
    present: bool = True


@dataclass(frozen=True)
class Unit:
    """A systemd unit; None leaves a property as it is."""

    name: str
    enabled: bool | None = None
    state: Literal["started", "stopped"] | None = None
    restart_on: tuple[str, ...] = ()
    reload_on: tuple[str, ...] = ()


@dataclass(frozen=True)
class HostState:
    packages: tuple[str, ...] = ()
    absent_packages: tuple[str, ...] = ()
    groups: tuple[Group, ...] = ()
    users: tuple[User, ...] = ()
    hostname: str | None = None
    directories: tuple[Directory, ...] = ()
    files: tuple[File, ...] = ()
    links: tuple[Link, ...] = ()
    kernel: Mapping[str, str] = field(default_factory=dict)
    units: tuple[Unit, ...] = ()


# --- found ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class FoundGroup:
    gid: int


@dataclass(frozen=True)
class FoundUser:
    uid: int
    group: str
    groups: frozenset[str]
    shell: str
    home: str
    comment: str


@dataclass(frozen=True)
class FoundPath:
    """A path that exists; of a symbolic link all but ``target`` is about what it leads to."""

    kind: Literal["file", "directory", "dangling", "other"]
    mode: int = 0
    owner: str = ""
    group: str = ""
    content: bytes | None = None
    target: str | None = None
    """Where the path itself leads when it is a symbolic link; None when it is none."""


@dataclass(frozen=True)
class Found:
    packages: frozenset[str] = frozenset()
    """The packages among those asked about that are installed."""
    packages_interrupted: bool = False
    """An earlier installation was killed; dpkg wants to finish it before anything else."""
    groups: Mapping[str, FoundGroup] = field(default_factory=dict)
    users: Mapping[str, FoundUser] = field(default_factory=dict)
    connected_user: str = "root"
    """The account through which this run reached the host."""
    hostname: str = ""
    paths: Mapping[str, FoundPath] = field(default_factory=dict)
    kernel: Mapping[str, str | None] = field(default_factory=dict)
    """Live values of kernel parameters; None where the kernel has no such parameter."""
    units: Mapping[str, UnitStatus] = field(default_factory=dict)
    pending: Mapping[str, str] = field(default_factory=dict)
    """Units that an earlier, interrupted run still owes a restart or a reload."""


# --- changes ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class FinishInterruptedPackages:
    pass


@dataclass(frozen=True)
class InstallPackages:
    names: tuple[str, ...]


@dataclass(frozen=True)
class RemovePackages:
    names: tuple[str, ...]


@dataclass(frozen=True)
class AccountCommand:
    """One call of the shadow tools (useradd, groupmod, ...)."""

    argv: tuple[str, ...]


@dataclass(frozen=True)
class SetHostname:
    name: str


@dataclass(frozen=True)
class MakeDirectory:
    directory: Directory


@dataclass(frozen=True)
class RemoveDirectory:
    path: str


@dataclass(frozen=True)
class WriteFile:
    file: File


@dataclass(frozen=True)
class RemoveFile:
    path: str


@dataclass(frozen=True)
class SetAttributes:
    path: str
    mode: int
    owner: str
    group: str


@dataclass(frozen=True)
class MakeLink:
    link: Link


@dataclass(frozen=True)
class SetKernelParameter:
    key: str
    value: str


@dataclass(frozen=True)
class DaemonReload:
    pass


UnitVerb = Literal["enable", "disable", "unmask", "start", "stop", "restart", "reload"]


@dataclass(frozen=True)
class UnitCommand:
    unit: str
    verb: UnitVerb


Step = (
    FinishInterruptedPackages
    | InstallPackages
    | RemovePackages
    | AccountCommand
    | SetHostname
    | MakeDirectory
    | RemoveDirectory
    | WriteFile
    | RemoveFile
    | SetAttributes
    | MakeLink
    | SetKernelParameter
    | DaemonReload
    | UnitCommand
)


@dataclass(frozen=True)
class Change:
    """One difference: the resource it is about, the sentence and diff that show it, and the step that makes it."""

    resource: str
    sentence: str
    before: str
    after: str
    step: Step
    path: str | None = None
    """The path that changes, for units that follow it."""
