"""What is read of a host."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.io.runner import Completed
from ansible_collections.composeops.stack.plugins.module_utils.preflight import observe


class Recorded:
    """A runner with one recorded answer."""

    def __init__(self, stdout: str, returncode: int = 0) -> None:
        self._completed = Completed((), returncode, stdout, "")

    def run(self, argv: object, **_options: object) -> Completed:
        return self._completed


def test_os_release_is_read_with_and_without_quotes() -> None:
    text = "# comment\nID=debian\nVERSION_ID=\"13\"\nPRETTY_NAME='Debian 13'\n\nBROKEN\n"
    assert observe.os_release(text) == {"ID": "debian", "VERSION_ID": "13", "PRETTY_NAME": "Debian 13"}


def test_memory_is_read_in_mib() -> None:
    assert observe.total_memory("MemTotal:       2048000 kB\nMemFree: 1 kB\n") == 2000
    assert observe.total_memory("") == 0


def test_space_of_a_directory_that_is_not_there_is_that_of_its_parent(tmp_path: Path) -> None:
    assert observe.free_space(str(tmp_path / "a/b")) == observe.free_space(str(tmp_path))
    assert observe.free_space(str(tmp_path)) > 0


def test_this_machine_is_described() -> None:
    machine = observe.machine(["/"])
    assert machine.memory_mib > 100
    assert machine.free_mib["/"] >= 0
    assert "-" in machine.system


@pytest.mark.parametrize(
    ("stdout", "expected"),
    [
        ('"0.0.0.0:5432-\\u003e5432/tcp, [::]:5432-\\u003e5432/tcp"\tshop\n', {5432: "shop"}),
        ('"127.0.0.1:21000-21001-\\u003e80-81/tcp"\tshop\n', {21000: "shop", 21001: "shop"}),
        ('"5432/tcp"\tshop\n""\t\n', {}),
        ('"0.0.0.0:80-\\u003e80/tcp"\t\n', {80: ""}),
    ],
    ids=["both-families", "range", "not-published", "no-project"],
)
def test_published_ports_have_their_project(stdout: str, expected: dict[int, str]) -> None:
    assert observe.published(Recorded(stdout)) == expected  # type: ignore[arg-type]


def test_host_without_an_engine_publishes_nothing() -> None:
    assert observe.published(Recorded("", returncode=127)) == {}  # type: ignore[arg-type]


def test_sites_of_an_nginx_that_is_not_ours_are_found(tmp_path: Path) -> None:
    sites = tmp_path / "sites-enabled"
    sites.mkdir()
    (sites / "default").touch()
    directories = [str(sites), str(tmp_path / "conf.d")]
    assert observe.foreign_sites(str(tmp_path / "own"), directories) == []
    (sites / "blog").touch()
    assert observe.foreign_sites(str(tmp_path / "own"), directories) == [str(sites / "blog")]
    (tmp_path / "own").mkdir()
    assert observe.foreign_sites(str(tmp_path / "own"), directories) == []


def test_names_are_resolved_or_said_not_to() -> None:
    local, nowhere = observe.resolve(["localhost", "nowhere.invalid"])
    assert "127.0.0.1" in local.addresses
    assert nowhere.addresses == ()
    assert nowhere.error


def test_own_addresses_are_those_that_others_see() -> None:
    stdout = (
        '[{"ifname":"lo","addr_info":[{"local":"127.0.0.1","scope":"host"}]},'
        '{"ifname":"eth0","addr_info":[{"local":"10.0.0.5","scope":"global"},{"local":"fe80::1","scope":"link"}]}]'
    )
    assert observe.own_addresses(Recorded(stdout)) == {"10.0.0.5", "fe80::1"}  # type: ignore[arg-type]


def test_an_engine_of_the_host_that_takes_commands_by_tcp_is_found(tmp_path: Path) -> None:
    for process, command, network in (("self", "python3", "host"), ("7", "dockerd", "host"), ("8", "dockerd", "own")):
        directory = tmp_path / "proc" / process
        (directory / "ns").mkdir(parents=True)
        (directory / "ns/net").symlink_to(f"net:[{network}]")
        (directory / "comm").write_text(f"{command}\n")
        (directory / "cmdline").write_text(f"/usr/sbin/{command}\0-H\0fd://\0-H\0tcp://{network}:2375\0")
    (tmp_path / "proc/9").mkdir()
    settings = tmp_path / "daemon.json"
    found = observe.engine_sockets(str(tmp_path / "proc"), str(settings))
    assert found == ["tcp://host:2375"]
    settings.write_text('{"tlsverify": true}')
    assert observe.engine_sockets(str(tmp_path / "proc"), str(settings)) == []


def test_users_of_images_are_known_by_every_name_of_theirs() -> None:
    told = '["web:1","web:stable"]\t["web@sha256:ab"]\tnginx\n["db:1"]\t[]\t\nError: No such image: x\n'
    assert observe.image_users(Recorded(told, 1), []) == {
        "web:1": "nginx",
        "web:stable": "nginx",
        "web@sha256:ab": "nginx",
        "db:1": "",
    }


@pytest.mark.parametrize(
    ("told", "confines"),
    [('["name=seccomp,profile=builtin","name=no-new-privileges"]', True), ('["name=seccomp"]', False)],
)
def test_the_engine_tells_whether_it_confines(told: str, confines: bool) -> None:
    assert observe.engine_confines(Recorded(told)) is confines
    assert observe.engine_confines(Recorded(told, 1)) is False
