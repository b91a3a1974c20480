# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from dataclasses import replace

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.release.containers import Container, PortBinding
from ansible_collections.composeops.stack.plugins.module_utils.release.report import service_states, summary

WEB = Container(
    identifier="c1",
    name="shop-web-1",
    service="web",
    number=1,
    status="running",
    health="healthy",
    image="web:1",
    image_id="sha256:1",
    revision="r1",
    restarts=True,
    ports=(PortBinding(80, "tcp", "127.0.0.1", 21000),),
)
JOB = replace(WEB, status="exited", health="", restarts=False, ports=())
SECOND = replace(WEB, name="shop-web-2", number=2)

STATES: dict[str, tuple[list[Container], str, str, bool]] = {
    "healthy": ([WEB], "running", "healthy", True),
    "without a health check": ([replace(WEB, health="")], "running", "", True),
    "starting": ([replace(WEB, health="starting")], "running", "starting", False),
    "unhealthy": ([replace(WEB, health="unhealthy")], "running", "unhealthy", False),
    "no container": ([], "absent", "", False),
    "a job that ended well": ([JOB], "exited (0)", "", True),
    "a job that failed": ([replace(JOB, exit_code=3)], "exited (3)", "", False),
    "a service that was stopped": ([replace(JOB, restarts=True)], "exited (0)", "", False),
    "a stopped service with a health check": ([replace(JOB, health="unhealthy")], "exited (0)", "unhealthy", False),
    "restarting": ([replace(WEB, status="restarting")], "restarting", "healthy", False),
    "replicas that agree": ([WEB, SECOND], "2 running", "2 healthy", True),
    "replicas that differ": (
        [WEB, replace(SECOND, status="exited", exit_code=1, health="")],
        "running, exited (1)",
        "healthy, ",
        False,
    ),
}


@pytest.mark.parametrize(("containers", "state", "health", "ok"), STATES.values(), ids=STATES.keys())
def test_describes(containers: list[Container], state: str, health: str, ok: bool) -> None:
    (entry,) = service_states({"web": containers}, {"web": "web:1"}, {"web": "sha256:d"})
    assert (entry["state"], entry["health"], entry["ok"]) == (state, health, ok)
    assert (entry["image"], entry["digest"]) == ("web:1", "sha256:d")


def test_the_table_has_a_row_for_each_service_declared_or_found() -> None:
    states = service_states({"web": [WEB], "old": [JOB]}, {"web": "web:1", "db": "db:1"}, {})
    assert summary("shop", states) == {
        "title": "Services of shop",
        "columns": ["service", "image", "state", "health", "ports"],
        "rows": [
            ["db", "db:1", "absent", "-", "-"],
            ["old", "web:1", "exited (0)", "-", "-"],
            ["web", "web:1", "running", "healthy", "127.0.0.1:21000->80/tcp"],
        ],
    }
