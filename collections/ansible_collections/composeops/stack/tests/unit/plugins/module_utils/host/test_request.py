# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import copy
from typing import Any

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.composeops.stack.plugins.module_utils.errors import InvalidInput
from ansible_collections.composeops.stack.plugins.module_utils.host.model import File, HostState, User
from ansible_collections.composeops.stack.plugins.module_utils.host.request import parse
from ansible_collections.composeops.stack.plugins.modules.host_state import ARGUMENT_SPEC

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOne ana@laptop"


def parsed(**parameters: Any) -> HostState:
    """Parse parameters as they come out of the module's argument spec, defaults filled in."""
    result = ArgumentSpecValidator(copy.deepcopy(ARGUMENT_SPEC)).validate(parameters)
    assert result.error_messages == []
    return parse(result.validated_parameters)


def test_nothing_asked_is_nothing_wanted() -> None:
    assert parsed() == HostState()


def test_a_file_has_safe_defaults() -> None:
    (file,) = parsed(files=[{"path": "/etc/a", "content": "grüße\n"}]).files
    assert file == File("/etc/a", "grüße\n".encode(), 0o644, "root", "root")


def test_binary_content_arrives_whole() -> None:
    (file,) = parsed(files=[{"path": "/etc/a", "content_base64": "/wBoaQ=="}]).files
    assert file.content == b"\xff\x00hi"


def test_kernel_parameters_become_a_file_and_live_values() -> None:
    state = parsed(sysctl={"net.core.somaxconn": 4096, "net.ipv4.tcp_rmem": "4096  87380\t6291456"})
    assert state.kernel == {"net.core.somaxconn": "4096", "net.ipv4.tcp_rmem": "4096 87380 6291456"}
    (file,) = state.files
    assert file.path == "/etc/sysctl.d/90-composeops.conf"
    assert file.content.decode().splitlines()[1:] == [
        "net.core.somaxconn = 4096",
        "net.ipv4.tcp_rmem = 4096 87380 6291456",
    ]


def test_no_kernel_parameters_any_more_remove_the_file() -> None:
    (file,) = parsed(sysctl={}, sysctl_file="/etc/sysctl.d/x.conf").files
    assert file == File("/etc/sysctl.d/x.conf", present=False)


def test_keys_may_come_as_a_whole_file() -> None:
    (user,) = parsed(users=[{"name": "ana", "authorized_keys": [f"# laptop\n{KEY}\n\n{KEY}\n"]}]).users
    assert user == User("ana", authorized_keys=(KEY,))


REFUSED = [
    pytest.param({"packages": ["nginx=1.2"]}, "no Debian package name", id="package with a version"),
    pytest.param({"packages": ["-y"]}, "no Debian package name", id="package that is an option"),
    pytest.param({"packages": ["a1"], "absent_packages": ["a1"]}, "in packages and in absent", id="both ways"),
    pytest.param({"groups": [{"name": "Bad Name"}]}, "no account name", id="group name"),
    pytest.param({"users": [{"name": "--root"}]}, "no account name", id="user that is an option"),
    pytest.param({"users": [{"name": "a"}, {"name": "a"}]}, "User a is declared twice", id="user twice"),
    pytest.param({"users": [{"name": "root", "state": "absent"}]}, "root cannot be absent", id="root"),
    pytest.param({"users": [{"name": "a", "exclusive_keys": True}]}, "no authorized_keys", id="exclusively no keys"),
    pytest.param({"users": [{"name": "a", "authorized_keys": ["hello"]}]}, "no public key", id="no key"),
    pytest.param({"users": [{"name": "a", "comment": "x:y"}]}, "colon", id="comment that breaks passwd"),
    pytest.param({"users": [{"name": "a", "shell": "bash"}]}, "not a plain absolute path", id="relative shell"),
    pytest.param({"hostname": "a b"}, "no host name", id="host name"),
    pytest.param({"directories": [{"path": "srv"}]}, "not a plain absolute path", id="relative path"),
    pytest.param({"directories": [{"path": "/srv/../etc"}]}, "not a plain absolute path", id="path with dots"),
    pytest.param({"directories": [{"path": "/srv/"}]}, "not a plain absolute path", id="path with a final slash"),
    pytest.param({"directories": [{"path": "/srv/a", "mode": 420}]}, "four octal digits", id="unquoted mode"),
    pytest.param({"directories": [{"path": "/srv/a", "mode": "u=rw"}]}, "four octal digits", id="symbolic mode"),
    pytest.param({"directories": [{"path": "/", "state": "absent"}]}, "never removed", id="remove the root"),
    pytest.param({"directories": [{"path": "/etc", "state": "absent"}]}, "never removed", id="remove /etc"),
    pytest.param({"directories": [{"path": "/var/lib", "state": "absent"}]}, "never removed", id="remove /var/lib"),
    pytest.param({"files": [{"path": "/etc/a"}]}, "0 contents are given", id="file without content"),
    pytest.param(
        {"files": [{"path": "/etc/a", "content": "", "content_base64": ""}]}, "2 contents are given", id="two contents"
    ),
    pytest.param(
        {"files": [{"path": "/etc/a", "content": "", "state": "absent"}]}, "has a content", id="absent with content"
    ),
    pytest.param({"files": [{"path": "/etc/a", "content_base64": "%"}]}, "not base64", id="bad base64"),
    pytest.param({"files": [{"path": "/etc/a", "template": "a"}]}, "read on the controller", id="unread template"),
    pytest.param(
        {"files": [{"path": "/etc/a", "content": "", "validate": ["true"]}]}, "does not name the file", id="validate"
    ),
    pytest.param(
        {"files": [{"path": "/etc/a", "content": ""}], "links": [{"path": "/etc/a", "target": "b"}]},
        "Path /etc/a is declared twice",
        id="file and link at one path",
    ),
    pytest.param(
        {"files": [{"path": "/etc/sysctl.d/90-composeops.conf", "content": ""}], "sysctl": {"a.b": 1}},
        "declared twice",
        id="file in the place of the kernel parameters",
    ),
    pytest.param({"links": [{"path": "/etc/a"}]}, "has no target", id="link without target"),
    pytest.param({"units": [{"name": "nginx"}]}, "no unit name", id="unit without suffix"),
    pytest.param({"units": [{"name": "--now.service"}]}, "no unit name", id="unit that is an option"),
    pytest.param({"units": [{"name": "a.service", "reload_on": ["x"]}]}, "plain absolute path", id="relative path"),
    pytest.param({"sysctl": {"../etc/passwd": 1}}, "no kernel parameter", id="parameter that leaves its place"),
    pytest.param({"sysctl": {"a.b": True}}, "has the value True", id="boolean for a parameter"),
    pytest.param({"sysctl": {"a.b": "1\nc.d=2"}}, "has the value", id="two lines for a parameter"),
]


@pytest.mark.parametrize(("parameters", "message"), REFUSED)
def test_what_cannot_be_right_is_refused(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        parsed(**parameters)


@pytest.mark.parametrize("option", ["files", "directories", "links", "units", "users", "groups"])
def test_unknown_keys_are_refused(option: str) -> None:
    name = {"units": {"name": "a.service"}, "users": {"name": "a"}, "groups": {"name": "a"}}.get(option, {"path": "/a"})
    result = ArgumentSpecValidator(copy.deepcopy(ARGUMENT_SPEC)).validate({option: [{**name, "bogus": 1}]})
    assert "bogus" in result.error_messages[0]
