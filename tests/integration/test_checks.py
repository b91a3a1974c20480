"""The module `checks` on a real host: what passes, what fails and why, and the declaration it keeps."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.bed_host import BedHost

pytestmark = pytest.mark.bed

PORT = 18080
UNIT = "composeops-test-checks.service"
KEPT = "/tmp/composeops-test/checks.json"
NAME = "composeops.stack.checks"

PAGE = {
    "name": "page",
    "type": "http",
    "url": f"http://127.0.0.1:{PORT}/page.json",
    "expect": {"json": {"version": "1.0"}},
}
OPEN = {"name": "open port", "type": "tcp", "host": "127.0.0.1", "port": PORT}
CLOSED = {"name": "closed port", "type": "tcp", "host": "127.0.0.1", "port": 18081, "expect": {"state": "closed"}}


@pytest.fixture(scope="module", autouse=True)
def server(host: BedHost) -> Iterator[None]:
    """A web server of the host's own Python, on the loopback."""
    host.write("/tmp/composeops-test/www/page.json", json.dumps({"version": "1.0"}))
    command = f"python3 -m http.server {PORT} --bind 127.0.0.1 --directory /tmp/composeops-test/www"
    host.run(f"systemd-run --quiet --unit={UNIT} --collect {command}", check=True)
    yield
    host.run(f"systemctl stop {UNIT}; rm -rf /tmp/composeops-test", check=True)


@pytest.fixture
def nothing_kept(host: BedHost) -> None:
    host.run(["rm", "-f", KEPT], check=True)


def checked(host: BedHost, *checks: dict[str, Any], **options: Any) -> dict[str, Any]:
    """Run checks; they have time enough for the server to start."""
    patient = [{"attempts": 20, "interval": 0.5, **check} for check in checks]
    return host.module(NAME, {"checks": patient}, **options)


def test_what_is_as_declared_passes(host: BedHost) -> None:
    result = checked(host, PAGE, OPEN, CLOSED)
    assert not result["failed"], result["msg"]
    assert not result["changed"]
    assert [check["ok"] for check in result["checks"]] == [True, True, True]
    assert result["summary"][0]["title"] == "Checks"
    assert result["summary"][1]["rows"] == [[f"http://127.0.0.1:{PORT}/page.json", "200", "-"]]


def test_a_unit_that_failed_and_a_reboot_that_waits_are_told(host: BedHost) -> None:
    units = {"name": "units", "type": "units", "attempts": 1}
    mine = {**units, "name": "mine", "units": ["composeops-test-failing.service"]}
    reboot = {"name": "reboot", "type": "reboot", "attempts": 1}
    good = checked(host, units, mine, reboot)
    assert not good["failed"], good["msg"]
    host.run("systemd-run --quiet --wait --unit=composeops-test-failing false; touch -d -8days /run/reboot-required")
    try:
        result = checked(host, units, mine, reboot)
    finally:
        host.run("systemctl reset-failed composeops-test-failing; rm /run/reboot-required", check=True)
    assert [check["ok"] for check in result["checks"]] == [False, False, False]
    assert "composeops-test-failing.service failed." in result["msg"]
    assert "waited for a reboot for longer than 7d" in result["msg"]


def test_every_failure_is_named_with_its_reason_and_next_step(host: BedHost) -> None:
    checked(host, OPEN)
    wrong = {**PAGE, "attempts": 1, "expect": {"json": {"version": "2.0"}}}
    missing = {"name": "missing", "type": "http", "url": f"http://127.0.0.1:{PORT}/nowhere", "attempts": 1}
    shut = {**CLOSED, "attempts": 2, "interval": 0, "expect": {"state": "open"}}
    result = checked(host, wrong, missing, shut, OPEN)
    assert result["failed"]
    assert result["msg"].splitlines() == [
        "3 of 4 checks failed.",
        f"- page (http http://127.0.0.1:{PORT}/page.json): version in its JSON body is '1.0', not '2.0'. "
        "Look at the log of the service behind it (playbooks/logs.yml).",
        f"- missing (http http://127.0.0.1:{PORT}/nowhere): it answered 404, not 200. "
        "Look at the routes in edge_sites, and whether the service knows this path.",
        "- closed port (tcp 127.0.0.1:18081): Nothing listens on 127.0.0.1:18081. (after 2 attempts) "
        "Start the service, or open the port in the firewall.",
    ]
    assert [row[3] for row in result["summary"][0]["rows"]] == ["FAILED", "FAILED", "FAILED", "ok"]


def test_listening_ports_are_those_beyond_the_loopback(host: BedHost) -> None:
    listening = checked(host, OPEN)["listening"]
    assert 22 in listening
    assert PORT not in listening


def test_declaration_is_kept_once_and_changed_only_when_it_changes(host: BedHost, nothing_kept: None) -> None:
    arguments = {"checks": [{**OPEN, "attempts": 20}], "save_as": KEPT}

    predicted = host.module(NAME, arguments, check=True, diff=True)
    assert predicted["changed"]
    assert not host.exists(KEPT)

    applied = host.module(NAME, arguments, diff=True)
    assert applied["changed"]
    assert applied["diff"] == predicted["diff"]
    assert host.run(["stat", "-c", "%a %U", KEPT]).stdout.strip() == "600 root"

    assert not host.module(NAME, arguments, check=True)["changed"]
    assert not host.module(NAME, arguments)["changed"]

    host.run(["chmod", "644", KEPT], check=True)
    assert host.module(NAME, arguments)["changed"]
    assert host.run(["stat", "-c", "%a", KEPT]).stdout.strip() == "600"

    changed = host.module(NAME, {**arguments, "checks": [OPEN, CLOSED]}, diff=True)
    assert changed["changed"]
    assert "closed port" in changed["diff"][0]["after"]


def test_check_mode_probes_nothing_and_says_what_it_would(host: BedHost) -> None:
    result = host.module(NAME, {"checks": [{**CLOSED, "expect": {"state": "open"}}]}, check=True)
    assert not result["failed"]
    assert result["checks"] == []
    assert result["plan"] == ["check closed port (tcp 127.0.0.1:18081)"]


@pytest.mark.parametrize(
    ("check", "message"),
    [
        ({"name": "a", "type": "http"}, "check a: http needs url."),
        ({"name": "a", "type": "tcp", "host": "h", "port": 1, "url": "http://h/"}, "tcp has no option url"),
        ({"name": "a", "type": "htttp"}, "value of type must be one of"),
        ({"name": "a", "type": "http", "ulr": "http://h/"}, "Unsupported parameters"),
    ],
    ids=["missing-option", "option-of-another-type", "unknown-type", "unknown-option"],
)
def test_wrong_declaration_is_refused(host: BedHost, check: dict[str, Any], message: str) -> None:
    result = host.module(NAME, {"checks": [check]})
    assert result["failed"]
    assert message in result["msg"]


def test_secret_that_the_host_lacks_is_named(host: BedHost) -> None:
    check = {
        "name": "r",
        "type": "redis",
        "stack": "nowhere",
        "service": "redis",
        "password_secret": "P",
        "attempts": 1,
    }
    result = host.module(NAME, {"checks": [check]})
    assert result["failed"]
    assert "Secret P of stack nowhere is not on this host" in result["msg"]


def test_failing_checks_show_their_table_at_the_end_of_the_play(host: BedHost) -> None:
    playbook = host.directory / "failing.yml"
    playbook.write_text(
        textwrap.dedent(
            f"""\
            - name: Fail
              hosts: all
              become: true
              gather_facts: false
              tasks:
                - name: Check
                  {NAME}:
                    checks:
                      - {{name: shut, type: tcp, host: 127.0.0.1, port: 18081, attempts: 1}}
            """
        )
    )
    run = host.playbook(playbook)
    assert not run.ok
    table = run.output[run.output.index("PLAY RECAP") :]
    assert "shut   tcp   127.0.0.1:18081  FAILED  Nothing listens on 127.0.0.1:18081" in table
