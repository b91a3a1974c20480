# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Groups, users and their authorized keys, without ever locking out the account this run came through."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from ansible_collections.composeops.stack.plugins.module_utils.errors import InvalidInput
from ansible_collections.composeops.stack.plugins.module_utils.host.model import (
    AccountCommand,
    Change,
    Directory,
    File,
    Found,
    FoundUser,
    Group,
    User,
)

NO_LOGIN = ("nologin", "false")
ADMINISTRATORS = frozenset({"sudo", "wheel", "admin"})


@dataclass(frozen=True)
class Property:
    """One property of an account: its name, the value found and wanted, and the option that sets it."""

    name: str
    found: str
    wanted: str
    option: str


def plan_accounts(
    users: Sequence[User], groups: Sequence[Group], found: Found
) -> tuple[list[Change], tuple[Directory, ...], tuple[File, ...]]:
    """Return the account changes, and the directories and files that hold authorized keys."""
    changes = [change for group in groups if group.present for change in _group(group, found)]
    directories: list[Directory] = []
    files: list[File] = []
    for user in users:
        current = found.users.get(user.name)
        if user.name == found.connected_user:
            _refuse_lockout(user, current)
        changes += _user(user, current)
        if user.present and user.authorized_keys is not None:
            directory, file = _authorized_keys(user, current, found)
            directories.append(directory)
            files.append(file)
    changes += [change for group in groups if not group.present for change in _group(group, found)]
    return changes, tuple(directories), tuple(files)


def keys_path(user: User, current: FoundUser | None) -> str:
    return posixpath.join(_home(user, current), ".ssh", "authorized_keys")


def _home(user: User, current: FoundUser | None) -> str:
    if user.home is not None:
        return user.home
    return current.home if current is not None else f"/home/{user.name}"


def _group(group: Group, found: Found) -> list[Change]:
    current = found.groups.get(group.name)
    resource = f"group {group.name}"
    if not group.present:
        if current is None:
            return []
        step = AccountCommand(("groupdel", group.name))
        return [Change(resource, f"remove group {group.name}", f"gid {current.gid}\n", "", step)]
    if current is None:
        argv = ("groupadd", *(["--system"] if group.system else []), *_option("--gid", group.gid), group.name)
        after = "present\n" if group.gid is None else f"gid {group.gid}\n"
        return [Change(resource, f"create group {group.name}", "", after, AccountCommand(argv))]
    if group.gid is not None and group.gid != current.gid:
        step = AccountCommand(("groupmod", "--gid", str(group.gid), group.name))
        sentence = f"change the gid of group {group.name} from {current.gid} to {group.gid}"
        return [Change(resource, sentence, f"gid {current.gid}\n", f"gid {group.gid}\n", step)]
    return []


def _user(user: User, current: FoundUser | None) -> list[Change]:
    resource = f"user {user.name}"
    if not user.present:
        if current is None:
            return []
        sentence = f"remove user {user.name}, keeping {current.home}"
        return [Change(resource, sentence, f"uid {current.uid}\n", "", AccountCommand(("userdel", user.name)))]
    if current is None:
        return [_create(user, resource)]
    differing = [one for one in _properties(user, current) if one.found != one.wanted]
    if not differing:
        return []
    argv = ["usermod"]
    for one in differing:
        argv += [one.option, one.wanted]
    return [
        Change(
            resource,
            f"change user {user.name}: " + ", ".join(f"{one.name} {one.wanted or 'none'}" for one in differing),
            "".join(f"{one.name} {one.found}\n" for one in differing),
            "".join(f"{one.name} {one.wanted}\n" for one in differing),
            AccountCommand((*argv, user.name)),
        )
    ]


def _create(user: User, resource: str) -> Change:
    argv = ["useradd", "--no-create-home" if user.system else "--create-home"]
    argv += ["--system"] if user.system else []
    argv += _option("--uid", user.uid) + _option("--gid", user.group) + _option("--home-dir", user.home)
    argv += _option("--shell", user.shell) + _option("--comment", user.comment)
    argv += _option("--groups", ",".join(user.groups) or None)
    after = "present\n" + "".join(f"group {group}\n" for group in user.groups)
    return Change(resource, f"create user {user.name}", "", after, AccountCommand((*argv, user.name)))


def _properties(user: User, current: FoundUser) -> list[Property]:
    wanted_groups = set(user.groups) if user.exclusive_groups else current.groups | set(user.groups)
    candidates = [
        Property("uid", str(current.uid), "" if user.uid is None else str(user.uid), "--uid"),
        Property("group", current.group, user.group or "", "--gid"),
        Property("home", current.home, user.home or "", "--home"),
        Property("shell", current.shell, user.shell or "", "--shell"),
    ]
    properties = [one for one in candidates if one.wanted]
    if user.comment is not None:
        properties.append(Property("comment", current.comment, user.comment, "--comment"))
    properties.append(Property("groups", ",".join(sorted(current.groups)), ",".join(sorted(wanted_groups)), "--groups"))
    return properties


def _option(option: str, value: str | int | None) -> list[str]:
    return [] if value is None else [option, str(value)]


def _refuse_lockout(user: User, current: FoundUser | None) -> None:
    remedy = "Connect as another account for that."
    if not user.present:
        raise InvalidInput(f"User {user.name} is the one this run is connected as and cannot be removed by it.", remedy)
    if user.shell is not None and posixpath.basename(user.shell) in NO_LOGIN:
        raise InvalidInput(f"User {user.name} is the one this run is connected as and needs a login shell.", remedy)
    lost = ADMINISTRATORS & (current.groups if current else frozenset()) - set(user.groups)
    if user.exclusive_groups and lost:
        raise InvalidInput(
            f"User {user.name} is the one this run is connected as and would leave the group {min(lost)}.", remedy
        )


def _authorized_keys(user: User, current: FoundUser | None, found: Found) -> tuple[Directory, File]:
    path = keys_path(user, current)
    on_disk = found.paths.get(path)
    content = (on_disk.content or b"") if on_disk is not None else b""
    lines = content.decode("utf-8", "surrogateescape").splitlines()
    wanted = merge_keys(lines, user.authorized_keys or (), exclusive=user.exclusive_keys)
    if user.name == found.connected_user and user.exclusive_keys:
        kept = {_identity(line) for line in wanted} & {_identity(line) for line in lines if _identity(line)}
        if any(_identity(line) for line in lines) and not kept:
            raise InvalidInput(
                f"User {user.name} is the one this run is connected as, and none of its present keys would stay.",
                "List the key in use as well; remove it in a later run that uses another.",
            )
    group = user.group or (current.group if current is not None else user.name)
    text = "".join(f"{line}\n" for line in wanted)
    # Never through a link: the account owns these directories and could have pointed them anywhere.
    return (
        Directory(posixpath.dirname(path), 0o700, user.name, group, follow=False),
        File(path, text.encode("utf-8", "surrogateescape"), 0o600, user.name, group, follow=False),
    )


def merge_keys(current: Iterable[str], wanted: Sequence[str], *, exclusive: bool) -> list[str]:
    """Return the lines of authorized_keys: the wanted ones, and unless ``exclusive`` whatever else was there."""
    if exclusive:
        return list(wanted)
    remaining = {_identity(line): line for line in wanted}
    # A wanted key keeps its place and takes the wanted options and comment.
    lines = [remaining.pop(_identity(line), line) for line in current]
    return lines + list(remaining.values())


def _identity(line: str) -> str:
    """Return the key itself, without options and comment; empty for comments and blank lines."""
    if line.lstrip().startswith("#"):
        return ""
    words = line.split()
    for kind, key in pairwise(words):
        if kind.startswith(("ssh-", "sk-ssh-", "ecdsa-", "sk-ecdsa-")):
            return f"{kind} {key}"
    return ""
