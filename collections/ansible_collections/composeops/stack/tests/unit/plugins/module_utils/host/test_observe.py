# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.host import observe
from ansible_collections.composeops.stack.plugins.module_utils.host.model import FoundPath


def kind_and_target(found: FoundPath | None) -> tuple[str, str | None]:
    assert found is not None
    return found.kind, found.target


def test_a_file_is_found_with_content_and_mode(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"\xff")
    path.chmod(0o4750)
    found = observe.find_path(str(path))
    assert found is not None
    assert (found.kind, found.content, found.mode, found.target) == ("file", b"\xff", 0o4750, None)


def test_what_is_not_there_is_not_found(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert observe.find_path(str(tmp_path / "none")) is None
    assert observe.find_path(str(tmp_path / "file/below")) is None


def test_links_are_followed_and_told(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("x")
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "dangling").symlink_to("gone")
    (tmp_path / "directory").symlink_to(tmp_path)
    assert kind_and_target(observe.find_path(str(tmp_path / "link"))) == ("file", "real")
    assert kind_and_target(observe.find_path(str(tmp_path / "dangling"))) == ("dangling", "gone")
    assert kind_and_target(observe.find_path(str(tmp_path / "directory"))) == ("directory", str(tmp_path))


def test_a_pipe_is_told_and_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert kind_and_target(observe.find_path(str(tmp_path / "pipe"))) == ("other", None)


@pytest.mark.parametrize(
    ("key", "path"),
    [
        ("net.core.somaxconn", "/proc/sys/net/core/somaxconn"),
        ("net/core/somaxconn", "/proc/sys/net/core/somaxconn"),
        ("net.ipv4.conf.eth0/1.rp_filter", "/proc/sys/net/ipv4/conf/eth0.1/rp_filter"),
        ("net/ipv4/conf/eth0.1/rp_filter", "/proc/sys/net/ipv4/conf/eth0.1/rp_filter"),
    ],
)
def test_where_kernel_parameters_live(key: str, path: str) -> None:
    assert observe.kernel_parameter_path(key) == path


def test_kernel_parameters_are_read_as_they_are_compared() -> None:
    value = observe.read_kernel_parameter("net.ipv4.ip_local_port_range")
    assert value is not None
    assert len(value.split(" ")) == 2
    assert observe.read_kernel_parameter("net.ipv4.no_such_parameter") is None


@pytest.mark.parametrize(
    ("environment", "expected"),
    [({"SUDO_USER": "ops"}, "ops"), ({"DOAS_USER": "ops"}, "ops")],
    ids=["sudo", "doas"],
)
def test_who_is_behind_root(environment: dict[str, str], expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SUDO_USER", "DOAS_USER"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert observe.connected_user() == expected
