# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Waits until services are what their release needs, or says which one is not, why, and what it wrote last."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.io.docker import Docker
from ansible_collections.composeops.stack.plugins.module_utils.release.clock import Clock
from ansible_collections.composeops.stack.plugins.module_utils.release.containers import Container, by_service, parse
from ansible_collections.composeops.stack.plugins.module_utils.release.health import Moment, Verdict, Wanted, judge
from ansible_collections.composeops.stack.plugins.module_utils.release.masking import mask
from ansible_collections.composeops.stack.plugins.module_utils.release.model import HealthPolicy, Service

POLL_SECONDS = 0.5
"""Shorter than the interval between tries: a deployment ends when its services are healthy, not at the next try."""


@dataclass(frozen=True)
class FailedService:
    """A service that did not become what was waited for, with the end of its log."""

    name: str
    why: str
    log: str


class GateFailure(ComposeOpsError):
    """Services that are not healthy, each with its reason and its last lines."""

    def __init__(self, stack: str, failed: Sequence[FailedService], containers: Sequence[Container]) -> None:
        self.failed = tuple(failed)
        self.containers = tuple(containers)
        super().__init__("\n".join(f"Stack {stack}: {_paragraph(service)}" for service in failed))


def _paragraph(service: FailedService) -> str:
    if not service.log:
        return f"{service.name}: {service.why}. It wrote no log."
    lines = service.log.splitlines()
    indented = "\n".join(f"    {line}" for line in lines)
    return f"{service.name}: {service.why}. The last {len(lines)} lines of its log:\n{indented}"


class Gate:
    """The health gate of one compose project of a stack."""

    def __init__(
        self,
        docker: Docker,
        stack: str,
        *,
        project: str,
        policy: HealthPolicy,
        log_lines: int,
        secrets: Iterable[str],
        clock: Clock,
    ) -> None:
        self._docker = docker
        self._stack = stack
        self._project = project
        self._policy = policy
        self._log_lines = log_lines
        self._secrets = tuple(secrets)
        self._clock = clock

    def wait(
        self,
        services: Sequence[Service],
        conditions: Mapping[str, Wanted],
        before: Sequence[Container],
        seen: Sequence[Container] | None = None,
    ) -> list[Container]:
        """Wait until every service fulfils its condition and return the containers; raise ``GateFailure`` otherwise.

        ``before`` are the containers that were there before this deployment: their past restarts do not count.
        ``seen`` are the containers where they were looked at just now.
        """
        started = self._clock.elapsed()
        restarts = {container.identifier: container.restart_count for container in before}
        wanted = [service for service in services if service.name in conditions]
        while True:
            containers = self.containers() if seen is None else list(seen)
            seen = None
            waited = self._clock.elapsed() - started
            verdicts = self._judge(wanted, conditions, containers, Moment(self._clock.now(), waited, restarts))
            failed = [verdict for verdict in verdicts if verdict.status == "failed"]
            if failed:
                raise self.failure(failed, containers)
            waiting = [verdict for verdict in verdicts if verdict.status == "waiting"]
            if not waiting:
                return containers
            if waited >= self._policy.limit:
                tries = f"after {self._policy.attempts} tries {self._policy.interval:g} s apart"
                late = [Verdict(verdict.service, "failed", f"not ready {tries}: {verdict.why}") for verdict in waiting]
                raise self.failure(late, containers)
            self._clock.sleep(POLL_SECONDS)

    def containers(self) -> list[Container]:
        """Return the containers of the project as they are now."""
        return [found for found in parse(self._docker.containers(self._stack)) if found.project == self._project]

    def diagnose(self, services: Sequence[Service], names: Sequence[str]) -> GateFailure | None:
        """Return what is wrong with new containers of the named services, or None where nothing is to be seen."""
        containers = self.containers()
        revisions = {service.name: service.revision for service in services}
        new = {found.service for found in containers if found.revision == revisions.get(found.service)}
        conditions: dict[str, Wanted] = dict.fromkeys((name for name in names if name in new), "ready")
        wanted = [service for service in services if service.name in conditions]
        moment = Moment(self._clock.now(), self._policy.limit, {})
        verdicts = self._judge(wanted, conditions, containers, moment)
        broken = [verdict for verdict in verdicts if verdict.status == "failed"]
        return self.failure(broken, containers) if broken else None

    def _judge(
        self,
        services: Sequence[Service],
        conditions: Mapping[str, Wanted],
        containers: Sequence[Container],
        moment: Moment,
    ) -> list[Verdict]:
        grouped = by_service(containers)
        return [judge(service, grouped.get(service.name, []), conditions[service.name], moment) for service in services]

    def failure(self, verdicts: Sequence[Verdict], containers: Sequence[Container]) -> GateFailure:
        """Return what is raised for failed services, with the last lines of each."""
        grouped = by_service(containers)
        failed = [
            FailedService(
                verdict.service,
                mask(verdict.why, self._secrets),
                "\n".join(self._last_lines(grouped.get(verdict.service, []))),
            )
            for verdict in verdicts
        ]
        return GateFailure(self._stack, failed, containers)

    def _last_lines(self, containers: Sequence[Container]) -> list[str]:
        return last_lines(self._docker, containers, self._log_lines, self._secrets)


def last_lines(docker: Docker, containers: Sequence[Container], lines: int, secrets: Iterable[str]) -> list[str]:
    """Return the last lines that the containers of a service wrote, one after the other, without secrets."""
    logs = [docker.logs(container.identifier, lines) for container in containers]
    return mask("\n".join(log for log in logs if log), secrets).splitlines()[-lines:]
