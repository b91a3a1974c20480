"""The role monitor on a real host: the service it makes, and what that service heals, in Docker and in systemd.

Intervals are short; what they are in production only moves the times (docs/monitoring.md).
"""

from __future__ import annotations

import json
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.bed_host import PlaybookRun
from tests.integration.stack_host import COMPOSE, SECRET, STACK, StackHost, bare_fixture, engine_fixture

pytestmark = pytest.mark.bed

__all__ = ["bare_fixture", "engine_fixture"]

RECEIVER_PORT = 18090
UNIT_PORT = 18091
UNIT = "composeops-test-site.service"
RECEIVER_UNIT = "composeops-test-receiver.service"
SERVICE = "composeops-monitor.service"
RECEIVED = "/tmp/composeops-test/received.jsonl"
TOKEN = "very-secret-token"
WEB = f"{STACK}-web-1"

PLAYBOOK = """\
- name: Watch
  hosts: composeops
  become: true
  gather_facts: false
  pre_tasks:
    - name: Install the program
      composeops.stack.program:
  roles: [monitor]
"""

RECEIVER = f"""\
import http.server, json, time
class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with open({RECEIVED!r}, "a") as stream:
            stream.write(json.dumps({{"path": self.path, "body": body, "at": time.time()}}) + chr(10))
        self.send_response(200)
        self.end_headers()
http.server.ThreadingHTTPServer(("127.0.0.1", {RECEIVER_PORT}), Handler).serve_forever()
"""

WEB_CHECK = {"name": "web", "type": "http", "url": "http://127.0.0.1:24000/health", "timeout": 2}
SITE_CHECK = {"name": "site", "type": "http", "url": f"http://127.0.0.1:{UNIT_PORT}/", "timeout": 2}
VARIABLES: dict[str, Any] = {
    "verify_checks": [WEB_CHECK, SITE_CHECK, {"name": "services", "type": "container", "stack": STACK}],
    "monitor_exclude": ["services"],
    "monitor_interval": 1,
    "monitor_start_delay": 0,
    "monitor_grace": 10,
    "monitor_backoff": 5,
    "monitor_restarts_per_hour": 20,
    "monitor_thresholds": {"cpu": 0, "memory": 0, "disk": 0},
    "monitor_rules": [
        {"check": "web", "restart": "docker", "stack": STACK, "service": "web"},
        {"check": "site", "restart": "systemd", "unit": UNIT},
    ],
    "monitor_webhooks": [
        {"name": "ops", "format": "slack", "url": f"http://127.0.0.1:{RECEIVER_PORT}/slack/{TOKEN}"},
        {"name": "own", "format": "json", "url": f"http://127.0.0.1:{RECEIVER_PORT}/json/{TOKEN}"},
    ],
}


class Watched:
    """The stack, the monitor beside it, and what a receiver on the host got."""

    def __init__(self, stack: StackHost, playbook: Path) -> None:
        self.stack = stack
        self.host = stack.bed
        self._playbook = playbook
        self._seen = 0

    def role(self, *, check: bool = False, diff: bool = False, **variables: Any) -> PlaybookRun:
        return self.host.playbook(self._playbook, extra_variables={**VARIABLES, **variables}, check=check, diff=diff)

    def alerts(self) -> list[dict[str, Any]]:
        """Return the alerts in JSON that came since the test began."""
        lines = [json.loads(line) for line in self.host.run(["cat", RECEIVED]).stdout.splitlines()]
        return [line["body"] | {"received": line["at"]} for line in lines if line["path"].startswith("/json/")]

    def begin(self) -> None:
        """Wait until everything passes and no restart is recent, and forget the alerts so far."""
        self.stack.wait_until(lambda: self.passing("web") and self.passing("site") and not self.starting(), 90)
        self.host.run(["rm", "-f", RECEIVED], check=True)

    def passing(self, check: str) -> bool:
        found = self.host.run(f"grep 'check_up{{check=\"{check}\"' /var/lib/composeops/metrics/monitor.prom")
        return found.stdout.strip().endswith(" 1")

    def starting(self) -> bool:
        """Say whether failures do not count yet, because something was restarted just now."""
        targets = json.loads(self.host.read("/var/lib/composeops/monitor/state.json"))["targets"]
        return any(target["quiet_until"] > time.time() for target in targets.values())

    def failures(self, check: str) -> int:
        """Return how often in a row a check has failed by now."""
        state = json.loads(self.host.read("/var/lib/composeops/monitor/state.json"))
        return int(state["checks"][check]["failures"])

    def alert(self, kind: str, subject: str = "web", seconds: float = 60) -> dict[str, Any]:
        found: list[dict[str, Any]] = []

        def came() -> bool:
            found[:] = [one for one in self.alerts() if (one["kind"], one["subject"]) == (kind, subject)]
            return bool(found)

        self.stack.wait_until(came, seconds)
        return found[0]

    def started(self) -> str:
        return self.stack.docker("inspect", "--format", "{{.State.StartedAt}}", WEB)

    def journal(self) -> str:
        return self.host.run(["journalctl", "--no-pager", "--output=cat", f"--unit={SERVICE}"], check=True).stdout

    def fault(self, **switches: Any) -> None:
        """Throw failure switches of the application; a restart clears them."""
        request = (
            "import json, urllib.request as r;"
            f"r.urlopen(r.Request('http://127.0.0.1:24000/faults', data={json.dumps(switches).encode()!r},"
            " headers={'Content-Type': 'application/json'}), timeout=5)"
        )
        self.host.run(["python3", "-c", request], check=True)


@pytest.fixture(scope="module", name="watched")
def watched_fixture(bare: StackHost) -> Iterator[Watched]:
    """A stack of its own, a unit, a receiver of alerts, and not yet a monitor."""
    host = bare.bed
    playbook = host.directory / "monitor.yml"
    playbook.write_text(PLAYBOOK)
    bare.write("compose.yaml", COMPOSE.replace('PORT: "3000"', 'PORT: "3000"\n      SAMPLE_ALLOW_FAULTS: "1"'))
    assert not bare.secrets({"name": SECRET})["failed"]
    result = bare.deploy()
    assert not result["failed"], result["msg"]
    host.write("/tmp/composeops-test/receiver.py", RECEIVER)
    host.write("/tmp/composeops-test/site/index.html", "here")
    host.run(
        f"systemd-run --quiet --unit={RECEIVER_UNIT} --collect python3 /tmp/composeops-test/receiver.py", check=True
    )
    site = f"""\
        [Service]
        ExecStart=/usr/bin/python3 -m http.server {UNIT_PORT} --bind 127.0.0.1 --directory /tmp/composeops-test/site
    """
    host.write(f"/etc/systemd/system/{UNIT}", textwrap.dedent(site))
    host.run(f"systemctl daemon-reload && systemctl start {UNIT}", check=True)
    yield Watched(bare, playbook)
    host.run(f"systemctl disable --now {SERVICE}; systemctl stop {UNIT} {RECEIVER_UNIT}")
    left = ["/tmp/composeops-test", f"/etc/systemd/system/{UNIT}", "/var/lib/composeops/monitor"]
    host.run(["rm", "-rf", *left, "/etc/composeops/monitor.json"], check=True)


# The tests follow one host, in the order in which they stand.


def test_role_predicts_applies_and_then_changes_nothing(watched: Watched) -> None:
    predicted = watched.role(check=True, diff=True)
    assert predicted.ok, predicted.output
    assert "Watch the checks of this host" in str(predicted.changed)
    assert not watched.host.exists("/etc/composeops/monitor.json")
    assert TOKEN not in predicted.output

    applied = watched.role(diff=True)
    assert applied.ok, applied.output
    assert TOKEN not in applied.output
    assert watched.host.run(["stat", "-c", "%a %U", "/etc/composeops/monitor.json"]).stdout.strip() == "600 root"
    assert watched.host.run(["systemctl", "is-active", SERVICE]).stdout.strip() == "active"

    assert watched.role(check=True).changed == []
    assert watched.role().changed == []


def test_service_is_ready_watched_and_hardened(watched: Watched) -> None:
    shown = watched.host.run(
        ["systemctl", "show", SERVICE, "--property=Type,WatchdogUSec,Restart,NoNewPrivileges,ProtectSystem,NRestarts"],
        check=True,
    ).stdout
    for wanted in ("Type=notify", "WatchdogUSec=1min", "Restart=always", "NoNewPrivileges=yes", "ProtectSystem=strict"):
        assert wanted in shown
    watched.begin()


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("killed", "Nothing listens on 127.0.0.1:24000"),
        ("paused", "did not answer within 2 s"),
        ("frozen", "did not answer within 2 s"),
        ("answering 500", "It answered 500, not 200"),
        ("answering slowly", "did not answer within 2 s"),
    ],
)
def test_int_04_container_is_healed_and_people_are_told(
    fault: str, reason: str, watched: Watched, capsys: pytest.CaptureFixture[str]
) -> None:
    watched.begin()
    before, began = watched.started(), time.time()
    if fault == "killed":
        watched.stack.docker("kill", WEB)
    elif fault == "paused":
        watched.stack.docker("pause", WEB)
    elif fault == "frozen":
        watched.stack.docker("kill", "--signal", "STOP", WEB)
    elif fault == "answering 500":
        watched.fault(error_rate=1.0, path="/health")
    else:
        watched.fault(delay=30, path="/health")
    alert = watched.alert("failing")
    assert "failed 3 times in a row" in alert["text"]
    assert reason in alert["text"]
    assert f"{STACK}/web is being restarted".capitalize() in alert["text"]
    recovered = watched.alert("recovered", seconds=90)
    assert f"{STACK}/web was restarted once." in recovered["text"]
    assert watched.started() != before
    with capsys.disabled():
        print(
            f"\n{fault}: alert after {alert['received'] - began:.1f} s,"
            f" recovery after {recovered['received'] - began:.1f} s (interval 1 s, time-out 2 s)"
        )
    assert "restart_failed" not in [one["kind"] for one in watched.alerts()]


def test_restart_is_in_the_audit_log(watched: Watched) -> None:
    said = watched.host.run(["composeops", "audit", STACK], check=True).stdout
    assert "health monitor" in said
    assert f"{STACK}/web" in said


def test_unit_is_healed_through_systemd(watched: Watched) -> None:
    watched.begin()
    watched.host.run(["systemctl", "kill", "--signal=STOP", UNIT], check=True)
    assert f"{UNIT} is being restarted".capitalize() in watched.alert("failing", "site")["text"]
    watched.alert("recovered", "site")
    assert "restart_failed" not in [one["kind"] for one in watched.alerts()]


def test_nothing_is_restarted_while_an_operator_holds_the_stack(watched: Watched) -> None:
    watched.begin()
    hold = ["composeops", "hold", STACK, "--reason", "incident 42", "--for", "10m"]
    watched.host.run(hold, check=True)
    try:
        watched.stack.docker("kill", WEB)
        alert = watched.alert("failing")
        assert "is not restarted: stack" in alert["text"]
        assert "incident 42" in alert["text"]
        seen = watched.failures("web")
        watched.stack.wait_until(lambda: watched.failures("web") >= seen + 5)
        assert watched.stack.docker("inspect", "--format", "{{.State.Running}}", WEB) == "false"
    finally:
        watched.host.run(["composeops", "resume", STACK], check=True)
    watched.alert("restart")
    watched.alert("recovered")


def test_nothing_is_restarted_that_an_operator_stopped(watched: Watched) -> None:
    watched.begin()
    assert not watched.stack.state("stopped")["failed"]
    assert f"an operator stopped stack {STACK}" in watched.alert("failing")["text"]
    assert watched.stack.docker("inspect", "--format", "{{.State.Running}}", WEB) == "false"
    assert not watched.stack.state("restarted")["failed"]
    watched.alert("recovered")
    assert [one["kind"] for one in watched.alerts()] == ["failing", "recovered"]


def test_deployment_meets_no_restart(watched: Watched) -> None:
    watched.begin()
    watched.stack.environment = {"VERSION": "1.1.0"}
    result = watched.stack.deploy()
    assert not result["failed"], result["msg"]
    assert watched.stack.version() == "1.1.0"
    assert not [one for one in watched.alerts() if one["kind"] in ("restart", "restart_failed")]


def test_killed_monitor_comes_back_and_remembers(watched: Watched) -> None:
    watched.begin()
    watched.host.run(["composeops", "hold", STACK, "--reason", "test", "--for", "10m"], check=True)
    watched.stack.docker("kill", WEB)
    watched.alert("failing")
    watched.host.run(["systemctl", "kill", "--signal=KILL", "--kill-whom=main", SERVICE], check=True)
    watched.stack.wait_until(lambda: watched.host.run(["systemctl", "is-active", SERVICE]).stdout.strip() == "active")
    watched.host.run(["composeops", "resume", STACK], check=True)
    watched.alert("recovered")
    assert [one["kind"] for one in watched.alerts()].count("failing") == 1


def test_replaced_program_goes_on_and_systemd_ends_nothing(watched: Watched) -> None:
    """As an update of the program does it; what says that it stops would be killed two minutes later."""
    program = "/usr/local/lib/composeops/composeops.pyz"
    for change in (f"echo >> {program}", f"truncate --size=-1 {program}"):
        begun = watched.journal().count("watching 2 checks")
        watched.host.run(change, check=True)
        watched.stack.wait_until(lambda begun=begun: watched.journal().count("watching 2 checks") > begun, 60)
        shown = watched.host.run(["systemctl", "show", SERVICE, "--property=SubState"], check=True).stdout
        assert shown.strip() == "SubState=running"
    assert watched.journal().count("the program was replaced; it begins anew") == 2


def test_secrets_are_in_no_log(watched: Watched) -> None:
    assert "web is failing" in watched.journal()
    assert TOKEN not in watched.journal()
    assert TOKEN not in watched.host.read("/var/lib/composeops/monitor/state.json")


def test_changed_rule_restarts_the_service(watched: Watched) -> None:
    changed = watched.role(monitor_failures=5)
    assert changed.ok, changed.output
    assert len(changed.changed) == 1
    assert watched.role(monitor_failures=5).changed == []


def test_wrong_rule_is_refused_and_the_service_goes_on(watched: Watched) -> None:
    run = watched.role(monitor_rules=[{"check": "nope", "restart": "docker"}])
    assert not run.ok
    assert "rule 1 is for the check 'nope', which is not declared" in run.output
    assert watched.host.run(["systemctl", "is-active", SERVICE]).stdout.strip() == "active"


def test_monitor_can_be_switched_off(watched: Watched) -> None:
    run = watched.role(monitor_enabled=False)
    assert run.ok, run.output
    assert watched.host.run(["systemctl", "is-active", SERVICE]).stdout.strip() == "inactive"
    assert watched.role(monitor_enabled=False).changed == []
