"""Nobody is locked out: a broken sshd or a firewall without ssh is undone, whatever becomes of the run that made it."""

from __future__ import annotations

import base64
import json
import re
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.integration.bed_host import BedHost

pytestmark = pytest.mark.bed

MODULE = "composeops.stack.confirmed_state"
SSHD = "/etc/ssh/sshd_config.d/10-composeops.conf"
FIREWALL = "/etc/composeops/firewall.nft"
RECORD = "/var/lib/composeops/unconfirmed.json"
CLOSED = """\
table inet composeops
delete table inet composeops
table inet composeops {
    chain input {
        type filter hook input priority filter; policy drop;
        ct state vmap { established : accept, related : accept, invalid : drop }
    }
}
"""
BROKEN: dict[str, tuple[str, str, str]] = {
    "sshd-lets-nobody-in": (SSHD, "AllowUsers nobody\n", "Permission denied"),
    "sshd-does-not-start": (SSHD, "KexAlgorithms no-such-exchange\n", "Unsupported KEX algorithm"),
    "firewall-without-ssh": (FIREWALL, CLOSED, "timed out"),
}
"""What would lock everybody out: the file, what comes first in it, and why a new connection fails."""


def change(path: str, content: str, within: int = 60) -> dict[str, Any]:
    """Return the arguments that put a content into one of the two files, as the role does."""
    if path == SSHD:
        validate, unit = ["sshd", "-t", "-f", "%s"], {"name": "ssh.service", "restart_on": [path]}
    else:
        validate = ["nft", "--check", "--file", "%s"]
        unit = {"name": "composeops-firewall.service", "reload_on": [path]}
    mode = "0600" if path == SSHD else "0644"
    files = [{"path": path, "content": content, "mode": mode, "validate": validate}]
    return {"files": files, "units": [unit], "within": within}


def play(host: BedHost, name: str, *tasks: dict[str, Any]) -> Path:
    playbook = host.directory / f"{name}.yml"
    content = {"name": name, "hosts": host.name, "become": True, "gather_facts": False, "tasks": list(tasks)}
    playbook.write_text(yaml.safe_dump([content], sort_keys=False), encoding="utf-8")
    return playbook


@pytest.fixture(scope="module")
def hardened(host: BedHost) -> BedHost:
    """The host with the role on it."""
    role = {"name": "Baseline", "ansible.builtin.import_role": {"name": "baseline"}}
    made = host.playbook(play(host, "baseline", role))
    assert made.ok, made.output
    reached = made.tasks[-1]["result"]
    assert not reached["changed"] or reached["confirmed"] is True
    return host


@pytest.fixture
def unchanged(hardened: BedHost) -> Iterator[BedHost]:
    """The host, which a test must leave as it found it, with new connections coming in and nothing to be undone."""
    before = everything(hardened)
    yield hardened
    assert everything(hardened) == before
    assert not hardened.exists(RECORD)
    assert answers(hardened)


def everything(host: BedHost) -> str:
    """Return what decides who gets in: files, rules and what sshd says of itself."""
    rules = "nft --stateless list table inet composeops"
    return host.output(f"cat {SSHD} {FIREWALL} && {rules} && sshd -T && systemctl is-active ssh composeops-firewall")


def answers(host: BedHost) -> bool:
    """Whether a new connection gets as far as sshd's greeting."""
    try:
        with socket.create_connection((host.address, 22), timeout=2) as connection:
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False


def until(seconds: float, condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.2)
    return True


def test_ssh_offers_what_is_modern_and_post_quantum_first(unchanged: BedHost) -> None:
    """Read from outside, where sshd has to say all that it would take."""
    options = ["BatchMode=yes", "UserKnownHostsFile=/dev/null", "StrictHostKeyChecking=yes", "ControlPath=none"]
    asked = subprocess.run(
        ["ssh", "-vv", *(word for option in options for word in ("-o", option)), f"nobody@{unchanged.address}"],
        capture_output=True,
        text=True,
        check=False,
    ).stderr
    offered = asked.split("peer server KEXINIT proposal", 1)[1]
    lists = {
        what: re.findall(rf"debug2: {what}: (.*)", offered)[0].strip().split(",")
        for what in ("KEX algorithms", "ciphers stoc", "MACs stoc", "host key algorithms")
    }
    kex = [name for name in lists["KEX algorithms"] if "@openssh.com" not in name and not name.startswith("ext-info")]
    assert kex[0].startswith(("mlkem768", "sntrup761"))
    assert {name.split("-")[0] for name in kex} <= {"mlkem768x25519", "sntrup761x25519", "curve25519"}
    assert set(lists["ciphers stoc"]) <= {
        "chacha20-poly1305@openssh.com",
        "aes128-gcm@openssh.com",
        "aes256-gcm@openssh.com",
    }
    assert all(name.endswith("-etm@openssh.com") and "sha1" not in name for name in lists["MACs stoc"])
    assert not {"ssh-rsa", "ssh-dss"} & set(lists["host key algorithms"])
    assert re.search(r"remote software version OpenSSH_[0-9.p]+\s*$", asked, re.MULTILINE)


def test_root_and_passwords_are_refused(unchanged: BedHost) -> None:
    said = unchanged.output("sshd -T")
    for line in ("permitrootlogin no", "passwordauthentication no", "kbdinteractiveauthentication no"):
        assert line in said.splitlines()


@pytest.mark.parametrize("broken", BROKEN)
def test_what_would_lock_out_is_undone_and_said(unchanged: BedHost, broken: str) -> None:
    path, beginning, reason = BROKEN[broken]
    arguments = change(path, beginning + unchanged.read(path) if path == SSHD else beginning)
    refused = unchanged.module(MODULE, arguments)
    assert (refused["failed"], refused["changed"]) == (True, False)
    assert reason in refused["msg"]
    assert "What was there before is back" in refused["msg"]
    # Over the connection that the operator had before.
    assert unchanged.run("true").ok


def test_check_mode_foresees_and_changes_nothing(unchanged: BedHost) -> None:
    predicted = unchanged.module(MODULE, change(FIREWALL, CLOSED), check=True)
    assert predicted["plan"] == [f"change {FIREWALL}", "reload composeops-firewall.service"]


def test_a_run_that_is_killed_before_it_could_confirm_is_undone_by_the_host(unchanged: BedHost) -> None:
    playbook = play(unchanged, "close", {"name": "Close", MODULE: change(FIREWALL, CLOSED, within=8)})
    argv, environment = unchanged.command(playbook)
    with subprocess.Popen(argv, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as run:
        try:
            assert until(30, lambda: unchanged.exists(RECORD) and not answers(unchanged))
        finally:
            run.kill()
    assert until(20, lambda: answers(unchanged) and not unchanged.exists(RECORD))


def test_what_nobody_confirmed_before_a_reboot_is_undone_by_the_boot_or_the_next_run(unchanged: BedHost) -> None:
    good = unchanged.read(FIREWALL)
    record = {
        "files": [
            {
                "path": FIREWALL,
                "content_base64": base64.b64encode(good.encode()).decode(),
                "mode": 0o644,
                "owner": "root",
                "group": "root",
            }
        ],
        "units": [],
    }
    assert unchanged.output("systemctl is-enabled composeops-unconfirmed.service") == "enabled"
    for undo in (
        lambda: unchanged.run("systemctl start composeops-unconfirmed.service", check=True),
        lambda: unchanged.module(MODULE, change(FIREWALL, good)),
    ):
        unchanged.write(RECORD, json.dumps(record))
        unchanged.write(FIREWALL, CLOSED)
        undo()
        assert unchanged.read(FIREWALL) == good
