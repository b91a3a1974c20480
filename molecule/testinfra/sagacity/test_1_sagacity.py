"""The sagacity system in production, requirement by requirement; nothing is changed but for a document.

A stand-in plays MongoDB where Docker Hub does not answer (molecule/testbed/images/mongo-stand-in): what is said of
MongoDB here was then shown with that, and not with MongoDB itself.
"""

from __future__ import annotations

import gzip
import json
import socket
import time
import uuid
from pathlib import Path
from typing import Any

import pytest

from tests.integration.bed_host import BedHost
from tests.support import containers as stack
from tests.support import scan
from tests.support.outside import Outside

SITE = "sagacity.example.com"
STACK = "sagacity"
SERVICES = {
    "mongodb": "mongo:7",
    "redis": "redis:7-alpine",
    "backend": "sagacity/backend:1.0.0",
    "worker": "sagacity/worker:1.0.0",
    "frontend": "sagacity/frontend:1.0.0",
}
GIB = 1024**3
LIMITS = {"frontend": (1, GIB // 2), "backend": (2, 2 * GIB), "mongodb": (2, 4 * GIB), "redis": (1, GIB)}
NO_STORE = "no-store, no-cache, must-revalidate, proxy-revalidate, max-age=0"


@pytest.fixture(scope="module")
def containers(host: Any) -> dict[str, dict[str, Any]]:
    """What `docker inspect` says of each service's container."""
    return stack.containers(host.check_output, STACK)


@pytest.fixture(scope="module")
def backend(containers: dict[str, dict[str, Any]]) -> str:
    return str(containers["backend"]["Id"])


def test_sag_01_services_run_healthy_from_their_images(containers: dict[str, dict[str, Any]]) -> None:
    assert {name: found["Config"]["Image"] for name, found in containers.items()} == SERVICES
    assert {name: found["State"]["Health"]["Status"] for name, found in containers.items()} == dict.fromkeys(
        SERVICES, "healthy"
    )
    assert {found["HostConfig"]["RestartPolicy"]["Name"] for found in containers.values()} == {"unless-stopped"}


def test_sag_01_stores_are_asked_as_the_requirement_says(containers: dict[str, dict[str, Any]]) -> None:
    asked = {name: " ".join(containers[name]["Config"]["Healthcheck"]["Test"]) for name in SERVICES}
    assert 'db.runCommand("ping")' in asked["mongodb"]
    assert "redis-cli ping" in asked["redis"]
    assert "/api/health" in asked["backend"]


def test_sag_01_backend_reports_its_stores(outside: Outside) -> None:
    found = outside.https(SITE, "/api/health").json()
    assert (found["status"], found["mongodb"], found["redis"]) == ("healthy", "connected", "connected")


def test_sag_01_documents_are_kept_and_work_is_done_by_what_is_routed_nowhere(
    outside: Outside, containers: dict[str, dict[str, Any]]
) -> None:
    token = uuid.uuid4().hex
    assert outside.https(SITE, f"/api/documents/{token}", method="PUT", body={"name": "Sage"}).status == 200
    assert outside.https(SITE, f"/api/documents/{token}").json() == {"_id": token, "name": "Sage"}
    assert outside.https(SITE, "/api/queue", method="POST", body={"id": token}).status == 202
    deadline = time.monotonic() + 20
    while outside.https(SITE, f"/api/work/{token}").status != 200:
        assert time.monotonic() < deadline, "the worker has not done it"
        time.sleep(0.1)
    assert outside.https(SITE, f"/api/work/{token}").json()["times"] == 1
    assert containers["worker"]["HostConfig"]["PortBindings"] in ({}, None)


def test_sag_02_http_is_redirected_and_https_speaks_http_2(outside: Outside) -> None:
    plain = outside.http(SITE, "/api/health?x=1")
    assert (plain.status, plain.headers["location"]) == (301, f"https://{SITE}/api/health?x=1")
    context = outside.context
    context.set_alpn_protocols(["h2", "http/1.1"])
    with (
        socket.create_connection((outside.address, 443), timeout=10) as tcp,
        context.wrap_socket(tcp, server_hostname=SITE) as secured,
    ):
        assert secured.selected_alpn_protocol() == "h2"


def test_sag_02_certificate_is_certbots_and_renews_itself(host: Any, outside: Outside) -> None:
    assert outside.certificate(SITE)["subjectAltName"] == (("DNS", SITE),)
    assert host.file(f"/etc/letsencrypt/renewal/{SITE}.conf").exists
    assert host.service("certbot.timer").is_enabled
    assert host.service("certbot.timer").is_running


def test_a_scan_against_mozillas_intermediate_profile_finds_nothing(outside: Outside, authority: Path) -> None:
    found = scan.tls(outside.address, [SITE], authority)[SITE]
    assert dict(found.issues) == {}
    assert found.versions == {"tls_1_2", "tls_1_3"}


def test_sag_02_answers_of_the_api_are_never_kept_and_are_compressed(outside: Outside) -> None:
    for path in ("/api/health", "/api/version", "/api/nothing-here"):
        assert outside.https(SITE, path).headers["cache-control"] == NO_STORE
    assert "no-store" not in outside.https(SITE, "/").headers.get("cache-control", "")
    long = {"text": "sage " * 1000}
    assert outside.https(SITE, "/api/documents/long", method="PUT", body=long).status == 200
    packed = outside.https(SITE, "/api/documents/long", headers={"Accept-Encoding": "gzip"})
    assert packed.headers["content-encoding"] == "gzip"
    assert json.loads(gzip.decompress(packed.body))["text"] == long["text"]


def test_sag_02_websockets_and_long_answers_have_their_time(host: Any, outside: Outside) -> None:
    assert outside.echo(SITE, "/api/ws", "sage") == "sage"
    loaded = host.check_output("nginx -T 2>/dev/null")
    api = loaded[loaded.index("location /api/ {") :]
    api = api[: api.index("}")]
    for line in ("proxy_connect_timeout 120s;", "proxy_send_timeout 3600s;", "proxy_read_timeout 3600s;"):
        assert line in api
    assert "proxy_set_header Upgrade $http_upgrade;" in api


def test_sag_03_logs_rotate_on_a_volume(host: Any, containers: dict[str, dict[str, Any]], backend: str) -> None:
    described = host.check_output(
        f"docker exec {backend} python3 -c 'import json, tomllib; "
        'print(json.dumps(tomllib.load(open("/app/config/logging.toml", "rb"))["logging"]["handlers"]))\''
    )
    handlers = json.loads(described)
    kept = {name: (handlers[name]["maxBytes"], handlers[name]["backupCount"]) for name in ("file", "errors")}
    assert kept == {"file": (100 * 1024**2, 5), "errors": (50 * 1024**2, 3)}
    mounts = {mount["Destination"]: mount for mount in containers["backend"]["Mounts"]}
    assert mounts["/app/logs"]["Name"] == "sagacity_backend_logs"
    assert "listens on 8000" in host.file(f"{mounts['/app/logs']['Source']}/tradingagents.log").content_string
    assert host.file(f"{mounts['/app/logs']['Source']}/tradingagents_error.log").exists


def test_sag_04_backups_are_hourly_and_daily_and_called_what_they_are(operator: BedHost, host: Any) -> None:
    timers = {source: host.file(f"/etc/systemd/system/composeops-backup@{source}.timer").content_string
              for source in ("mongodb", "redis", "configuration")}  # fmt: skip
    assert "OnCalendar=hourly" in timers["mongodb"]
    assert "OnCalendar=hourly" in timers["redis"]
    assert "OnCalendar=*-*-* 02:30:00" in timers["configuration"]
    listing = operator.output("composeops list mongodb")
    assert "not a consistent snapshot" in listing


def test_sag_05_only_ssh_and_web_are_reachable(outside: Outside, host: Any) -> None:
    for port in (8000, 3000, 27017, 6379):
        assert not outside.reachable(port)
    assert outside.reachable(443)
    assert "policy drop" in host.check_output("nft list ruleset")


def test_sag_05_services_are_in_a_network_of_their_own(containers: dict[str, dict[str, Any]]) -> None:
    for name, found in containers.items():
        assert "sagacity_sagacity-network" in found["NetworkSettings"]["Networks"], name
        assert found["HostConfig"]["NetworkMode"] != "host"


def test_sag_05_stores_answer_only_who_logs_in(host: Any, containers: dict[str, dict[str, Any]], backend: str) -> None:
    asked = (
        "from pymongo import MongoClient; "
        'MongoClient("mongodb", serverSelectionTimeoutMS=5000).sagacity.documents.find_one()'
    )
    refused = host.run(f"docker exec {backend} python3 -c '{asked}'")
    assert refused.rc != 0
    assert "requires authentication" in refused.stderr
    assert "NOAUTH" in host.check_output(f"docker exec {containers['redis']['Id']} redis-cli get x")


def test_sag_05_only_trusted_names_are_answered_and_only_known_pages_may_call(host: Any, outside: Outside) -> None:
    ports = [entry["host_port"] for entry in stack.record(host.check_output, STACK)["endpoints"]
             if entry["service"] == "backend"]  # fmt: skip
    asked = (
        f"import http.client; c = http.client.HTTPConnection('127.0.0.1', {ports[0]}); "
        "c.request('GET', '/api/version', headers={{'Host': '{}'}}); print(c.getresponse().status)"
    )
    assert host.check_output("python3 -c %s", asked.format(SITE)) == "200"
    assert host.check_output("python3 -c %s", asked.format("evil.example.com")) == "400"
    known = outside.https(SITE, "/api/version", headers={"Origin": f"https://{SITE}"})
    assert known.headers["access-control-allow-origin"] == f"https://{SITE}"
    stranger = outside.https(SITE, "/api/version", headers={"Origin": "https://evil.example.com"})
    assert "access-control-allow-origin" not in stranger.headers


def test_sag_05_secrets_are_in_no_container_and_no_process_list(
    host: Any, containers: dict[str, dict[str, Any]]
) -> None:
    secrets = json.loads(host.file(f"/etc/composeops/secrets/{STACK}.json").content_string)
    assert set(secrets) == {"MONGO_PASSWORD", "REDIS_PASSWORD", "JWT_SECRET"}
    seen = json.dumps(containers) + host.check_output("ps -eo args")
    assert [name for name, value in secrets.items() if value in seen] == []


@pytest.mark.parametrize("service", LIMITS)
def test_sag_06_running_containers_have_their_limits(containers: dict[str, dict[str, Any]], service: str) -> None:
    limits = containers[service]["HostConfig"]
    assert (limits["NanoCpus"] / 1e9, limits["Memory"]) == LIMITS[service]
