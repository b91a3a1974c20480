# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from dataclasses import replace

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.release.containers import Container
from ansible_collections.composeops.stack.plugins.module_utils.release.health import Moment, Wanted, judge
from ansible_collections.composeops.stack.plugins.module_utils.release.model import Service

NOW = 1000.0
WEB = Service("web", "shop/web:1", "r1", checked=True, restarts=True)
PLAIN = replace(WEB, checked=False)
JOB = Service("migrate", "shop/web:1", "r1")
RUNNING = Container(
    identifier="c1",
    name="shop-web-1",
    service="web",
    number=1,
    status="running",
    health="healthy",
    image="shop/web:1",
    image_id="sha256:1",
    revision="r1",
    started_at=NOW - 60,
)
STARTING = replace(RUNNING, health="starting")
UNCHECKED = replace(RUNNING, health="")
CRASHED = replace(RUNNING, status="restarting", health="starting", exit_code=1, restart_count=6)
DONE = replace(RUNNING, status="exited", health="")

CASES: dict[str, tuple[Service, list[Container], Wanted, float, str, str]] = {
    "healthy": (WEB, [RUNNING], "ready", 0, "ready", "healthy"),
    "starting": (WEB, [STARTING], "ready", 0, "waiting", "it is starting"),
    "unhealthy may still recover within the limit": (
        WEB,
        [replace(RUNNING, health="unhealthy", last_probe="HTTP 503")],
        "ready",
        0,
        "waiting",
        "it is unhealthy: its health check says: HTTP 503",
    ),
    "no container yet": (WEB, [], "ready", 0, "waiting", "0 of 1 containers exist"),
    "no container wanted": (replace(WEB, replicas=0), [], "ready", 0, "ready", "no containers are wanted"),
    "one replica of two": (replace(WEB, replicas=2), [RUNNING], "ready", 0, "waiting", "1 of 2 containers exist"),
    "the worst replica decides": (
        replace(WEB, replicas=2),
        [RUNNING, STARTING],
        "ready",
        0,
        "waiting",
        "it is starting",
    ),
    "a container of another revision": (
        WEB,
        [replace(RUNNING, revision="r0")],
        "ready",
        0,
        "failed",
        "container shop-web-1 is still the one of an earlier revision",
    ),
    "without a health check, running for a while": (PLAIN, [UNCHECKED], "ready", 0, "ready", "running"),
    "without a health check, running for a moment": (
        PLAIN,
        [replace(UNCHECKED, started_at=NOW - 1)],
        "ready",
        0,
        "waiting",
        "it has been running for 1.0 s only",
    ),
    "created and not started": (PLAIN, [replace(DONE, status="created")], "ready", 0, "waiting", "it was not started"),
    "restarting for the first time": (
        WEB,
        [replace(CRASHED, restart_count=1)],
        "ready",
        60,
        "waiting",
        "it ended with status 1",
    ),
    "a crash loop": (WEB, [CRASHED], "ready", 16, "failed", "it was restarted 6 times in 16 s; it ended with status 1"),
    "many restarts in a short time may end when a dependency is up": (
        WEB,
        [CRASHED],
        "ready",
        5,
        "waiting",
        "it ended with status 1",
    ),
    "a crash loop caught while it runs": (
        WEB,
        [replace(CRASHED, status="running", health="starting", exit_code=0)],
        "ready",
        16,
        "failed",
        "it was restarted 6 times in 16 s",
    ),
    "healthy after many restarts": (WEB, [replace(RUNNING, restart_count=9)], "ready", 60, "ready", "healthy"),
    "killed by nobody knows whom": (
        WEB,
        [replace(DONE, exit_code=137)],
        "ready",
        0,
        "waiting",
        "it ended with status 137, which is SIGKILL: somebody's, or the kernel's for memory above its limit",
    ),
    "ended out of memory": (
        replace(WEB, restarts=False),
        [replace(DONE, exit_code=137, out_of_memory=True)],
        "ready",
        0,
        "failed",
        "it ended with status 137, out of memory",
    ),
    "could not be started": (
        replace(PLAIN, restarts=False),
        [replace(DONE, exit_code=127, error="no such file")],
        "ready",
        0,
        "failed",
        "it ended with status 127: no such file",
    ),
    "a job that finished": (JOB, [DONE], "ready", 0, "ready", "finished"),
    "a job that failed": (JOB, [replace(DONE, exit_code=2)], "ready", 0, "failed", "it ended with status 2"),
    "a job that still runs is waited for": (
        JOB,
        [UNCHECKED],
        "service_completed_successfully",
        0,
        "waiting",
        "it is still running",
    ),
    "a job that finished is what was waited for": (
        JOB,
        [DONE],
        "service_completed_successfully",
        0,
        "ready",
        "finished",
    ),
    "a job with a health check may finish where it is waited for": (
        replace(JOB, checked=True),
        [DONE],
        "service_completed_successfully",
        0,
        "ready",
        "finished",
    ),
    "a service with a health check that ended well is not there": (
        replace(WEB, restarts=False),
        [DONE],
        "ready",
        0,
        "failed",
        "it ended with status 0",
    ),
    "a service that the engine restarts has not finished": (
        PLAIN,
        [DONE],
        "ready",
        0,
        "waiting",
        "it ended with status 0",
    ),
    "started is enough where only that is wanted": (WEB, [STARTING], "service_started", 0, "ready", "starting"),
    "healthy is wanted by a dependent": (WEB, [STARTING], "service_healthy", 0, "waiting", "it is starting"),
    "paused": (
        WEB,
        [replace(RUNNING, status="paused")],
        "ready",
        0,
        "failed",
        "container shop-web-1 is paused; `docker unpause shop-web-1` continues it",
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_judges(case: tuple[Service, list[Container], Wanted, float, str, str]) -> None:
    service, containers, wanted, waited, status, why = case
    verdict = judge(service, containers, wanted, Moment(NOW, waited, {}))
    assert (verdict.status, verdict.why) == (status, why)


def test_past_restarts_do_not_count() -> None:
    assert judge(WEB, [CRASHED], "ready", Moment(NOW, 16, {"c1": 6})).status == "waiting"
    assert judge(WEB, [CRASHED], "ready", Moment(NOW, 16, {"other": 6})).status == "failed"
