# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from dataclasses import replace

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.release.colour_plan import DeploymentPlan
from ansible_collections.composeops.stack.plugins.module_utils.release.containers import Container, PortBinding
from ansible_collections.composeops.stack.plugins.module_utils.release.history import Release
from ansible_collections.composeops.stack.plugins.module_utils.release.plan import make_plan
from ansible_collections.composeops.stack.plugins.module_utils.release.report import (
    releases_summary,
    service_states,
    summary,
    timeline,
)
from ansible_collections.composeops.stack.plugins.module_utils.release.state import StackState
from ansible_collections.composeops.stack.plugins.module_utils.release.takeover import Outcome
from ansible_collections.composeops.stack.plugins.module_utils.tables import table

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


IMAGES = {
    "web": "registry.example.com/shop/web:1.1.0",
    "jobs": "registry.example.com/shop/web:1.1.0",
    "db": "db@sha256:1",
}
RECORD = StackState("shop", "shop", "r", "t", release=7, colour="green", warm="blue", warm_release=6)
RELEASES = [
    Release(8, "2026-05-01T12:10:00+00:00", "failed", "r8", "blue", IMAGES, reason="Stack shop: web: " + "x" * 200),
    Release(7, "2026-05-01T12:00:00+00:00", "active", "r7", "green", IMAGES, seconds={"start": 4.2, "watch": 5.0}),
    Release(6, "2026-04-01T12:00:00+00:00", "superseded", "r6", "blue", {"web": "web:1"}),
    Release(5, "2026-03-01T12:00:00+00:00", "abandoned", "r5", "", {f"s{n}": f"service-{n}:1.0" for n in range(9)}),
]


def test_the_table_of_releases_marks_what_serves_and_what_is_kept_running() -> None:
    rows = releases_summary("shop", RELEASES, RECORD)["rows"]
    assert rows[1] == ["* 7", "2026-05-01 12:00", "green", "active", "9.2", "db web:1.1.0", "-"]
    assert rows[2] == ["  6", "2026-04-01 12:00", "blue", "superseded, warm", "-", "web:1", "-"]
    assert rows[0][0] == "  8"


@pytest.mark.parametrize("record", [RECORD, None], ids=["deployed", "not deployed"])
def test_the_table_of_releases_fits_into_120_columns(record: StackState | None) -> None:
    shown = releases_summary("shop", RELEASES, record)
    lines = table(shown["columns"], shown["rows"])
    assert max(len(f"  {line}") for line in lines) <= 120
    assert "  web: xxx" in lines[2]
    assert lines[2].endswith("x…")


def test_the_time_line_of_a_release_is_in_the_order_of_its_steps() -> None:
    plan = DeploymentPlan(make_plan((), (), images={}))
    outcome = Outcome(plan, (), {}, 7, {"watch": 5.0, "start": 4.25, "switch": 0.001}, released=True)
    assert timeline("shop", outcome) == [
        {
            "title": "Release 7 of shop",
            "columns": ["step", "seconds"],
            "rows": [["start", "4.25"], ["switch", "0.00"], ["watch", "5.00"], ["all", "9.25"]],
        }
    ]
    assert timeline("shop", replace(outcome, released=False)) == []


def test_the_table_has_a_row_for_each_service_declared_or_found() -> None:
    digests = {"web": "sha256:60c9d05f1f2e44a1b7"}
    states = service_states({"web": [WEB], "old": [JOB]}, {"web": "web:1", "db": "db:1"}, digests)
    assert summary("shop", states) == {
        "title": "Services of shop",
        "columns": ["service", "image", "digest", "state", "health", "ports"],
        "rows": [
            ["db", "db:1", "-", "absent", "-", "-"],
            ["old", "web:1", "-", "exited (0)", "-", "-"],
            ["web", "web:1", "60c9d05f1f2e", "running", "healthy", "127.0.0.1:21000->80/tcp"],
        ],
    }
