"""The pet-care system in production, requirement by requirement; nothing is changed but for a row and a key."""

from __future__ import annotations

import json
import time
import uuid
from datetime import datetime, timezone
from typing import Any

import pytest

from tests.integration.bed_host import BedHost
from tests.support import containers as stack
from tests.support.outside import Outside

APP, CUSTOMER, MOBILE = "app.petcare.com", "customer.petcare.com", "mobile-api.petcare.com"
SITES = (APP, CUSTOMER, MOBILE)
SERVICES = {
    "postgres": "postgres:15-alpine",
    "redis": "redis:7-alpine",
    "mosquitto": "eclipse-mosquitto:2",
    "backend": "petcare/backend:1.0.0",
    "frontend": "petcare/frontend:1.0.0",
    "mobile-backend": "petcare/mobile-backend:1.0.0",
    "customer-portal": "petcare/customer-portal:1.0.0",
}
# What the seed document had built in, and what every attacker tries first.
DEFAULT_PASSWORDS = {"petpass123", "redispass123", "admin", "changeme", "postgres", "password"}


@pytest.fixture(scope="module")
def containers(host: Any) -> dict[str, dict[str, Any]]:
    """What `docker inspect` says of each service's container."""
    return stack.containers(host.check_output)


@pytest.fixture(scope="module")
def record(host: Any) -> dict[str, Any]:
    """What the host has recorded of the stack."""
    return stack.record(host.check_output)


@pytest.fixture(scope="module")
def secrets(host: Any) -> dict[str, str]:
    """The secrets of the stack, as the host keeps them."""
    content: dict[str, str] = json.loads(host.file("/etc/composeops/secrets/petcare.json").content_string)
    return content


@pytest.fixture(scope="module")
def rendered(host: Any) -> dict[str, Any]:
    """The compose file as it is deployed."""
    content: dict[str, Any] = json.loads(host.file("/var/lib/composeops/stacks/petcare/compose.json").content_string)
    return content


def until(seconds: float, condition: Any) -> bool:
    """Wait for a condition; return whether it came."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.2)
    return True


def test_pet_01_every_service_runs_its_image_and_is_healthy(containers: dict[str, dict[str, Any]]) -> None:
    states = {
        name: (found["Config"]["Image"], found["State"]["Health"]["Status"]) for name, found in containers.items()
    }
    assert states == {name: (image, "healthy") for name, image in SERVICES.items()}


def test_pet_01_databases_have_the_majors_that_are_asked_for(host: Any) -> None:
    assert "(PostgreSQL) 15." in host.check_output("docker exec petcare-postgres-1 postgres --version")
    assert " v=7." in host.check_output("docker exec petcare-redis-1 redis-server --version")


def test_pet_01_redis_wants_its_password_and_appends(operator: BedHost, secrets: dict[str, str]) -> None:
    ask = ["docker", "exec", "-i", "petcare-redis-1"]
    refused = operator.run([*ask, "redis-cli", "CONFIG", "GET", "appendonly"])
    assert "NOAUTH" in refused.stdout
    script = "IFS= read -r REDISCLI_AUTH; export REDISCLI_AUTH; exec redis-cli CONFIG GET appendonly"
    answered = operator.run([*ask, "sh", "-c", script], stdin=f"{secrets['REDIS_PASSWORD']}\n", check=True)
    assert answered.stdout.split() == ["appendonly", "yes"]


def test_pet_01_mobile_backend_reaches_the_broker(outside: Outside) -> None:
    before = outside.https(MOBILE, "/messages").json()
    assert before["connected"]
    assert outside.https(MOBILE, "/publish", method="POST", body={"pet": "rex"}).status == 200
    assert until(10, lambda: outside.https(MOBILE, "/messages").json()["received"] > before["received"])


def test_pet_02_sites_lead_to_their_services(outside: Outside) -> None:
    assert "<html" in outside.https(APP).body.decode().lower()
    assert outside.https(APP, "/version.txt").body.strip() == b"1.0.0"
    answered = {
        place: outside.https(*place).json()["service"]
        for place in [(APP, "/api/health"), (CUSTOMER, "/health"), (MOBILE, "/health")]
    }
    assert answered == {
        (APP, "/api/health"): "backend",
        (CUSTOMER, "/health"): "customer-portal",
        (MOBILE, "/health"): "mobile-backend",
    }


@pytest.mark.parametrize(
    ("name", "path"), [(APP, "/api/echo-headers"), (CUSTOMER, "/echo-headers"), (MOBILE, "/echo-headers")]
)
def test_pet_02_services_learn_who_asked_for_what(outside: Outside, name: str, path: str) -> None:
    headers = outside.https(name, path, headers={"X-Forwarded-For": "203.0.113.9"}).json()["headers"]
    assert headers["host"] == name
    assert headers["x-forwarded-proto"] == "https"
    assert headers["x-real-ip"] not in ("", "127.0.0.1", "203.0.113.9")
    assert headers["x-forwarded-for"].split(", ")[-1] == headers["x-real-ip"]


def test_pet_02_websocket_echoes(outside: Outside) -> None:
    assert outside.echo(MOBILE, "/ws", "hello") == "hello"


def test_pet_02_further_backends_can_be_added_to_an_upstream(host: Any, record: dict[str, Any]) -> None:
    upstreams = host.check_output("nginx -T 2>/dev/null")
    block = upstreams[upstreams.index("upstream") :]
    assert record["endpoints"]
    for endpoint in record["endpoints"]:
        assert f"server {endpoint['address']}:{endpoint['host_port']}" in block, endpoint


@pytest.mark.parametrize("name", SITES)
def test_pet_03_site_answers_over_https_with_a_trusted_certificate(outside: Outside, name: str) -> None:
    assert outside.https(name).status == 200
    certificate = outside.certificate(name)
    assert ("DNS", name) in certificate["subjectAltName"]
    ends = datetime.strptime(certificate["notAfter"], "%b %d %H:%M:%S %Y %Z").replace(tzinfo=timezone.utc)
    assert ends > datetime.now(timezone.utc)


@pytest.mark.parametrize("name", SITES)
def test_pet_03_http_redirects_to_https(outside: Outside, name: str) -> None:
    answer = outside.http(name, "/a/b?c=d")
    assert answer.status in (301, 308)
    assert answer.headers["location"] == f"https://{name}/a/b?c=d"


def test_pet_03_unknown_name_gets_no_site(outside: Outside) -> None:
    with pytest.raises(OSError, match=r"(?i)ssl|tls|reset|alert"):
        outside.certificate("unknown.example")


def test_pet_03_certificates_are_renewed_by_a_timer(host: Any) -> None:
    timer = host.service("certbot.timer")
    assert timer.is_enabled
    assert timer.is_running


def test_what_a_clock_that_is_set_starts_replaces_the_workers_of_nginx(host: Any) -> None:
    """The clock itself is the machine's, and no test's to set."""
    timer = host.service("composeops-edge-clock.timer")
    assert timer.is_enabled
    assert timer.is_running
    assert host.check_output("systemctl show --value -p OnClockChange composeops-edge-clock.timer") == "yes"
    workers = "pgrep -P $(cat /run/nginx.pid)"
    before = set(host.check_output(workers).split())
    host.check_output("systemctl start composeops-edge-clock.service")
    assert set(host.check_output(workers).split()) - before


def test_pet_04_environment_of_the_backend_is_complete(containers: dict[str, dict[str, Any]], host: Any) -> None:
    environment = dict(line.split("=", 1) for line in containers["backend"]["Config"]["Env"])
    plain = {"DB_USER", "DB_NAME", "WECHAT_APP_ID", "GOOGLE_CLIENT_ID", "SMTP_HOST", "SMTP_PORT", "SMTP_USER"}
    plain |= {"AWS_S3_BUCKET", "AWS_ACCESS_KEY_ID"}
    assert {name for name in plain if not environment.get(name)} == set()
    kept = {"DB_PASSWORD", "REDIS_PASSWORD", "JWT_SECRET", "JWT_REFRESH_SECRET", "WECHAT_APP_SECRET", "SMTP_PASS"}
    kept |= {"AWS_SECRET_ACCESS_KEY", "SENTRY_DSN"}
    for name in sorted(kept):
        path = environment[f"{name}_FILE"]
        found = host.run(f"docker exec {containers['backend']['Id']} test -s {path}")
        assert found.succeeded, f"{name} has no value in {path}"


def test_pet_04_addresses_of_the_api_reach_the_frontends(containers: dict[str, dict[str, Any]]) -> None:
    assert "VITE_API_BASE_URL=https://app.petcare.com/api" in containers["frontend"]["Config"]["Env"]
    assert "NEXT_PUBLIC_API_URL=https://app.petcare.com/api" in containers["customer-portal"]["Config"]["Env"]


def test_pet_04_secrets_are_nobodys_defaults(secrets: dict[str, str]) -> None:
    assert set(secrets.values()) & DEFAULT_PASSWORDS == set()
    generated = [secrets[name] for name in ("DB_PASSWORD", "REDIS_PASSWORD", "JWT_SECRET", "JWT_REFRESH_SECRET")]
    assert all(len(value) >= 40 for value in generated)
    assert len(set(secrets.values())) == len(secrets)


def test_pet_04_secrets_are_readable_by_root_alone(host: Any) -> None:
    directory = host.file("/etc/composeops/secrets")
    assert (directory.user, directory.mode) == ("root", 0o700)
    for name in ("secrets/petcare.json", "backup.json", "checks.json"):
        file = host.file(f"/etc/composeops/{name}")
        assert (file.user, file.mode) == ("root", 0o600), name


def test_pet_04_secrets_are_in_no_inspection(host: Any, secrets: dict[str, str]) -> None:
    everything = host.check_output("docker ps -aq | xargs docker inspect")
    everything += host.check_output("docker image ls -q | sort -u | xargs docker image inspect")
    assert [name for name, value in secrets.items() if value in everything] == []


def test_pet_04_secrets_are_in_no_arguments_and_no_environment_of_a_service(
    host: Any, containers: dict[str, dict[str, Any]], secrets: dict[str, str]
) -> None:
    arguments = host.check_output("cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' '; true")
    processes = " ".join(f"/proc/{found['State']['Pid']}/environ" for found in containers.values())
    environments = host.check_output(f"cat {processes} | tr '\\0' ' '")
    assert "POSTGRES_PASSWORD_FILE" in environments
    assert [name for name, value in secrets.items() if value in arguments + environments] == []


def test_pet_04_secrets_are_in_no_log_and_no_file_that_others_read(operator: BedHost, secrets: dict[str, str]) -> None:
    patterns = "".join(f"{value}\n" for value in secrets.values())
    directories = "/etc /home /opt /run /srv /tmp /usr/local /var/cache /var/lib/composeops /var/log /var/tmp"
    operator.run("umask 077; cat > /run/composeops-test-patterns", stdin=patterns, check=True)
    try:
        search = "grep --fixed-strings --file=/run/composeops-test-patterns"
        journal = operator.run(f"journalctl --no-pager --quiet | {search} --count")
        readable = f"find {directories} -xdev -type f -perm /004 -print0"
        files = operator.run(f"{readable} | xargs --null --no-run-if-empty {search} --files-with-matches")
    finally:
        operator.run("rm /run/composeops-test-patterns", check=True)
    assert journal.stdout.strip() == "0", "secrets are in the journal"
    assert files.stdout == "", "secrets are in files that others can read"


def test_pet_05_postgres_is_asked_whether_it_is_ready(rendered: dict[str, Any]) -> None:
    check = rendered["services"]["postgres"]["healthcheck"]
    assert "pg_isready" in " ".join(check["test"])
    assert (check["interval"], check["timeout"], check["retries"]) == ("30s", "10s", 3)


def test_pet_05_backend_is_started_after_what_it_needs(containers: dict[str, dict[str, Any]]) -> None:
    """That it waits until PostgreSQL is healthy shows when everything starts anew (test_4_recovery.py)."""
    started = {name: found["State"]["StartedAt"] for name, found in containers.items()}
    assert max(started["postgres"], started["redis"]) < started["backend"]


def test_pet_08_backups_are_taken_every_half_hour_by_themselves(host: Any) -> None:
    for source in ("database", "redis"):
        timer = host.service(f"composeops-backup@{source}.timer")
        assert timer.is_enabled, source
        assert timer.is_running, source
        calendar = host.check_output(f"systemctl show --property=TimersCalendar composeops-backup@{source}.timer")
        assert "*-*-* *:00,30:00" in calendar, calendar


def test_pet_07_first_backups_are_in_the_bucket(overlay: dict[str, Any], tmp_path: Any) -> None:
    import boto3
    from botocore.config import Config

    store = overlay["backup_store"]
    authority = tmp_path / "ca.pem"
    authority.write_text(store["ca"])
    client = boto3.client(
        "s3",
        endpoint_url=store["endpoint"],
        region_name=store["region"],
        aws_access_key_id=store["access_key"],
        aws_secret_access_key=store["secret_key"],
        verify=str(authority),
        config=Config(s3={"addressing_style": "path"}),
    )
    for source in ("database", "redis"):
        listed = client.list_objects_v2(Bucket="pet-care-backups", Prefix=f"{source}/").get("Contents", [])
        names = {item["Key"].rsplit("/", 1)[1] for item in listed}
        assert "manifest.json" in names, source
        assert len(names) > 1, source


def test_pet_11_only_web_and_ssh_answer_from_outside(outside: Outside, record: dict[str, Any]) -> None:
    routed = [endpoint["host_port"] for endpoint in record["endpoints"]]
    inner = [5432, 6379, 1883, 3000, 3001, 3002, 3003, *routed, 9090, 9200]
    assert [port for port in (22, 80, 443) if not outside.reachable(port, timeout=10)] == []
    assert [port for port in inner if outside.reachable(port, timeout=1)] == []


def test_pet_11_what_is_published_is_on_the_loopback(containers: dict[str, dict[str, Any]]) -> None:
    published = {
        name: {
            binding["HostIp"] for bindings in found["NetworkSettings"]["Ports"].values() for binding in bindings or []
        }
        for name, found in containers.items()
    }
    routed = {"backend", "frontend", "mobile-backend", "customer-portal"}
    assert published == {name: {"127.0.0.1"} if name in routed else set() for name in SERVICES}


def test_pet_11_services_share_one_bridge_network(
    containers: dict[str, dict[str, Any]], record: dict[str, Any], host: Any
) -> None:
    shared, own = "petcare_pet-network", f"petcare-{record['colour']}_composeops-release"
    joined = {name: set(found["NetworkSettings"]["Networks"]) for name, found in containers.items()}
    routed = {"backend", "frontend", "mobile-backend", "customer-portal"}
    assert joined == {name: {shared, own} if name in routed else {shared} for name in SERVICES}
    inspect = "docker network inspect --format '{{.Driver}} {{.Internal}}'"
    assert host.check_output(f"{inspect} {shared}") == "bridge false"
    # There for names alone: it leads nowhere.
    assert host.check_output(f"{inspect} {own}") == "bridge true"


def test_pet_11_data_is_on_named_volumes(containers: dict[str, dict[str, Any]]) -> None:
    volumes = {
        (name, mount["Name"])
        for name, found in containers.items()
        for mount in found["Mounts"]
        if mount["Type"] == "volume" and mount["Name"].startswith("petcare_")
    }
    assert volumes >= {("postgres", "petcare_postgres_data"), ("redis", "petcare_redis_data")}
    assert ("backend", "petcare_backend_logs") in volumes


def test_pet_11_initial_sql_ran_on_the_first_start(host: Any) -> None:
    query = "SELECT count(*) FROM pg_extension WHERE extname = 'pgcrypto'"
    psql = f'docker exec petcare-postgres-1 psql --username=petuser --dbname=pet_system -tAc "{query}"'
    assert host.check_output(psql) == "1"


def test_pet_08_monitor_watches_every_check_and_has_nothing_to_say(host: Any) -> None:
    """That it heals what fails shows where it is tested alone (tests/integration/test_monitor.py)."""
    service = host.service("composeops-monitor")
    assert service.is_enabled
    assert service.is_running
    told = json.loads(host.file("/etc/composeops/monitor.json").content_string)
    said = host.check_output("journalctl --no-pager --output=cat --unit=composeops-monitor")
    assert f"watching {len(told['checks'])} checks, every 30 s, after 30 s" in said
    assert [line for line in said.splitlines() if " failed " in line or " failing" in line or "restart" in line] == []


def test_rows_and_keys_are_stored_through_the_api(outside: Outside) -> None:
    token = uuid.uuid4().hex
    made = outside.https(APP, "/api/pets", method="POST", body={"name": "Rex", "species": "dog", "request_id": token})
    assert made.status == 201
    again = outside.https(APP, "/api/pets", method="POST", body={"name": "Rex", "species": "dog", "request_id": token})
    assert (again.status, again.json()["id"]) == (200, made.json()["id"])
    assert outside.https(APP, f"/api/cache/{token}", method="PUT", body="bone").status == 200
    assert outside.https(APP, f"/api/cache/{token}").body == b"bone"


def test_host_carries_out_its_checks_without_ansible(operator: BedHost) -> None:
    checked = operator.run("composeops check")
    assert checked.ok, checked.stdout + checked.stderr


def test_no_unit_failed(host: Any) -> None:
    assert host.check_output("systemctl --failed --no-legend --plain") == ""
