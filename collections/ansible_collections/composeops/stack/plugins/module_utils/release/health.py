# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Judges whether a service is what its release waits for; pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from ansible_collections.composeops.stack.plugins.module_utils.release.containers import Container
from ansible_collections.composeops.stack.plugins.module_utils.release.model import Condition, Service

Status = Literal["ready", "waiting", "failed"]
Wanted = Condition | Literal["ready"]

STABLE_SECONDS = 3.0
"""A service without a health check counts as started well when it has run for so long."""
KILLED = {137: ", which is SIGKILL: somebody's, or the kernel's for memory above its limit"}
"""Not every engine knows that it was for the memory."""
CRASH_LOOP_RESTARTS = 6
CRASH_LOOP_SECONDS = 15.0
"""Both together: the engine restarts with growing pauses, and a service may fail until another one is up."""


@dataclass(frozen=True)
class Verdict:
    """What is known of a service: whether to go on, to wait or to give up, and why."""

    service: str
    status: Status
    why: str


@dataclass(frozen=True)
class Moment:
    """When containers are judged."""

    now: float
    """Seconds since the epoch, as the engine records them."""
    waited: float
    """Seconds since the waiting began."""
    restarts_before: Mapping[str, int]
    """Restart counts of the containers that were there before it: past restarts say nothing about this release."""


def judge(service: Service, containers: Sequence[Container], wanted: Wanted, moment: Moment) -> Verdict:
    """Judge all containers of ``service``; the worst of them decides."""
    if len(containers) < service.replicas:
        return Verdict(service.name, "waiting", f"{len(containers)} of {service.replicas} containers exist")
    verdicts = [_judge_one(service, container, wanted, moment) for container in containers]
    for status in ("failed", "waiting"):
        for verdict in verdicts:
            if verdict.status == status:
                return verdict
    return verdicts[0] if verdicts else Verdict(service.name, "ready", "no containers are wanted")


def _judge_one(service: Service, container: Container, wanted: Wanted, moment: Moment) -> Verdict:
    if container.revision != service.revision:
        return Verdict(service.name, "failed", f"container {container.name} is still the one of an earlier revision")
    if container.running:
        crashes = _crash_loop(service, container, moment)
        return crashes or Verdict(service.name, *_running(container, wanted, moment.now))
    if container.status in ("exited", "dead") and not service.restarts:
        finished = container.exit_code == 0 and (service.may_finish or wanted == "service_completed_successfully")
        return Verdict(service.name, *(("ready", "finished") if finished else ("failed", ended(container))))
    if container.status == "paused":
        why = f"container {container.name} is paused; `docker unpause {container.name}` continues it"
        return Verdict(service.name, "failed", why)
    why = "it was not started" if container.status == "created" else ended(container)
    return _crash_loop(service, container, moment) or Verdict(service.name, "waiting", why)


def _crash_loop(service: Service, container: Container, moment: Moment) -> Verdict | None:
    restarts = container.restart_count - moment.restarts_before.get(container.identifier, 0)
    if restarts < CRASH_LOOP_RESTARTS or moment.waited < CRASH_LOOP_SECONDS or container.health == "healthy":
        return None
    # The engine forgets how a container ended as soon as it runs again.
    end = "" if container.running else f"; {ended(container)}"
    return Verdict(service.name, "failed", f"it was restarted {restarts} times in {moment.waited:.0f} s{end}")


def _running(container: Container, wanted: Wanted, now: float) -> tuple[Status, str]:
    if wanted == "service_completed_successfully":
        return "waiting", "it is still running"
    if wanted == "service_started" or container.health == "healthy":
        return "ready", container.health or "running"
    if container.health:
        said = f": its health check says: {container.last_probe}" if container.last_probe else ""
        return "waiting", f"it is {container.health}{said}"
    runs = now - container.started_at
    if runs < STABLE_SECONDS:
        return "waiting", f"it has been running for {max(runs, 0):.1f} s only"
    return "ready", "running"


def ended(container: Container) -> str:
    """Return how a container ended, in words."""
    why = ", out of memory" if container.out_of_memory else KILLED.get(container.exit_code, "")
    error = f": {container.error}" if container.error else ""
    return f"it ended with status {container.exit_code}{why}{error}"
