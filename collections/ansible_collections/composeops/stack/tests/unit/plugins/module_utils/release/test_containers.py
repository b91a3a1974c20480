# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.release.containers import (
    Container,
    PortBinding,
    by_service,
    parse,
    timestamp,
)

# What Docker 26.1 says of a running container, without what is not read.
RUNNING: dict[str, Any] = {
    "Id": "b3066ec8ab6e",
    "State": {
        "Status": "running",
        "Running": True,
        "OOMKilled": False,
        "ExitCode": 0,
        "Error": "",
        "StartedAt": "2026-11-22T04:33:21.486348834Z",
        "FinishedAt": "2026-11-22T04:33:21.145420754Z",
        "Health": {
            "Status": "healthy",
            "FailingStreak": 0,
            "Log": [
                {"Start": "2026-11-22T04:33:06Z", "ExitCode": 1, "Output": "refused"},
                {"Start": "2026-11-22T04:33:07Z", "ExitCode": 0, "Output": "ok"},
            ],
        },
    },
    "Image": "sha256:60c9b1a8",
    "Name": "/shop-web-1",
    "RestartCount": 2,
    "HostConfig": {
        "PortBindings": {"3000/tcp": [{"HostIp": "127.0.0.1", "HostPort": "21000"}], "53/udp": [{"HostPort": "53"}]}
    },
    "Config": {
        "Image": "shop/web:1.0.0",
        "Labels": {
            "com.docker.compose.container-number": "1",
            "com.docker.compose.oneoff": "False",
            "com.docker.compose.service": "web",
            "composeops.revision": "aaaa",
        },
    },
}


def changed(document: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """Return a copy with the entry at ``path`` set."""
    first, _, rest = path.partition("/")
    return {**document, first: changed(document[first], rest, value) if rest else value}


def test_reads_a_running_container() -> None:
    assert parse([RUNNING]) == [
        Container(
            identifier="b3066ec8ab6e",
            name="shop-web-1",
            service="web",
            number=1,
            status="running",
            health="healthy",
            image="shop/web:1.0.0",
            image_id="sha256:60c9b1a8",
            revision="aaaa",
            started_at=timestamp("2026-11-22T04:33:21.486348834Z"),
            restart_count=2,
            ports=(PortBinding(3000, "tcp", "127.0.0.1", 21000), PortBinding(53, "udp", "0.0.0.0", 53)),  # noqa: S104
        )
    ]


def test_a_container_without_a_health_check_has_no_health() -> None:
    state = {key: value for key, value in RUNNING["State"].items() if key != "Health"}
    assert parse([changed(RUNNING, "State", state)])[0].health == ""


def test_a_switched_off_health_check_is_none() -> None:
    assert parse([changed(RUNNING, "State/Health/Status", "none")])[0].health == ""


def test_the_last_failed_probe_is_kept() -> None:
    log = [{"ExitCode": 0, "Output": "ok"}, {"ExitCode": 1, "Output": "HTTP 503\n"}]
    assert parse([changed(RUNNING, "State/Health/Log", log)])[0].last_probe == "HTTP 503"


def test_containers_of_compose_run_are_left_out() -> None:
    labels = {**RUNNING["Config"]["Labels"], "com.docker.compose.oneoff": "True"}
    assert parse([changed(RUNNING, "Config/Labels", labels)]) == []


def test_a_container_that_this_collection_did_not_make_has_no_revision() -> None:
    labels = {"com.docker.compose.service": "web"}
    assert parse([changed(RUNNING, "Config/Labels", labels)])[0].revision == ""


def test_a_range_of_host_ports_is_every_port_of_it() -> None:
    bindings = {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "21000-21002"}]}
    found = parse([changed(RUNNING, "HostConfig/PortBindings", bindings)])[0]
    assert [port.host_port for port in found.ports] == [21000, 21001, 21002]


def test_replicas_are_in_order() -> None:
    labels = RUNNING["Config"]["Labels"]
    documents = [
        changed(RUNNING, "Config/Labels", {**labels, "com.docker.compose.container-number": number})
        for number in ("10", "2", "1")
    ]
    assert [container.number for container in by_service(parse(documents))["web"]] == [1, 2, 10]


TIMES = {
    "nanoseconds": ("1970-01-01T00:00:01.500000001Z", 1.500000001),
    "whole seconds": ("1970-01-02T00:00:00Z", 86400.0),
    "never": ("0001-01-01T00:00:00Z", 0.0),
    "nothing": ("", 0.0),
}


@pytest.mark.parametrize(("text", "seconds"), TIMES.values(), ids=TIMES.keys())
def test_reads_the_engines_timestamps(text: str, seconds: float) -> None:
    assert timestamp(text) == pytest.approx(seconds)
