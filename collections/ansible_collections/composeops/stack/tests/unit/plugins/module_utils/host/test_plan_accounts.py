# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# ruff: noqa: S604 (the shell of an account, not one that runs a command)

from __future__ import annotations

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.errors import InvalidInput
from ansible_collections.composeops.stack.plugins.module_utils.host.model import (
    AccountCommand,
    Found,
    FoundGroup,
    FoundPath,
    FoundUser,
    Group,
    User,
)
from ansible_collections.composeops.stack.plugins.module_utils.host.plan_accounts import merge_keys, plan_accounts

ANA = FoundUser(1001, "ana", frozenset({"crew", "sudo"}), "/bin/bash", "/home/ana", "Ana")
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOne ana@laptop"
SAME_KEY = 'no-pty,command="/bin/true now" ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOne renamed'
OTHER = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAITwo bo@desk"
KEYS = "/home/ana/.ssh/authorized_keys"


def found(user: FoundUser | None = ANA, keys: str | None = None, connected: str = "ops") -> Found:
    paths = {} if keys is None else {KEYS: FoundPath("file", 0o600, "ana", "ana", keys.encode())}
    return Found(
        groups={"crew": FoundGroup(990)},
        users={} if user is None else {"ana": user},
        connected_user=connected,
        paths=paths,
    )


def argvs(user: User, state: Found) -> list[tuple[str, ...]]:
    changes, _, _ = plan_accounts([user], [], state)
    return [change.step.argv for change in changes if isinstance(change.step, AccountCommand)]


USERS = [
    pytest.param(User("ana"), ANA, [], id="nothing asked"),
    pytest.param(User("ana", groups=("crew",)), ANA, [], id="other groups stay"),
    pytest.param(User("ana", present=False), None, [], id="already absent"),
    pytest.param(User("ana", present=False), ANA, [("userdel", "ana")], id="remove"),
    pytest.param(User("ana"), None, [("useradd", "--create-home", "ana")], id="create"),
    pytest.param(
        User("ana", system=True, home="/var/lib/ana", shell="/usr/sbin/nologin", groups=("a", "b"), group="g", uid=7),
        None,
        [
            (
                *("useradd", "--no-create-home", "--system", "--uid", "7", "--gid", "g", "--home-dir", "/var/lib/ana"),
                *("--shell", "/usr/sbin/nologin", "--groups", "a,b", "ana"),
            )
        ],
        id="create a system account",
    ),
    pytest.param(
        User("ana", groups=("wheel",)), ANA, [("usermod", "--groups", "crew,sudo,wheel", "ana")], id="join a group"
    ),
    pytest.param(
        User("ana", groups=("crew",), exclusive_groups=True),
        ANA,
        [("usermod", "--groups", "crew", "ana")],
        id="leave what is not listed",
    ),
    pytest.param(
        User("ana", shell="/bin/sh", comment=""),
        ANA,
        [("usermod", "--shell", "/bin/sh", "--comment", "", "ana")],
        id="change two properties in one command",
    ),
]


@pytest.mark.parametrize(("user", "current", "commands"), USERS)
def test_users(user: User, current: FoundUser | None, commands: list[tuple[str, ...]]) -> None:
    assert argvs(user, found(current)) == commands


GROUPS = [
    pytest.param(Group("crew"), [], id="there already"),
    pytest.param(Group("crew", gid=990), [], id="with the wanted number"),
    pytest.param(Group("crew", gid=991), [("groupmod", "--gid", "991", "crew")], id="with another number"),
    pytest.param(Group("crew", present=False), [("groupdel", "crew")], id="remove"),
    pytest.param(Group("new"), [("groupadd", "new")], id="create"),
    pytest.param(Group("new", gid=5, system=True), [("groupadd", "--system", "--gid", "5", "new")], id="create system"),
    pytest.param(Group("new", present=False), [], id="absent already"),
]


@pytest.mark.parametrize(("group", "commands"), GROUPS)
def test_groups(group: Group, commands: list[tuple[str, ...]]) -> None:
    changes, _, _ = plan_accounts([], [group], found())
    assert [change.step for change in changes] == [AccountCommand(command) for command in commands]


def test_groups_come_before_the_users_in_them_and_leave_after_them() -> None:
    users = [User("ana", groups=("new",))]
    changes, _, _ = plan_accounts(users, [Group("crew", present=False), Group("new")], found())
    assert [change.resource for change in changes] == ["group new", "user ana", "group crew"]


MERGES = [
    pytest.param([], [KEY], False, [KEY], id="first key"),
    pytest.param([OTHER], [KEY], False, [OTHER, KEY], id="added behind the others"),
    pytest.param(["# laptop", KEY], [KEY], False, ["# laptop", KEY], id="comments stay"),
    pytest.param([SAME_KEY, OTHER], [KEY], False, [KEY, OTHER], id="the same key takes the wanted options"),
    pytest.param([OTHER, "# x", KEY], [KEY], True, [KEY], id="exclusive"),
    pytest.param([KEY], [], True, [], id="exclusive and empty"),
]


@pytest.mark.parametrize(("current", "wanted", "exclusive", "expected"), MERGES)
def test_authorized_keys_are_merged(
    current: list[str], wanted: list[str], exclusive: bool, expected: list[str]
) -> None:
    assert merge_keys(current, wanted, exclusive=exclusive) == expected


def test_keys_are_files_of_the_account_that_links_cannot_lead_astray() -> None:
    _, (directory,), (file,) = plan_accounts([User("ana", authorized_keys=(KEY,))], [], found(keys=f"{OTHER}\n"))
    assert (directory.path, directory.mode, directory.owner, directory.follow) == (
        "/home/ana/.ssh",
        0o700,
        "ana",
        False,
    )
    assert (file.path, file.mode, file.owner, file.group, file.follow) == (KEYS, 0o600, "ana", "ana", False)
    assert file.content.decode() == f"{OTHER}\n{KEY}\n"


def test_keys_of_a_new_account_go_to_its_future_home() -> None:
    user = User("ana", home="/srv/ana", group="crew", authorized_keys=(KEY,))
    _, _, (file,) = plan_accounts([user], [], found(None))
    assert (file.path, file.group) == ("/srv/ana/.ssh/authorized_keys", "crew")


LOCKOUTS = [
    pytest.param(User("ana", present=False), "cannot be removed", id="removing it"),
    pytest.param(User("ana", shell="/usr/sbin/nologin"), "needs a login shell", id="taking its shell"),
    pytest.param(User("ana", groups=("crew",), exclusive_groups=True), "leave the group sudo", id="taking its rights"),
    pytest.param(User("ana", authorized_keys=(OTHER,), exclusive_keys=True), "none of its present keys", id="its keys"),
]


@pytest.mark.parametrize(("user", "message"), LOCKOUTS)
def test_the_connected_account_is_not_locked_out(user: User, message: str) -> None:
    plan_accounts([user], [], found(keys=f"{KEY}\n"))
    with pytest.raises(InvalidInput, match=message):
        plan_accounts([user], [], found(keys=f"{KEY}\n", connected="ana"))


def test_the_connected_account_may_exchange_keys_while_one_stays() -> None:
    user = User("ana", authorized_keys=(SAME_KEY, OTHER), exclusive_keys=True)
    _, _, (file,) = plan_accounts([user], [], found(keys=f"{KEY}\n", connected="ana"))
    assert file.content.decode() == f"{SAME_KEY}\n{OTHER}\n"
