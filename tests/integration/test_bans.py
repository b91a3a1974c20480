"""Who guesses is banned, on every port and by IPv4 and IPv6; who knows a key, and everybody else, is not."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml

from tests.integration.bed_host import BedHost
from tests.support import link_local
from tests.support.strangers import Stranger, strangers

pytestmark = pytest.mark.bed

FAILURES = 4
"""So many lead to a ban here."""
FURTHER = {"baseline_reboot_window": "03:00", "baseline_locale": "de_DE.UTF-8", "baseline_swap_mib": 64}
"""What the role does besides when it is asked to; in the same run, because each takes seconds."""
SITE = """\
limit_req_zone $binary_remote_addr zone=composeops_test:64k rate=1r/m;
server {
    listen 80 default_server;
    location / { return 200 "here"; }
    location /secret/ { auth_basic closed; auth_basic_user_file /etc/nginx/composeops-test.users; }
    location /limited/ { limit_req zone=composeops_test; limit_req_status 429; try_files /none =404; }
}
"""


@pytest.fixture(scope="module")
def others() -> Iterator[list[Stranger]]:
    """Somebody who guesses, and somebody whose network is on the list of those who may."""
    with strangers(2) as made:
        yield made


def role(host: BedHost, ignored: list[str], **more: Any) -> Any:
    variables = {
        "baseline_ban_ignored": ignored,
        "baseline_ban_ssh_failures": FAILURES,
        "baseline_ban_web_failures": FAILURES,
        "baseline_ban_web_excess": FAILURES,
        **more,
    }
    playbook = host.directory / "bans.yml"
    task = {"name": "Baseline", "ansible.builtin.import_role": {"name": "baseline"}}
    play = {"name": "Bans", "hosts": host.name, "become": True, "gather_facts": False, "tasks": [task]}
    playbook.write_text(yaml.safe_dump([play]), encoding="utf-8")
    return host.playbook(playbook, extra_variables=variables)


@pytest.fixture(scope="module")
def guarded(host: BedHost, others: list[Stranger]) -> Iterator[BedHost]:
    """The host with the role, and an nginx that has something to guess."""
    made = role(host, [others[1].address])
    assert made.ok, made.output
    host.run("apt-get install -y -q nginx && rm -f /etc/nginx/sites-enabled/*", check=True)
    host.write("/etc/nginx/composeops-test.users", "guess:$1$abc$JgkZGRkRHuSh1eQTfdBwP0\n")
    host.write("/etc/nginx/conf.d/composeops-test.conf", SITE)
    host.run("systemctl restart nginx", check=True)
    yield host
    host.run("systemctl disable --now nginx && rm /etc/nginx/conf.d/composeops-test.conf", check=True)


@pytest.fixture(autouse=True)
def forgiven(guarded: BedHost) -> Iterator[None]:
    yield
    guarded.run("! systemctl is-active --quiet fail2ban || fail2ban-client unban --all", check=True)


def banned(host: BedHost, jail: str) -> list[str]:
    return host.output(f"fail2ban-client get {jail} banip").split()


def until(condition: Callable[[], bool], what: str, seconds: float = 15) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not happen within {seconds:g} s"
        time.sleep(0.2)


def test_who_guesses_keys_is_banned_from_every_port_and_nobody_else(guarded: BedHost, others: list[Stranger]) -> None:
    attacker, neighbour = others
    host = guarded.address
    assert attacker.reaches(host, 22) and attacker.reaches(host, 80)
    for someone in others:
        someone.guesses(host, "admin", "ops", "oracle", "ops")
    until(lambda: banned(guarded, "sshd") == [attacker.address], "the ban")
    assert [attacker.reaches(host, port) for port in (22, 80)] == [False, False]
    assert [neighbour.reaches(host, port) for port in (22, 80)] == [True, True]
    # A new firewall, an engine that forgets, and the role once more do not let anybody back in.
    guarded.run("systemctl reload composeops-firewall && systemctl restart composeops-firewall", check=True)
    assert not attacker.reaches(host, 22)
    guarded.run("systemctl restart fail2ban", check=True)
    assert "Bring the host to its baseline" in role(guarded, [neighbour.address], baseline_ban_window=601).changed
    assert not attacker.reaches(host, 22)
    guarded.run(f"fail2ban-client set sshd unbanip {attacker.address}", check=True)
    assert attacker.reaches(host, 22)


@pytest.mark.parametrize(
    ("jail", "path", "status"),
    [
        pytest.param("nginx-http-auth", "/secret/", "401", id="wrong-passwords"),
        pytest.param("composeops-limits", "/limited/", "429", id="beyond-the-limit"),
    ],
)
def test_who_guesses_at_a_site_is_banned(
    guarded: BedHost, others: list[Stranger], jail: str, path: str, status: str
) -> None:
    attacker, neighbour = others
    for someone in others:
        answers = someone.asks(f"http://{guarded.address}{path}", FAILURES + 1)
        assert answers.count(status) >= FAILURES - 1
    until(lambda: banned(guarded, jail) == [attacker.address], "the ban")
    assert [attacker.reaches(guarded.address, port) for port in (22, 80)] == [False, False]
    assert neighbour.reaches(guarded.address, 80)


def test_an_address_that_logged_in_with_a_key_is_never_banned(guarded: BedHost, others: list[Stranger]) -> None:
    for user in ("admin", "ops", "oracle", "postgres", "git", "ops"):
        unknown = [
            "-o",
            "BatchMode=yes",
            "-o",
            "ControlPath=none",
            "-o",
            "IdentityFile=none",
            "-o",
            "IdentityAgent=none",
        ]
        trust = ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"]
        argv = ["ssh", *unknown, *trust, f"{user}@{guarded.address}", "true"]
        assert subprocess.run(argv, capture_output=True, check=False).returncode != 0
    # That who has no such login is counted, and has been read after the others.
    others[0].guesses(guarded.address, *["admin"] * FAILURES)
    until(lambda: bool(banned(guarded, "sshd")), "the ban of somebody else")
    assert banned(guarded, "sshd") == [others[0].address]


def test_ipv6_is_banned_as_well(guarded: BedHost) -> None:
    own = link_local.own_address(link_local.device(guarded))
    with link_local.enabled(guarded) as address:
        assert reached(address)
        guarded.run(f"fail2ban-client set sshd banip {own}", check=True)
        assert not reached(address)
        assert guarded.run("true").ok, "IPv4 of the same machine is an address of its own"
        guarded.run(f"fail2ban-client set sshd unbanip {own}", check=True)
        assert reached(address)


def reached(address: str) -> bool:
    argv = ["ssh-keyscan", "-T", "2", "-t", "ed25519", address]
    return bool(subprocess.run(argv, capture_output=True, check=False).stdout)


def test_mistakes_are_refused_before_anything_changes_and_opting_out_lifts_the_bans(
    guarded: BedHost, others: list[Stranger]
) -> None:
    refused = role(guarded, ["10.0.0.1/8"])
    assert not refused.ok and "baseline_ban_ignored: '10.0.0.1/8' is no network" in refused.output
    guarded.run(f"fail2ban-client set sshd banip {others[0].address}", check=True)
    assert not others[0].reaches(guarded.address, 22)
    assert role(guarded, [], baseline_ban_enabled=False, **FURTHER).ok
    assert others[0].reaches(guarded.address, 22)
    tables = json.loads(guarded.output("nft --json list tables"))["nftables"]
    assert "composeops-bans" not in [entry["table"]["name"] for entry in tables if "table" in entry]


def test_reboots_locale_swap_and_audit_are_as_asked(guarded: BedHost) -> None:
    """After the run of the test before. In a container, conditions keep swap and audit from the machine's kernel."""
    dumped = guarded.output("apt-config dump Unattended-Upgrade")
    assert 'Automatic-Reboot "true"' in dumped and 'Automatic-Reboot-Time "03:00"' in dumped
    assert "de_DE.utf8" in guarded.output("locale -a").split()
    assert guarded.output("sh -lc '. /etc/default/locale; LC_ALL=$LANG locale charmap'") == "UTF-8"
    for unit in ("auditd", "composeops-audit-rules", "composeops-swap"):
        shown = guarded.output(f"systemctl show --property=ActiveState,ConditionResult,UnitFileState {unit}.service")
        assert set(shown.splitlines()) == {"ActiveState=inactive", "ConditionResult=no", "UnitFileState=enabled"}
    assert guarded.output("systemctl list-units --failed --plain --no-legend") == ""
