# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reads what the host is, with as few processes as it takes: one for all units, none for everything else."""

from __future__ import annotations

import grp
import os
import pwd
import socket
import stat
from collections.abc import Iterable

from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.host import dpkg, pending
from ansible_collections.composeops.stack.plugins.module_utils.host.model import (
    Found,
    FoundGroup,
    FoundPath,
    FoundUser,
    HostState,
)
from ansible_collections.composeops.stack.plugins.module_utils.host.plan_accounts import keys_path
from ansible_collections.composeops.stack.plugins.module_utils.io.systemd import Systemd

KERNEL_PARAMETERS = "/proc/sys"


def observe(wanted: HostState, systemd: Systemd) -> Found:
    """Return what the host has of everything that ``wanted`` speaks of."""
    users = {user.name: found for user in wanted.users if (found := find_user(user.name)) is not None}
    groups = {group.name: known for group in wanted.groups if (known := find_group(group.name)) is not None}
    key_files = [keys_path(user, users.get(user.name)) for user in wanted.users if user.authorized_keys is not None]
    packages = dpkg.read() if wanted.packages or wanted.absent_packages else dpkg.Database()
    return Found(
        packages=packages.installed,
        packages_interrupted=packages.interrupted,
        groups=groups,
        users=users,
        connected_user=connected_user(),
        hostname=socket.gethostname(),
        paths=_find_paths(
            [*(one.path for one in wanted.directories), *(one.path for one in wanted.files)]
            + [one.path for one in wanted.links]
            + [path for key_file in key_files for path in (os.path.dirname(key_file), key_file)]
        ),
        kernel={key: read_kernel_parameter(key) for key in wanted.kernel},
        units=systemd.status([unit.name for unit in wanted.units]),
        pending=pending.read(),
    )


def connected_user() -> str:
    """Return the account behind this run: who became root, or whoever runs it."""
    behind = os.environ.get("SUDO_USER") or os.environ.get("DOAS_USER")
    return behind or pwd.getpwuid(os.getuid()).pw_name


def find_group(name: str) -> FoundGroup | None:
    try:
        return FoundGroup(grp.getgrnam(name).gr_gid)
    except KeyError:
        return None


def find_user(name: str) -> FoundUser | None:
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        return None
    return FoundUser(
        uid=entry.pw_uid,
        group=_group_name(entry.pw_gid),
        groups=frozenset(group.gr_name for group in grp.getgrall() if name in group.gr_mem),
        shell=entry.pw_shell,
        home=entry.pw_dir,
        comment=entry.pw_gecos,
    )


def _find_paths(paths: Iterable[str]) -> dict[str, FoundPath]:
    return {path: found for path in paths if (found := find_path(path)) is not None}


def find_path(path: str) -> FoundPath | None:
    """Return what is at ``path``, following a link at it; None where nothing is."""
    try:
        status = os.lstat(path)
        target = os.readlink(path) if stat.S_ISLNK(status.st_mode) else None
    except (FileNotFoundError, NotADirectoryError):
        return None
    if target is not None:
        try:
            status = os.stat(path)
        except OSError:
            return FoundPath("dangling", target=target)
    if stat.S_ISDIR(status.st_mode):
        kind, content = "directory", None
    elif stat.S_ISREG(status.st_mode):
        kind, content = "file", _read(path)
    else:
        kind, content = "other", None
    return FoundPath(
        kind,  # type: ignore[arg-type]  # each branch above sets one of the literals
        stat.S_IMODE(status.st_mode),
        _user_name(status.st_uid),
        _group_name(status.st_gid),
        content,
        target,
    )


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as stream:
            return stream.read()
    except OSError as error:
        raise ComposeOpsError(f"{path} cannot be read: {error.strerror}.", "Run with become: true.") from error


def _user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _group_name(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


def kernel_parameter_path(key: str) -> str:
    """Return where a parameter lives; as in sysctl.d, the first separator decides whether '.' or '/' separates."""
    first = next((character for character in key if character in "./"), ".")
    parts = key if first == "/" else key.translate(str.maketrans("./", "/."))
    return os.path.join(KERNEL_PARAMETERS, parts)


def read_kernel_parameter(key: str) -> str | None:
    try:
        with open(kernel_parameter_path(key), encoding="utf-8", errors="replace") as stream:
            return " ".join(stream.read().split())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ComposeOpsError(f"Kernel parameter {key} cannot be read: {error.strerror}.") from error
