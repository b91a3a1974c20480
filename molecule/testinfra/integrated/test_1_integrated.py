"""The integrated system in production, requirement by requirement; nothing is changed but for a row."""

from __future__ import annotations

import json
import time
import uuid
from pathlib import Path
from typing import Any

import pytest

from tests.integration.bed_host import BedHost
from tests.support import containers as stack
from tests.support import scan
from tests.support.outside import Outside

SITE = "integrated.example.com"
STACK = "integrated"
SECURITY = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "strict-origin-when-cross-origin",
}


@pytest.fixture(scope="module")
def containers(host: Any) -> dict[str, dict[str, Any]]:
    """What `docker inspect` says of each service's container."""
    return stack.containers(host.check_output, STACK)


@pytest.fixture(scope="module")
def app(containers: dict[str, dict[str, Any]]) -> str:
    return str(containers["app"]["Id"])


def test_int_01_one_container_runs_everything_under_supervisord(
    host: Any, containers: dict[str, dict[str, Any]], app: str
) -> None:
    assert set(containers) == {"app", "postgres"}
    assert containers["app"]["Config"]["Image"] == "integrated/app:1.0.0"
    first = host.check_output(f"docker exec {app} cat /proc/1/cmdline").replace("\0", " ")
    assert "supervisord --nodaemon" in first


def test_int_01_container_has_nothing_that_only_the_build_needed(host: Any, app: str) -> None:
    found = host.run(f"docker exec {app} sh -c 'command -v pip pip3 gcc make npm'")
    assert found.stdout == ""


def test_int_01_nothing_in_it_is_root(host: Any, containers: dict[str, dict[str, Any]], app: str) -> None:
    assert host.check_output(f"docker exec {app} id -u") == "10001"
    listed = host.check_output(f"docker top {app} -o uid,pid").splitlines()[1:]
    assert {line.split()[0] for line in listed} == {"10001"}
    assert containers["app"]["HostConfig"]["CapDrop"] == ["ALL"]


def test_int_02_programs_run_in_their_order(host: Any, app: str) -> None:
    listed = [line.split() for line in host.check_output(f"docker exec {app} supervisorctl avail").splitlines()]
    priorities = {words[0]: words[-1] for words in listed}
    assert priorities["backend"] == "100:100"
    assert priorities["frontend"] == "200:200"
    assert priorities["healthmonitor"] == "300:300"
    running = [line.split() for line in host.check_output(f"docker exec {app} supervisorctl status").splitlines()]
    assert {words[0]: words[1] for words in running} == dict.fromkeys(priorities, "RUNNING")


def test_int_02_frontend_is_one_page_for_every_path(outside: Outside) -> None:
    pages = [outside.https(SITE, path) for path in ("/", "/pets/7/edit")]
    assert [page.status for page in pages] == [200, 200]
    assert '<span id="version">1.0.0</span>' in pages[0].body.decode()
    assert pages[1].body == pages[0].body
    assert outside.https(SITE, "/assets/app.js").headers["cache-control"] == "public, max-age=31536000, immutable"
    assert outside.https(SITE, "/assets/none.js").status == 404


def test_int_02_backend_answers_below_api_alone(outside: Outside) -> None:
    health = outside.https(SITE, "/api/health")
    assert health.headers["x-app-version"] == "1.0.0"
    found = health.json()
    assert (found["status"], found["service"], found["database"]) == ("healthy", "integrated", "connected")
    # What the backend has beside it, such as its own way to close WebSockets, is not for the world.
    assert outside.https(SITE, "/sockets/close", method="POST", body={}).status == 405
    assert outside.https(SITE, "/api/sockets/close", method="POST", body={}).status == 404


def test_int_02_backend_listens_inside_the_container_alone(
    host: Any, containers: dict[str, dict[str, Any]], outside: Outside
) -> None:
    networks = containers["app"]["NetworkSettings"]["Networks"].values()
    address = next(network["IPAddress"] for network in networks if network["IPAddress"])
    connect = "timeout 5 bash -c 'exec 3<>/dev/tcp/{}/{}'"
    assert host.run(connect.format(address, 3000)).succeeded
    assert "Connection refused" in host.run(connect.format(address, 8000)).stderr
    assert not outside.reachable(8000)
    assert not outside.reachable(3000)


def test_int_02_websocket_echoes(outside: Outside) -> None:
    assert outside.echo(SITE, "/ws", "hello") == "hello"


def test_a_scan_against_mozillas_intermediate_profile_finds_nothing(outside: Outside, authority: Path) -> None:
    found = scan.tls(outside.address, [SITE], authority)[SITE]
    assert dict(found.issues) == {}
    assert found.versions == {"tls_1_2", "tls_1_3"}


@pytest.mark.parametrize("path", ["/", "/api/health", "/assets/app.css"])
def test_int_02_answers_carry_security_headers(outside: Outside, path: str) -> None:
    headers = outside.https(SITE, path).headers
    assert {name: headers.get(name) for name in SECURITY} == SECURITY
    assert "frame-ancestors 'none'" in headers["content-security-policy"]


def test_int_02_backend_learns_who_asked(outside: Outside) -> None:
    headers = outside.https(SITE, "/api/echo-headers", headers={"X-Forwarded-For": "203.0.113.9"}).json()["headers"]
    assert headers["host"] == SITE
    assert headers["x-forwarded-proto"] == "https"
    assert headers["x-real-ip"] not in ("", "127.0.0.1", "203.0.113.9")


def test_int_03_missing_environment_is_named_before_anything_starts(operator: BedHost) -> None:
    started = operator.run("docker run --rm --network none integrated/app:1.0.0")
    assert started.returncode == 2
    for name in ("DB_HOST", "DB_NAME", "DB_USER", "DB_PASSWORD", "SESSION_SECRET"):
        assert name in started.stderr


def test_int_03_container_gives_up_when_the_database_does_not_answer_in_time(operator: BedHost) -> None:
    given = "DB_HOST=127.0.0.1 DB_NAME=n DB_USER=u DB_PASSWORD=p SESSION_SECRET=s DB_WAIT=2"
    options = " ".join(f"--env {one}" for one in given.split())
    started = operator.run(f"docker run --rm --network none {options} integrated/app:1.0.0")
    assert started.returncode == 1
    assert "app: waiting for the database at 127.0.0.1, at most 2 s" in started.stdout
    assert "app: the database does not answer: ConnectionRefusedError" in started.stderr


def test_int_03_container_waited_for_its_database(host: Any, app: str) -> None:
    said = host.check_output(f"docker logs {app} 2>&1")
    waited = said.index("app: waiting for the database at postgres, at most 30 s")
    assert waited < said.index("app: the database answers") < said.index("supervisord started with pid 1")


def test_int_05_logs_are_in_one_place(host: Any, app: str, containers: dict[str, dict[str, Any]]) -> None:
    mounts = {mount["Destination"]: mount for mount in containers["app"]["Mounts"]}
    assert mounts["/var/log/app"]["Name"] == "integrated_app_logs"
    listed = host.check_output(f"docker exec {app} sh -c 'cd /var/log/app/$HOSTNAME && ls'").split()
    assert set(listed) >= {"backend.log", "frontend.log", "healthmonitor.log", "supervisord.log", "logkeeper.log"}


def test_int_05_logs_are_rotated_and_kept_for_seven_days(operator: BedHost, app: str, outside: Outside) -> None:
    """What the keeper does when a day begins, done now by the container's own program."""
    script = (
        "import os, signal; from pathlib import Path; from integrated.logkeeper import MIB, keep;"
        "own = Path('/var/log/app') / os.environ['HOSTNAME'];"
        "(own / 'backend.log-old').write_text('old'); os.utime(own / 'backend.log-old', (0, 0));"
        "done = keep(own, lambda: os.kill(1, signal.SIGUSR2), new_day=True, days=7, limit=250 * MIB);"
        "print([path.name for path in done.close], [path.name for path in done.remove])"
    )
    done = operator.run(["docker", "exec", app, "python", "-c", script], check=True).stdout
    assert "'backend.log'" in done
    assert "'frontend.log'" in done
    assert done.rstrip().endswith("['backend.log-old']")
    # supervisord opens the logs anew within its second; from then on they are written to.
    deadline = time.monotonic() + 20
    while not asked(operator, app, outside):
        assert time.monotonic() < deadline, "the backend goes on in the log that was closed"


def asked(operator: BedHost, app: str, outside: Outside) -> bool:
    """Say whether a request of now is in the backend's log."""
    token = uuid.uuid4().hex
    assert outside.https(SITE, f"/api/version?{token}").status == 200
    return operator.run(f"docker exec {app} sh -c 'grep --quiet {token} /var/log/app/$HOSTNAME/backend.log'").ok


def test_int_05_nothing_fills_the_disk(host: Any, app: str, containers: dict[str, dict[str, Any]]) -> None:
    configuration = host.check_output(f"docker exec {app} cat /etc/supervisord.conf")
    programs = configuration.count("[program:")
    assert programs == 3
    assert configuration.count("\nstdout_logfile_maxbytes=") == programs
    # What the container itself says: supervisord's own lines.
    assert containers["app"]["HostConfig"]["LogConfig"] == {
        "Type": "local",
        "Config": {"max-file": "3", "max-size": "10m"},
    }


def test_int_06_container_starts_within_two_minutes(host: Any) -> None:
    """From the creation of the container until the engine calls it healthy, in every release that served."""
    releases = json.loads(host.check_output("composeops releases --json"))[STACK]
    started = [release["seconds"]["start"] for release in releases if release["status"] != "failed"]
    print("INT-06, seconds to start:", started)
    assert 0 < max(started) < 120


def test_int_07_image_came_from_a_registry(host: Any) -> None:
    found = json.loads(host.check_output("docker image inspect integrated/app:1.0.0"))[0]
    assert found["RepoDigests"][0].startswith("integrated/app@sha256:")


def test_int_07_health_check_restart_policy_and_limits(containers: dict[str, dict[str, Any]]) -> None:
    found = containers["app"]
    assert found["HostConfig"]["RestartPolicy"]["Name"] == "unless-stopped"
    assert found["Config"]["Healthcheck"]["Test"] == ["CMD", "app", "healthcheck"]
    assert (found["HostConfig"]["NanoCpus"], found["HostConfig"]["Memory"]) == (2 * 10**9, 768 * 1024**2)


def test_int_07_rules_for_alerts_are_in_force_on_the_host(host: Any) -> None:
    assert host.service("composeops-monitor").is_running
    told = json.loads(host.file("/etc/composeops/monitor.json").content_string)
    assert {rule["check"]: rule["restart"] for rule in told["rules"]} == {
        "redirect": "systemd",
        "app": "docker",
        "api": "docker",
        "websocket": "docker",
    }
    assert [hook["name"] for hook in told["webhooks"]] == ["alerts"]
    assert host.file("/etc/composeops/monitor.json").mode == 0o600


def test_secrets_are_in_no_inspection(host: Any) -> None:
    secrets = json.loads(host.file("/etc/composeops/secrets/integrated.json").content_string)
    everything = host.check_output("docker ps -aq | xargs docker inspect")
    assert [name for name, value in secrets.items() if value in everything] == []


def test_row_is_stored_once(outside: Outside) -> None:
    body = {"name": "Rex", "species": "dog", "request_id": uuid.uuid4().hex}
    made = outside.https(SITE, "/api/pets", method="POST", body=body)
    again = outside.https(SITE, "/api/pets", method="POST", body=body)
    assert (made.status, again.status) == (201, 200)
    assert again.json()["id"] == made.json()["id"]


def test_no_unit_failed(host: Any) -> None:
    assert host.check_output("systemctl --failed --no-legend --plain") == ""
