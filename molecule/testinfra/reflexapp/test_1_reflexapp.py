"""The Reflex application in production, requirement by requirement; nothing is changed."""

from __future__ import annotations

import gzip
import json
import ssl
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from tests.integration.bed_host import BedHost
from tests.support import containers as stack
from tests.support import scan
from tests.support.outside import Outside

SITE = "www.jackcwf.com"
STACK = "reflexapp"
IMAGE = "reflexapp/app:1.0.0"


@pytest.fixture(scope="module")
def app(host: Any) -> dict[str, Any]:
    """What `docker inspect` says of the application's container."""
    return stack.containers(host.check_output, STACK)["app"]


@pytest.fixture(scope="module")
def labels(host: Any) -> dict[str, str]:
    """What the build recorded in the image."""
    found: dict[str, str] = json.loads(
        host.check_output(f"docker image inspect -f '{{{{json .Config.Labels}}}}' {IMAGE}")
    )
    return found


def asked(host: Any, path: str) -> dict[str, Any]:
    """Return the last request for a path that Traefik has logged."""
    lines = host.check_output("tail -n 400 /var/log/traefik/access.log").splitlines()
    entries = [json.loads(line) for line in lines]
    return dict([entry for entry in entries if entry["RequestPath"] == path and entry["RequestHost"] == SITE][-1])


def test_rfx_01_one_container_has_frontend_and_backend(host: Any, app: dict[str, Any]) -> None:
    assert set(stack.containers(host.check_output, STACK)) == {"app"}
    assert app["Config"]["Image"] == IMAGE
    bound = {
        port: [entry["HostIp"] for entry in found or []] for port, found in app["NetworkSettings"]["Ports"].items()
    }
    assert bound == {"3000/tcp": ["127.0.0.1"], "8000/tcp": ["127.0.0.1"]}


def test_rfx_01_paths_lead_to_their_ports(host: Any, outside: Outside) -> None:
    colour = stack.record(host.check_output, STACK)["colour"]
    assert outside.https(SITE, "/version").json()["version"] == "1.0.0"
    assert outside.echo(SITE, "/_event", "hello") == "hello"
    assert asked(host, "/version")["ServiceName"] == f"reflexapp-app-3000-{colour}@file"
    assert asked(host, "/_event")["ServiceName"] == f"reflexapp-app-8000-{colour}@file"


def test_rfx_01_the_real_traefik_runs_on_the_host_and_not_as_root(host: Any) -> None:
    assert "Version:      3.7" in host.check_output("/usr/local/bin/traefik version")
    unit = host.check_output("systemctl show traefik.service -p MainPID --value")
    assert host.check_output(f"ps -o user= -p {unit}").strip() == "traefik"
    assert host.service("traefik.service").is_enabled
    assert host.run("command -v nginx certbot").stdout == ""


def test_rfx_01_certificate_is_the_authoritys_and_http_leads_to_it(outside: Outside) -> None:
    assert ("DNS", SITE) in outside.certificate(SITE)["subjectAltName"]
    answer = outside.http(SITE, "/pets?limit=1")
    assert (answer.status, answer.headers["location"]) == (301, f"https://{SITE}/pets?limit=1")


def test_a_scan_against_mozillas_intermediate_profile_finds_nothing(outside: Outside, authority: Path) -> None:
    found = scan.tls(outside.address, [SITE], authority)[SITE]
    assert dict(found.issues) == {}
    assert found.versions == {"tls_1_2", "tls_1_3"}


def test_rfx_01_names_that_no_site_has_get_no_certificate(outside: Outside) -> None:
    with pytest.raises(ssl.SSLError):
        outside.https("other.jackcwf.com")
    assert outside.http("other.jackcwf.com").status == 404


def test_rfx_01_answers_are_compressed(outside: Outside) -> None:
    headers = {"Accept-Encoding": "gzip", "X-Long": "long " * 400}
    answer = outside.https(SITE, "/echo-headers", headers=headers)
    assert answer.headers["content-encoding"] == "gzip"
    assert "long long" in json.loads(gzip.decompress(answer.body))["headers"]["x-long"]


def test_rfx_01_application_learns_who_asked_for_what(outside: Outside) -> None:
    claimed = {"X-Forwarded-For": "203.0.113.9", "X-Real-IP": "203.0.113.9", "X_Forwarded_For": "203.0.113.9"}
    headers = outside.https(SITE, "/echo-headers", headers=claimed).json()["headers"]
    assert (headers["host"], headers["x-forwarded-proto"]) == (SITE, "https")
    assert "203.0.113.9" not in json.dumps(headers)
    assert headers["x-real-ip"] == headers["x-forwarded-for"]


@pytest.mark.parametrize("port", [3000, 8000, 20999, 21000, 5432])
def test_rfx_01_nothing_else_is_reachable(outside: Outside, port: int) -> None:
    assert not outside.reachable(port)


def test_rfx_02_container_without_its_variables_ends_and_names_them(operator: BedHost) -> None:
    variables = ["REFLEX_ENV=production", "FRONTEND_PORT=3000", "REQUIRED_ENV=REFLEX_ENV,FRONTEND_PORT,BACKEND_PORT"]
    options = [word for variable in variables for word in ("--env", variable)]
    ended = operator.run(["docker", "run", "--rm", *options, IMAGE])
    assert ended.returncode == 2
    assert "BACKEND_PORT" in ended.stderr
    assert "FRONTEND_PORT" not in ended.stderr


def test_rfx_02_database_is_asked_for_until_it_is_given_up(operator: BedHost, app: dict[str, Any]) -> None:
    assert "DB_WAIT=30" in app["Config"]["Env"]
    options = ["--env", "DATABASE_URL=postgresql://a:b@127.0.0.1:1/c", "--env", "DB_WAIT=2"]
    ended = operator.run(["docker", "run", "--rm", *options, IMAGE, "migrate"])
    assert ended.returncode == 1
    assert "migration failed" in ended.stderr


def test_rfx_02_sigterm_has_thirty_seconds_before_sigkill(app: dict[str, Any]) -> None:
    assert "DRAIN_TIMEOUT=30" in app["Config"]["Env"]
    assert app["Config"]["StopTimeout"] == 35
    assert app["Config"].get("StopSignal", "SIGTERM") == "SIGTERM"


def test_rfx_03_health_says_what_is_asked(outside: Outside, labels: dict[str, str]) -> None:
    answer = outside.https(SITE, "/health")
    document = answer.json()
    asked_at = datetime.strptime(document.pop("timestamp"), "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc)
    assert abs((datetime.now(timezone.utc) - asked_at).total_seconds()) < 60
    assert document == {
        "status": "healthy",
        "service": "working",
        "environment": "production",
        "database": "connected",
        "git_commit": labels["org.opencontainers.image.revision"],
        "version": "1.0.0",
    }


def test_rfx_04_health_check_restart_policy_and_limits(app: dict[str, Any]) -> None:
    assert app["State"]["Health"]["Status"] == "healthy"
    assert app["Config"]["Healthcheck"]["StartPeriod"] == 120 * 10**9
    limits = app["HostConfig"]
    assert limits["RestartPolicy"]["Name"] == "unless-stopped"
    assert (limits["NanoCpus"], limits["Memory"]) == (2 * 10**9, 2 * 2**30)


def test_rfx_06_database_is_elsewhere_and_backed_up_over_the_network(host: Any) -> None:
    assert host.run("docker ps --all --format '{{.Image}}'").stdout.split() == [IMAGE]
    settings = json.loads(host.file("/etc/composeops/backup.json").content_string)
    (source,) = settings["sources"]
    assert (source["host"], "service" in source) == ("pgvctor.jackcwf.com", False)
    listed = host.check_output("composeops list database").splitlines()
    assert len(listed) > 1


def test_rfx_06_password_is_in_no_variable_and_in_no_argument(
    host: Any, operator: BedHost, overlay: dict[str, Any]
) -> None:
    password = overlay["reflexapp_database_password"]
    everything = host.check_output(f"docker inspect {' '.join(stack.identifiers(host.check_output, STACK))}")
    assert password not in everything
    assert password not in host.check_output("ps -eo args")
    readable = operator.output(
        "find /etc /var/lib/composeops /usr/local -type f -perm -004 -size -1M -print0 2>/dev/null"
        f" | xargs -0 grep -lF -- {password} || true"
    )
    assert readable.strip() == ""


def test_rfx_07_logs_are_the_streams_of_the_container(host: Any, app: dict[str, Any]) -> None:
    assert (
        "listens on 3000, 8000"
        in host.run(f"docker logs {app['Id']}").stdout + host.run(f"docker logs {app['Id']}").stderr
    )
    assert app["HostConfig"]["LogConfig"] == {"Type": "local", "Config": {"max-file": "3", "max-size": "10m"}}


def test_rfx_07_image_says_version_build_date_and_commit(labels: dict[str, str]) -> None:
    found = {name.rpartition(".")[2]: value for name, value in labels.items() if name.startswith("org.opencontainers")}
    assert found["version"] == "1.0.0"
    assert len(found["revision"]) == 8
    assert datetime.fromisoformat(found["created"].replace("Z", "+00:00")).year >= 2026
