"""One contestant's turn: a bare host, the first converge, then a converge of a host that needs nothing."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, field

from benchmarks.converge.bench_host import BenchHost, HarnessError
from benchmarks.converge.contestants import Contestant, Scope
from benchmarks.converge.stopwatch import Timed, timed
from benchmarks.converge.workspace import Workspace

FIRST, NO_CHANGE = "first", "no change"


@dataclass
class Turns:
    """Takes the turns of a run and holds every contestant to the same outcome."""

    host: BenchHost
    workspace: Workspace
    packages: Sequence[str]
    sites: Sequence[str]
    outcomes: dict[Scope, tuple[str, str]] = field(default_factory=dict)
    """Of each scope, who converged the host first and what the host then looked like."""

    def take(self, contestant: Contestant, scope: Scope, distance: str, repetition: int) -> dict[str, float]:
        """Return the seconds of both converges, after checking that they did what they are measured for."""
        self.host.script("reset.sh", self.packages)
        where = f"{contestant.name}-{scope.value.replace(' ', '-')}-{distance}-{repetition}"

        first = self._run(contestant, scope, distance, f"{where}-first")
        if not contestant.parse(first.output).converged:
            raise HarnessError(f"{where}: the first converge did not change the host; see {self._log(where)}-first.log")
        self._compare(contestant, scope, self._snapshot(scope))

        second = self._run(contestant, scope, distance, f"{where}-again")
        recap = contestant.parse(second.output)
        if not recap.nothing_changed:
            raise HarnessError(
                f"{where}: {recap.changed} changes where nothing was to change; see {self._log(where)}-again.log"
            )
        self._compare(contestant, scope, self._snapshot(scope))

        for kind, run in ((FIRST, first), (NO_CHANGE, second)):
            self.workspace.record(
                {
                    "contestant": contestant.name,
                    "scope": scope.value,
                    "distance": distance,
                    "kind": kind,
                    "repetition": repetition,
                    "seconds": run.seconds,
                }
            )
        return {FIRST: first.seconds, NO_CHANGE: second.seconds}

    def _run(self, contestant: Contestant, scope: Scope, distance: str, name: str) -> Timed:
        log = self.workspace.logs / f"{name}.log"
        run = timed(contestant.argv(scope, distance), log, contestant.environment, self.workspace.directory)
        if run.returncode:
            raise HarnessError(f"{contestant.title} failed with status {run.returncode}; see {log}")
        return run

    def _log(self, where: str) -> str:
        return str(self.workspace.logs / where)

    def _snapshot(self, scope: Scope) -> str:
        wanted = self.workspace.resources
        paths = [*wanted.directories, *(file.path for file in wanted.files)]
        found = self.host.script("snapshot.sh", [*self.packages, "--", *paths])
        if scope is Scope.WHOLE_HOST:
            found += self.host.script("snapshot-services.sh", self.sites)
        return found

    def _compare(self, contestant: Contestant, scope: Scope, found: str) -> None:
        """Whoever comes first sets what the others have to reach as well."""
        first, expected = self.outcomes.setdefault(scope, (contestant.name, found))
        if found != expected:
            difference = difflib.unified_diff(
                expected.splitlines(), found.splitlines(), first, contestant.name, lineterm="", n=0
            )
            raise HarnessError(f"{contestant.name} left another host than {first}:\n" + "\n".join(difference))
