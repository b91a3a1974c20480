"""host_state on a real host: a daemon with its configuration, accounts and links, and a run that is killed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.bed_host import BedHost

pytestmark = pytest.mark.bed

MODULE = "composeops.stack.host_state"
ROOT = "/srv/composeops-test"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl test@composeops"
CONFIGURATION = "/etc/memcached.conf"
SECRET = "hunter2-of-the-host-state-test"

# A small daemon that no role installs, and that Debian starts on another port when its package is installed.
DAEMON: dict[str, Any] = {
    "packages": ["memcached"],
    "files": [{"path": CONFIGURATION, "template": "memcached.conf.j2"}],
    "units": [{"name": "memcached.service", "enabled": True, "state": "started", "restart_on": [CONFIGURATION]}],
}
TEMPLATE = "-u memcache\n-l 127.0.0.1\n-p {{ port }}\n"


@pytest.fixture(scope="module")
def clean(host: BedHost) -> Iterator[BedHost]:
    """The host without anything of this test, before and after."""
    templates = host.directory / "templates"
    templates.mkdir(exist_ok=True)
    (templates / "memcached.conf.j2").write_text(TEMPLATE)
    remove(host)
    yield host
    remove(host)


def remove(host: BedHost) -> None:
    host.module(
        MODULE,
        {
            "absent_packages": ["memcached"],
            "users": [{"name": "composeops-test", "state": "absent"}],
            "groups": [{"name": "composeops-crew", "state": "absent"}],
            "directories": [{"path": ROOT, "state": "absent"}],
            "files": [{"path": CONFIGURATION, "state": "absent"}],
            "sysctl": {},
            "sysctl_file": "/etc/sysctl.d/99-composeops-test.conf",
        },
    )
    host.run("rm -rf /home/composeops-test; dpkg --purge memcached", check=True)


def starts(host: BedHost) -> int:
    """How often the daemon was started since the host booted."""
    return len(
        host.run("journalctl --boot --unit memcached.service --output cat | grep '^Started'").stdout.splitlines()
    )


def listens(host: BedHost, port: int) -> bool:
    return host.run(f"ss -Hltn 'sport = :{port}' | grep -q LISTEN").ok


def daemon(host: BedHost, port: int, **options: Any) -> dict[str, Any]:
    return host.module(MODULE, {**DAEMON, **options.pop("more", {})}, variables={"port": port}, **options)


def test_a_daemon_is_installed_configured_and_then_left_alone(clean: BedHost) -> None:
    before = starts(clean)
    predicted = daemon(clean, 11311, check=True)
    assert not clean.exists("/usr/bin/memcached")
    done = daemon(clean, 11311)
    assert done["plan"] == predicted["plan"]
    assert done["plan"] == [
        "install memcached",
        f"create {CONFIGURATION}",
        "enable memcached.service",
        "start memcached.service",
    ]
    assert clean.read(CONFIGURATION) == "-u memcache\n-l 127.0.0.1\n-p 11311\n"
    # It never ran with the configuration that its package brought.
    assert starts(clean) == before + 1
    assert listens(clean, 11311)
    assert not listens(clean, 11211)
    assert not daemon(clean, 11311, check=True)["changed"]
    assert not daemon(clean, 11311)["changed"]


def test_a_changed_template_restarts_the_daemon(clean: BedHost) -> None:
    daemon(clean, 11311)
    predicted = daemon(clean, 11312, check=True, diff=True)
    assert listens(clean, 11311)
    done = daemon(clean, 11312, diff=True)
    assert predicted["diff"] == done["diff"]
    assert "-p 11311" in done["diff"][0]["before"]
    assert "-p 11312" in done["diff"][0]["after"]
    assert done["plan"] == [f"change {CONFIGURATION}", "restart memcached.service"]
    assert listens(clean, 11312)
    assert not daemon(clean, 11312)["changed"]


def test_a_run_killed_before_the_restart_is_made_good_by_the_next(clean: BedHost) -> None:
    daemon(clean, 11311)
    assassin = {"path": f"{ROOT}-never", "content": "x", "validate": ["sh", "-c", "kill -9 $PPID # %s"]}
    killed = daemon(clean, 11313, more={"files": [*DAEMON["files"], assassin]})
    assert killed["failed"]
    assert "-p 11313" in clean.read(CONFIGURATION)
    assert listens(clean, 11311)
    assert json.loads(clean.read("/var/lib/composeops/pending-units.json")) == {
        "units": {"memcached.service": "restart"}
    }
    clean.run("rm -f /srv/.composeops-test-never.*", check=True)
    assert daemon(clean, 11313, check=True)["plan"] == ["restart memcached.service"]
    assert daemon(clean, 11313)["plan"] == ["restart memcached.service"]
    assert listens(clean, 11313)
    assert not daemon(clean, 11313)["changed"]
    assert not clean.exists("/var/lib/composeops/pending-units.json")


def test_a_daemon_that_does_not_come_up_fails_with_its_log(clean: BedHost) -> None:
    daemon(clean, 11311)
    failed = daemon(clean, 99999)
    assert failed["failed"]
    assert "memcached.service did not stay up" in failed["msg"]
    assert "Its journal ends with" in failed["msg"]
    # Debian's unit has systemd try again and again, and the daemon looks fine for a moment each time.
    assert daemon(clean, 99999)["failed"]
    assert daemon(clean, 11311)["changed"]
    assert listens(clean, 11311)


def test_an_interrupted_installation_is_finished(clean: BedHost) -> None:
    daemon(clean, 11311)
    clean.run(
        "sed -i '/^Package: memcached$/,/^Status:/s/^Status: .*/Status: install ok half-configured/' "
        "/var/lib/dpkg/status",
        check=True,
    )
    assert daemon(clean, 11311, check=True)["plan"][0] == "finish the package installation that was interrupted"
    assert daemon(clean, 11311)["changed"]
    assert "install ok installed" in clean.run("dpkg --status memcached", check=True).stdout
    assert not daemon(clean, 11311)["changed"]


WANTED: dict[str, Any] = {
    "groups": [{"name": "composeops-crew"}],
    "users": [
        {
            "name": "composeops-test",
            "groups": ["composeops-crew"],
            "shell": "/bin/bash",
            "authorized_keys": [KEY],
            "exclusive_keys": True,
        }
    ],
    "directories": [{"path": f"{ROOT}/inner", "mode": "0750", "group": "composeops-crew"}],
    "files": [{"path": f"{ROOT}/inner/secret", "content": SECRET, "mode": "0600", "sensitive": True}],
    "links": [{"path": f"{ROOT}/link", "target": "inner"}],
    "sysctl": {"net.ipv4.tcp_fin_timeout": 59},
    "sysctl_file": "/etc/sysctl.d/99-composeops-test.conf",
}


def test_accounts_paths_and_kernel_parameters(clean: BedHost) -> None:
    predicted = clean.module(MODULE, WANTED, check=True, diff=True)
    assert not clean.exists(ROOT)
    done = clean.module(MODULE, WANTED, diff=True)
    assert (predicted["plan"], predicted["diff"]) == (done["plan"], done["diff"])
    assert clean.run(f"stat -c '%a %U %G' {ROOT}/inner", check=True).stdout == "750 root composeops-crew\n"
    assert clean.run("id -nG composeops-test", check=True).stdout.split() == ["composeops-test", "composeops-crew"]
    keys = "/home/composeops-test/.ssh/authorized_keys"
    assert clean.read(keys) == f"{KEY}\n"
    assert clean.run(f"stat -c '%a %U' {keys}", check=True).stdout == "600 composeops-test\n"
    assert clean.read(f"{ROOT}/link/secret") == SECRET
    assert clean.read("/proc/sys/net/ipv4/tcp_fin_timeout") == "59\n"
    assert not clean.module(MODULE, WANTED, check=True)["changed"]
    assert not clean.module(MODULE, WANTED)["changed"]


def test_secrets_are_in_no_result_and_no_log(clean: BedHost) -> None:
    clean.module(MODULE, {**WANTED, "files": []})
    for files in (WANTED["files"], [{**WANTED["files"][0], "bogus": True}], [{**WANTED["files"][0], "path": "x"}]):
        result = clean.module(MODULE, {**WANTED, "files": files}, diff=True)
        assert SECRET not in json.dumps(result)
    assert "Invoked with" in clean.run("journalctl --boot", check=True).stdout
    assert SECRET not in clean.run("journalctl --boot", check=True).stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param({"packages": ["composeops-no-such-package"]}, "apt knows no package", id="unknown package"),
        pytest.param({"units": [{"name": "none.service", "state": "started"}]}, "knows no unit", id="unknown unit"),
        pytest.param({"files": [{"path": "/etc/none/a", "content": ""}]}, "file /etc/none/a", id="missing directory"),
        pytest.param({"users": [{"name": "ops", "state": "absent"}]}, "connected as", id="the connected account"),
        pytest.param(
            {"files": [{"path": "/etc/x", "content": "x", "owner": "nobody-has-this"}]},
            "no account",
            id="no such owner",
        ),
        pytest.param(
            {"sysctl": {"net.ipv4.no_such": 1}, "sysctl_file": f"{ROOT}.conf"}, "no such parameter", id="sysctl"
        ),
    ],
)
def test_bad_input_is_named_and_changes_nothing_else(clean: BedHost, arguments: dict[str, Any], message: str) -> None:
    result = clean.module(MODULE, arguments)
    assert result["failed"]
    assert message in result["msg"]
    clean.run(f"rm -f {ROOT}.conf", check=True)
    assert not clean.exists("/etc/x")
