# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""From the module's parameters to the wanted state; everything that can be wrong with them is found here."""

from __future__ import annotations

import base64
import binascii
import posixpath
import re
from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.composeops.stack.plugins.module_utils.errors import InvalidInput
from ansible_collections.composeops.stack.plugins.module_utils.host.model import (
    Directory,
    File,
    Group,
    HostState,
    Link,
    Unit,
    User,
)

PACKAGE = re.compile(r"[a-z0-9][a-z0-9+.-]+")
ACCOUNT = re.compile(r"[a-z_][a-z0-9_-]{0,31}")
MODE = re.compile(r"[0-7]{4}")
UNIT = re.compile(
    r"[A-Za-z0-9:_.\\@][A-Za-z0-9:_.\\@-]*\.(service|socket|timer|target|path|mount|automount|swap|slice)"
)
KERNEL_PARAMETER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./-]*")
HOSTNAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*")
SSH_KEY = re.compile(r"(?:^|\s)(?:ssh|sk-ssh|ecdsa|sk-ecdsa)-\S+\s+[A-Za-z0-9+/]{16,}={0,3}(?:\s|$)")

NEVER_REMOVED = re.compile(r"/|/[^/]+|/(usr|var)/[^/]+")
"""Directories of the operating system, whose removal can only be a mistake."""


def parse(parameters: Mapping[str, Any]) -> HostState:
    """Return the wanted state, or raise ``InvalidInput`` naming the first entry that cannot be right."""
    groups = tuple(_group(entry) for entry in parameters["groups"])
    users = tuple(_user(entry) for entry in parameters["users"])
    directories = tuple(_directory(entry) for entry in parameters["directories"])
    files = tuple(_file(entry) for entry in parameters["files"])
    links = tuple(_link(entry) for entry in parameters["links"])
    units = tuple(_unit(entry) for entry in parameters["units"])
    kernel: dict[str, str] = {}
    if parameters["sysctl"] is not None:
        kernel = {_kernel_parameter(key): _kernel_value(key, value) for key, value in parameters["sysctl"].items()}
        files += (_kernel_file(_path(parameters["sysctl_file"], "sysctl_file"), kernel),)
    hostname = parameters["hostname"]
    if hostname is not None and not HOSTNAME.fullmatch(hostname):
        raise InvalidInput(f"hostname {hostname!r} is no host name.", "Use letters, digits, hyphens and dots.")
    packages = tuple(_package(name, "packages") for name in parameters["packages"])
    absent = tuple(_package(name, "absent_packages") for name in parameters["absent_packages"])
    both = sorted(set(packages) & set(absent))
    if both:
        raise InvalidInput(f"Package {both[0]} is in packages and in absent_packages.", "Keep one of the two.")
    _unique("group", (group.name for group in groups))
    _unique("user", (user.name for user in users))
    _unique("unit", (unit.name for unit in units))
    _unique("path", [entry.path for entries in (directories, files, links) for entry in entries])
    return HostState(
        packages=tuple(dict.fromkeys(packages)),
        absent_packages=tuple(dict.fromkeys(absent)),
        groups=groups,
        users=users,
        hostname=hostname,
        directories=directories,
        files=files,
        links=links,
        kernel=kernel,
        units=units,
    )


def _unique(kind: str, names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise InvalidInput(f"{kind.capitalize()} {name} is declared twice.", "Keep one of the declarations.")
        seen.add(name)


def _package(name: str, option: str) -> str:
    if not PACKAGE.fullmatch(name):
        raise InvalidInput(
            f"{option}: {name!r} is no Debian package name.", "Name packages as `apt-cache search` does."
        )
    return name


def _account(name: str, option: str) -> str:
    if not ACCOUNT.fullmatch(name):
        raise InvalidInput(
            f"{option}: {name!r} is no account name.",
            "Use at most 32 lower-case letters, digits, hyphens and underscores, beginning with a letter.",
        )
    return name


def _path(path: str, option: str) -> str:
    if not path.startswith("/") or posixpath.normpath(path) != path or "\0" in path or "\n" in path:
        raise InvalidInput(
            f"{option}: {path!r} is not a plain absolute path.",
            "Write it from / on, without '..', '//' or a final '/'.",
        )
    return path


def _mode(mode: str, path: str) -> int:
    if not MODE.fullmatch(mode):
        raise InvalidInput(
            f"{path}: mode {mode} is not four octal digits; YAML reads an unquoted 0644 as a number.", 'Write "0644".'
        )
    return int(mode, 8)


def _group(entry: Mapping[str, Any]) -> Group:
    return Group(_account(entry["name"], "groups"), entry["state"] == "present", entry["gid"], entry["system"])


def _user(entry: Mapping[str, Any]) -> User:
    name = _account(entry["name"], "users")
    present = entry["state"] == "present"
    keys = entry["authorized_keys"]
    if not present and name == "root":
        raise InvalidInput("users: root cannot be absent.", "Remove the entry.")
    if keys is None and entry["exclusive_keys"]:
        raise InvalidInput(f"users: {name} has exclusive_keys and no authorized_keys.", "List the keys that stay.")
    for text, option in ((entry["shell"], "shell"), (entry["home"], "home")):
        if text is not None:
            _path(text, f"users: {option} of {name}")
    if entry["comment"] is not None and re.search(r"[:\n]", entry["comment"]):
        raise InvalidInput(f"users: the comment of {name} has a colon or a line break.", "Write it without.")
    return User(
        name=name,
        present=present,
        uid=entry["uid"],
        group=None if entry["group"] is None else _account(entry["group"], f"users: group of {name}"),
        groups=tuple(_account(group, f"users: groups of {name}") for group in entry["groups"]),
        exclusive_groups=entry["exclusive_groups"],
        shell=entry["shell"],
        home=entry["home"],
        comment=entry["comment"],
        system=entry["system"],
        authorized_keys=None if keys is None else _authorized_keys(name, keys),
        exclusive_keys=entry["exclusive_keys"],
    )


def _authorized_keys(user: str, entries: Iterable[str]) -> tuple[str, ...]:
    """Return one line per key; an entry may be a whole file of public keys."""
    lines = [line.strip() for entry in entries for line in entry.splitlines()]
    keys = [line for line in lines if line and not line.startswith("#")]
    for key in keys:
        if not SSH_KEY.search(key):
            raise InvalidInput(
                f"users: {user} has an authorized key that is no public key: {key[:30]}...",
                "Give whole lines as in a .pub file, for example 'ssh-ed25519 AAAA... name'.",
            )
    return tuple(dict.fromkeys(keys))


def _directory(entry: Mapping[str, Any]) -> Directory:
    path = _path(entry["path"], "directories")
    present = entry["state"] == "present"
    if not present and NEVER_REMOVED.fullmatch(path):
        raise InvalidInput(
            f"directories: {path} is part of the operating system and is never removed.", "Name what is in it."
        )
    return Directory(path, _mode(entry["mode"], path), entry["owner"], entry["group"], present)


def _file(entry: Mapping[str, Any]) -> File:
    path = _path(entry["path"], "files")
    present = entry["state"] == "present"
    if any(entry[option] is not None for option in ("template", "source", "tree")):
        raise InvalidInput(
            f"{path}: template, source and tree are read on the controller, and this task did not do that.",
            "Call the module by its full name, composeops.stack.host_state.",
        )
    given = [option for option in ("content", "content_base64") if entry[option] is not None]
    if present and len(given) != 1:
        raise InvalidInput(f"{path}: {len(given)} contents are given.", "Give one of template, source or content.")
    if not present and given:
        raise InvalidInput(f"{path}: a file that is to be absent has a {given[0]}.", "Remove one of the two.")
    validate = tuple(entry["validate"])
    if validate and not any("%s" in word for word in validate):
        raise InvalidInput(f"{path}: validate does not name the file to look at.", "Write %s where its name belongs.")
    return File(
        path=path,
        content=_content(entry),
        mode=_mode(entry["mode"], path),
        owner=entry["owner"],
        group=entry["group"],
        present=present,
        sensitive=entry["sensitive"],
        validate=validate,
    )


def _content(entry: Mapping[str, Any]) -> bytes:
    if entry["content_base64"] is None:
        return (entry["content"] or "").encode("utf-8", "surrogateescape")
    try:
        return base64.b64decode(entry["content_base64"], validate=True)
    except binascii.Error as error:
        raise InvalidInput(f"{entry['path']}: content_base64 is not base64.", "Use the b64encode filter.") from error


def _link(entry: Mapping[str, Any]) -> Link:
    path = _path(entry["path"], "links")
    present = entry["state"] == "present"
    if present and not entry["target"]:
        raise InvalidInput(f"links: {path} has no target.", "Say where it leads, or give state: absent.")
    return Link(path, entry["target"] or "", present)


def _unit(entry: Mapping[str, Any]) -> Unit:
    name = entry["name"]
    if not UNIT.fullmatch(name):
        raise InvalidInput(f"units: {name!r} is no unit name.", "Write it with its suffix, for example nginx.service.")
    followed = [
        tuple(_path(path, f"units: {name}") for path in entry[option]) for option in ("restart_on", "reload_on")
    ]
    return Unit(name, entry["enabled"], entry["state"], *followed)


def _kernel_parameter(key: str) -> str:
    if not KERNEL_PARAMETER.fullmatch(key) or ".." in key:
        raise InvalidInput(f"sysctl: {key!r} is no kernel parameter.", "Write it as `sysctl -a` does.")
    return key


def _kernel_value(key: str, value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, (str, int)) or not str(value).strip() or "\n" in str(value):
        raise InvalidInput(
            f"sysctl: {key} has the value {value!r}.", 'Give a number or a quoted text, for example "1".'
        )
    return " ".join(str(value).split())


def _kernel_file(path: str, kernel: Mapping[str, str]) -> File:
    if not kernel:
        return File(path, present=False)
    lines = ["# Managed by composeops.stack.host_state; changes here are overwritten."]
    lines += [f"{key} = {value}" for key, value in sorted(kernel.items())]
    return File(path, ("\n".join(lines) + "\n").encode())
