"""The zviewer system in production, requirement by requirement; nothing is changed but a key of Consul's."""

from __future__ import annotations

import json
import statistics
import time
import uuid
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from tests.integration.bed_host import BedHost
from tests.support import scan
from tests.support.containers import record
from tests.support.outside import Outside
from tests.support.zviewer import (
    LOCKED,
    PATHS,
    SITE,
    ask,
    consul,
    gateway_times,
    instances,
    keys,
)

REPLICAS = 2
MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"


@pytest.fixture(scope="module")
def running(host: Any) -> dict[str, list[dict[str, Any]]]:
    """Every container of the stack, by service."""
    return instances(host.check_output)


def until(seconds: float, condition: Any) -> bool:
    """Wait for a condition; return whether it came."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.2)
    return True


@pytest.mark.parametrize("service", PATHS)
def test_zvw_01_every_instance_is_registered_with_a_health_check_that_passes(operator: BedHost, service: str) -> None:
    listed = consul(operator, f"health/service/{service}?passing=true")
    assert len({entry["Service"]["ID"] for entry in listed}) == REPLICAS
    checks = [check for entry in listed for check in entry["Checks"] if check["ServiceID"]]
    assert {(check["Status"], check["Type"]) for check in checks} == {("passing", "http")}


def test_zvw_01_services_find_each_other_through_consul(
    outside: Outside, running: dict[str, list[dict[str, Any]]]
) -> None:
    found = ask(outside, "media-service", "/discover/comments-service").json()
    addresses = {
        network["IPAddress"]
        for container in running["comments-service"]
        for network in container["NetworkSettings"]["Networks"].values()
    }
    assert found["address"] in addresses
    assert {instance["version"] for instance in found["instances"]} == {"1.0.0"}
    assert ask(outside, "media-service", "/discover/nobody").status == 404


def test_zvw_01_configuration_changes_while_the_services_run(operator: BedHost, outside: Outside) -> None:
    value = uuid.uuid4().hex
    operator.run(
        ["docker", "exec", "zviewer-consul-1", "consul", "kv", "put", "config/comments-service", value], check=True
    )

    def everywhere() -> bool:
        return {ask(outside, "comments-service", "/config").json()["value"] for _ in range(8)} == {value}

    assert until(5, everywhere)


def test_zvw_02_every_path_leads_to_its_service(operator: BedHost, outside: Outside) -> None:
    key = keys(operator)["partner"]
    answered = {service: ask(outside, service, "/health", key).json()["service"] for service in PATHS}
    assert answered == {service: service for service in PATHS}
    assert outside.https(SITE, "/elsewhere").status == 404


def test_zvw_03_edge_sends_each_request_to_the_gateway_with_the_fewest(host: Any) -> None:
    configuration = host.check_output("nginx -T 2>/dev/null")
    endpoints = record(host.check_output, "zviewer")["endpoints"]
    for colour in ("blue", "green"):
        start = configuration.index(f"upstream zviewer-gateway-8000-{colour} {{")
        block = configuration[start : configuration.index("}", start)]
        assert "least_conn;" in block
        own = [entry for entry in endpoints if entry["colour"] == colour]
        assert len(own) == REPLICAS
        assert all(f"server {entry['address']}:{entry['host_port']};" in block for entry in own)


def test_zvw_03_tls_ends_at_the_edge(outside: Outside) -> None:
    assert ("DNS", SITE) in outside.certificate(SITE)["subjectAltName"]
    answer = outside.http(SITE, "/api/health")
    assert (answer.status, answer.headers["location"]) == (301, f"https://{SITE}/api/health")


def test_a_scan_against_mozillas_intermediate_profile_finds_nothing(outside: Outside, authority: Path) -> None:
    found = scan.tls(outside.address, [SITE], authority)[SITE]
    assert dict(found.issues) == {}
    assert found.versions == {"tls_1_2", "tls_1_3"}


def test_zvw_03_status_page_is_for_the_host_alone(host: Any, outside: Outside) -> None:
    request = "urllib.request.Request('http://127.0.0.1/status', headers={'Host': 'composeops.invalid'})"
    page = host.check_output(
        f'python3 -c "import urllib.request; print(urllib.request.urlopen({request}).read().decode())"'
    )
    assert "Active connections: " in page
    assert outside.http("composeops.invalid", "/status").status == 403


def test_zvw_04_every_service_has_several_instances_and_they_are_healthy(
    running: dict[str, list[dict[str, Any]]],
) -> None:
    counted = {service: len(containers) for service, containers in running.items()}
    assert counted == {**dict.fromkeys([*PATHS, "gateway"], REPLICAS), "postgres": 1, "consul": 1}
    assert {c["State"]["Health"]["Status"] for containers in running.values() for c in containers} == {"healthy"}


def test_zvw_06_services_run_as_nobody_special(host: Any, running: dict[str, list[dict[str, Any]]]) -> None:
    own = [container for service in [*PATHS, "gateway"] for container in running[service]]
    pids = " ".join(str(container["State"]["Pid"]) for container in own)
    users = host.check_output(f"ps -o uid= -p {pids.replace(' ', ',')}").split()
    assert len(users) == len(own)
    assert "0" not in users
    assert all(container["HostConfig"]["CapDrop"] == ["ALL"] for container in own)


def test_zvw_06_image_of_a_service_is_below_100_mb(overlay: dict[str, Any]) -> None:
    """What a registry keeps and a host pulls of it; the sample application's image stands for all five."""
    mirror = HTTPConnection(overlay["docker_engine_registry_mirrors"][0].removeprefix("http://"), timeout=10)
    mirror.request("GET", "/v2/zviewer/main-server/manifests/1.0.0", headers={"Accept": MANIFEST})
    manifest = json.load(mirror.getresponse())
    mirror.close()
    assert 1_000_000 < sum(layer["size"] for layer in manifest["layers"]) < 100_000_000


def test_zvw_07_database_media_configuration_and_logs_are_on_volumes(
    running: dict[str, list[dict[str, Any]]],
) -> None:
    volumes = {
        (service, mount["Name"])
        for service, containers in running.items()
        for container in containers
        for mount in container["Mounts"]
        if mount["Type"] == "volume"
    }
    assert {
        ("postgres", "zviewer_postgres_data"),
        ("consul", "zviewer_consul_data"),
        ("media-service", "zviewer_media"),
    } <= volumes
    assert {(service, "zviewer_logs") for service in PATHS} <= volumes


def test_zvw_07_a_backup_is_taken_every_day_by_itself(host: Any) -> None:
    for source in ("zviewer-database", "zviewer-media"):
        timer = host.service(f"composeops-backup@{source}.timer")
        assert timer.is_enabled, source
        assert timer.is_running, source


def test_zvw_08_discovery_takes_less_than_100_ms(outside: Outside) -> None:
    taken = [ask(outside, "main-server", "/discover/media-service").json()["milliseconds"] for _ in range(40)]
    print(f"discovery: median {statistics.median(taken):.1f} ms, longest {max(taken):.1f} ms")
    assert statistics.median(taken) < 100


def test_zvw_08_gateway_answers_within_50_ms(operator: BedHost) -> None:
    taken = gateway_times(operator, "/api/version", 200)
    print(f"gateway: median {statistics.median(taken):.1f} ms, longest {max(taken):.1f} ms")
    assert statistics.median(taken) < 50


def test_zvw_08_metrics_of_the_host_are_younger_than_a_minute(host: Any) -> None:
    assert host.check_output("find /var/lib/composeops/metrics -name '*.prom' -newermt '-60 seconds'")


def test_only_web_and_ssh_answer_from_outside(host: Any, outside: Outside) -> None:
    routed = [endpoint["host_port"] for endpoint in record(host.check_output, "zviewer")["endpoints"]]
    assert [port for port in (22, 80, 443) if not outside.reachable(port, timeout=10)] == []
    assert [port for port in (5432, 8000, 8001, 8002, 8500, *routed) if outside.reachable(port, timeout=1)] == []


def test_secrets_are_in_no_inspection(host: Any) -> None:
    secrets = json.loads(host.file("/etc/composeops/secrets/zviewer.json").content_string)
    assert {"DB_PASSWORD", "JWT_SECRET", "GATEWAY_KEY_PARTNER", "GATEWAY_KEY_OPERATIONS"} <= set(secrets)
    everything = host.check_output("docker ps -aq | xargs docker inspect")
    everything += host.check_output("cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' '; true")
    assert [name for name, value in secrets.items() if value in everything] == []


def test_host_carries_out_its_checks_without_ansible(operator: BedHost) -> None:
    checked = operator.run("composeops check")
    assert checked.ok, checked.stdout + checked.stderr


def test_locked_services_are_those_that_the_checks_expect_to_refuse(outside: Outside) -> None:
    assert {service for service in PATHS if ask(outside, service, "/version").status == 401} == set(LOCKED)
