# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Consumers before producers: the old worker ends before a request reaches the release, and works again if it fails."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError, InvalidInput
from ansible_collections.composeops.stack.plugins.module_utils.release import active
from ansible_collections.composeops.stack.plugins.module_utils.release.canary_run import Canary, CanaryFailed
from ansible_collections.composeops.stack.plugins.module_utils.release.model import CanaryPolicy, RolloutPolicy
from ansible_collections.composeops.stack.plugins.module_utils.release.rollout import Rollout
from ansible_collections.composeops.stack.tests.unit.support.colour_host import (
    WITH_JOBS,
    Host,
    deaths,
    host_fixture,
    late,
)

__all__ = ["host_fixture"]

ENDS = "stop jobs in blue before any request goes to green"


@pytest.fixture(name="queue")
def queue_fixture(host: Host) -> Host:
    """Release 1, whose web service writes what its worker reads."""
    host.options.update(compose=WITH_JOBS, overlapping=("web", "jobs"), consumers=("jobs",))
    host.deploy("1")
    return host


def workers(host: Host) -> dict[str, str]:
    """Return the state of each worker by its project."""
    return {
        container["Config"]["Labels"]["com.docker.compose.project"]: container["State"]["Status"]
        for container in host.engine.containers.values()
        if host.engine._service(container) == "jobs"
    }


def test_the_old_worker_ends_and_the_new_one_runs_when_requests_move(
    queue: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[dict[str, str]] = []
    switch = active.switch

    def look(stack: str, colour: str, directory: str) -> None:
        seen.append(workers(queue))
        switch(stack, colour, directory)

    monkeypatch.setattr(active, "switch", look)
    outcome = queue.deploy("2")
    assert seen == [{"shop-blue": "exited", "shop-green": "running"}]
    assert workers(queue) == {"shop-green": "running"}
    said = outcome.plan.sentences()
    assert said.index(ENDS) + 1 == said.index("switch to green when all of it is healthy and its routes answer")
    assert "consumers" in outcome.seconds


def test_the_first_release_stops_nobody(host: Host) -> None:
    host.options.update(compose=WITH_JOBS, overlapping=("web", "jobs"), consumers=("jobs",))
    assert "consumers" not in host.deploy("1").seconds


def test_without_being_declared_it_reads_on(queue: Host) -> None:
    queue.options["consumers"] = ()
    outcome = queue.deploy("2")
    assert ENDS not in outcome.plan.sentences()
    assert "consumers" not in outcome.seconds


def worse(self: Canary, *, colour: str, before: str) -> Any:
    raise CanaryFailed("Stack shop: 12 of 180 requests failed in green", "All go to blue again.", [])


def test_it_works_again_where_the_canary_fails(queue: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Canary, "run", worse)
    queue.options["rollout"] = RolloutPolicy("blue_green", watch=2, drain=10, canary=CanaryPolicy((5,)))
    queue.fail("2")
    assert workers(queue) == {"shop-blue": "running"}
    assert not queue.deploy("1").plan.changes


def test_it_works_again_where_the_release_fails_in_its_watch(queue: Host) -> None:
    queue.answers = late("web:2", 3.2, queue)
    queue.fail("2")
    assert (queue.served(), workers(queue)) == ("web:1", {"shop-blue": "running"})


def test_where_it_cannot_be_started_again_that_is_said_and_nothing_is_called_restored(
    queue: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: Rollout, colour: str, services: Collection[str]) -> None:
        raise ComposeOpsError(f"the engine does not start {', '.join(services)}")

    queue.answers = late("web:2", 3.2, queue)
    with monkeypatch.context() as patch:
        patch.setattr(Rollout, "resume", fail)
        error = queue.fail("2")
    assert "Starting jobs in blue again failed too, and the next run does it: the engine does not start jobs" in str(
        error
    )
    assert not error.restored
    assert (queue.served(), workers(queue)) == ("web:1", {"shop-blue": "exited"})
    queue.deploy("1")
    assert workers(queue) == {"shop-blue": "running"}


def test_it_is_not_touched_where_the_release_does_not_pass_its_gate(queue: Host) -> None:
    queue.answers = lambda image: "it answers / with status 500" if image == "web:2" else ""
    queue.fail("2")
    assert queue.engine.count("stop", "jobs-blue") == 0
    assert workers(queue) == {"shop-blue": "running"}


@pytest.mark.parametrize("again", ["1", "2"])
def test_a_run_may_die_at_any_point(queue: Host, monkeypatch: pytest.MonkeyPatch, again: str) -> None:
    count = resumed = 0
    for _ in deaths(queue, monkeypatch, lambda: queue.deploy("2")):
        count += 1
        resumed += any(
            "again: an earlier run ended before it switched" in said for said in queue.predict("3").sentences()
        )
        queue.deploy(again)
        assert queue.served() == f"web:{again}"
        assert workers(queue) == {f"shop-{queue.serving}": "running"}
        assert not queue.deploy(again).plan.changes
        queue.deploy("1")
    assert count > 20
    assert resumed > 0


REFUSED = {
    "not-overlapping": ({"overlapping": ("web",)}, "consumers names 'jobs', which is not under overlapping"),
    "routed": ({"consumers": ("web",)}, "consumers names 'web', which is routed too"),
    "in-place": ({"rollout": RolloutPolicy()}, "overlapping is given, and its services are replaced in place"),
}


@pytest.mark.parametrize(("options", "message"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_honoured_is_refused(queue: Host, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        queue.predict("2", **options)
