"""The benchmark's command line and the order of what it does."""

from __future__ import annotations

import argparse
import contextlib
import signal
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from benchmarks.converge import bench_host, floor, machine, report
from benchmarks.converge.bench_host import BenchHost, HarnessError
from benchmarks.converge.contestants import CONTESTANTS, ROOT, Contestant, Scope
from benchmarks.converge.figures import figure, interleaved
from benchmarks.converge.measurement import Turns
from benchmarks.converge.proxied import delayed
from benchmarks.converge.report import Key, Results
from benchmarks.converge.whole_system import PLAYBOOK, WholeSystem
from benchmarks.converge.workspace import Login, Workspace

WORKSPACE = ROOT / ".cache/benchmarks/converge"
RESULTS = Path(__file__).parent / "RESULTS.md"
LOOPBACK = "loopback"
FULL_REPETITIONS = 3
SCOPES = {"files": Scope.FILES_AND_PACKAGES, "whole": Scope.WHOLE_HOST}


def say(text: str) -> None:
    print(text, flush=True)


def arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="benchmarks/converge/run",
        description="Measure the first and the no-change converge of one host, by several tools, in one run. "
        "Everything on a host of its own in the test bed, which it adds and removes. See benchmarks/README.md.",
    )
    names = [contestant.name for contestant in CONTESTANTS]
    parser.add_argument("--repetitions", type=int, default=FULL_REPETITIONS, metavar="N", help="default: 3")
    parser.add_argument("--contestant", action="append", choices=names, help="only this one; may be repeated")
    parser.add_argument("--scope", action="append", choices=[*SCOPES, "system"], help="only this; may be repeated")
    parser.add_argument(
        "--round-trip",
        type=float,
        action="append",
        metavar="MS",
        help="milliseconds of delay to add, 0 for none; may be repeated; default: 0 and 25",
    )
    parser.add_argument(
        "--results", type=Path, metavar="FILE", help=f"default: {RESULTS} for a run of everything, else below .cache"
    )
    parser.add_argument("--keep-host", action="store_true", help="leave the host in the test bed for a look at it")
    chosen = parser.parse_args(argv)
    if chosen.repetitions < 1:
        parser.error("at least one repetition is needed")
    if chosen.results is None:
        partial = chosen.contestant or chosen.scope or chosen.round_trip or chosen.repetitions < FULL_REPETITIONS
        chosen.results = WORKSPACE / RESULTS.name if partial else RESULTS
    chosen.contestant = [c for c in CONTESTANTS if chosen.contestant is None or c.name in chosen.contestant]
    chosen.scope = chosen.scope or [*SCOPES, "system"]
    chosen.round_trip = [0.0, 25.0] if chosen.round_trip is None else chosen.round_trip
    return chosen


def distance_name(milliseconds: float) -> str:
    """What a distance is called in file names, in progress and in the results."""
    return f"{milliseconds:g}ms" if milliseconds else LOOPBACK


class Run:
    """One run on a host that is there, at distances that are open."""

    def __init__(
        self, chosen: argparse.Namespace, host: BenchHost, workspace: Workspace, facts: dict[str, str]
    ) -> None:
        self._chosen = chosen
        self._host = host
        self._workspace = workspace
        self._variables = workspace.variables
        self._logins: dict[str, Login] = {}
        self._results = Results(facts=facts, notes=report.left_out(chosen.contestant))
        self._samples: dict[Key, list[float]] = defaultdict(list)

    def results(self) -> Results:
        """Return what has been found out so far."""
        self._results.figures = {key: figure(seconds) for key, seconds in self._samples.items()}
        return self._results

    def everything(self) -> None:
        """Open the distances and measure."""
        with contextlib.ExitStack() as proxies:
            for milliseconds in self._chosen.round_trip:
                self._open(milliseconds, proxies)
            self._prepare()
            self._floor()
            self._contest()
            if "system" in self._chosen.scope:
                self._system()

    def _open(self, milliseconds: float, proxies: contextlib.ExitStack) -> None:
        """Make the host reachable from one distance, for every contestant."""
        distance = distance_name(milliseconds)
        login = self._host.login()
        if milliseconds:
            port = proxies.enter_context(delayed(self._host.address, 22, milliseconds / 2 / 1000))
            login = self._host.login("127.0.0.1", port)
            self._workspace.add_known_host(self._host.address, port)
        self._workspace.add_inventories(distance, login)
        self._logins[distance] = login
        self._results.distances.append(distance)
        measured = min(floor.round_trip(login) for _ in range(5))
        self._results.facts[f"round trip to sshd, {distance}"] = f"{measured * 1000:.1f} ms"

    def _prepare(self) -> None:
        say("preparing the host")
        self._host.script("prepare.sh", self._variables["bench_packages"])
        if "whole" in self._chosen.scope:
            say("installing engine, nginx and images on it")
            (mirror,) = self._host.bed_variables["docker_engine_registry_mirrors"]
            mtu = str(self._host.bed_variables["docker_engine_mtu"])
            self._host.script("prepare-services.sh", [mirror, mtu, *self._variables["bench_service_packages"]])

    def _floor(self) -> None:
        samples: dict[str, list[float]] = defaultdict(list)
        for repetition in range(self._chosen.repetitions):
            for name, seconds in floor.measure(self._host, self._logins, self._workspace, repetition).items():
                samples[name].append(seconds)
                say(f"floor, repetition {repetition + 1}: {name}: {seconds:.2f} s")
        self._results.floor = {name: figure(seconds) for name, seconds in samples.items()}

    def _contest(self) -> None:
        """Give every contestant its turns, in an order that changes with each repetition."""
        sites = [site["name"] for site in self._variables["bench_sites"]]
        turns = Turns(self._host, self._workspace, self._variables["bench_packages"], sites)
        by_name: dict[str, Contestant] = {contestant.name: contestant for contestant in self._chosen.contestant}
        for repetition in range(self._chosen.repetitions):
            for scope in (SCOPES[name] for name in SCOPES if name in self._chosen.scope):
                names = [name for name, contestant in by_name.items() if scope in contestant.scopes]
                for distance in self._results.distances:
                    for name in interleaved(names, repetition):
                        taken = turns.take(by_name[name], scope, distance, repetition)
                        for kind, seconds in taken.items():
                            self._samples[scope, distance, kind, name].append(seconds)
                        said = ", ".join(f"{kind} {seconds:.2f} s" for kind, seconds in taken.items())
                        say(f"{scope.value}, {distance}, repetition {repetition + 1}, {name}: {said}")

    def _system(self) -> None:
        if not PLAYBOOK.exists():
            self._results.notes.append("The whole pet-care host was not measured: there is no playbooks/site.yml.")
            return
        system = WholeSystem(self._host, self._workspace)
        self._host.script("reset.sh", self._variables["bench_packages"])
        for distance, login in self._logins.items():
            system.add_inventory(distance, login)
        say("bringing the pet-care system onto the host")
        system.converge(self._results.distances[0])
        for distance in self._results.distances:
            samples = []
            for repetition in range(self._chosen.repetitions):
                samples.append(system.no_change(distance, repetition))
                say(f"pet-care, {distance}, repetition {repetition + 1}: nothing to change {samples[-1]:.2f} s")
            self._results.whole_system[distance] = figure(samples)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and write the page; 1 when the run could not be completed, 2 when a required ratio was missed."""
    chosen = arguments(argv)
    # An end from outside is an error like another: the host is removed, the proxy ended.
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    facts = machine.facts()
    say(f"load average: {facts[machine.LOAD]}")
    workspace = Workspace(WORKSPACE)
    try:
        with bench_host.added(chosen.keep_host, workspace.known_hosts) as host:
            run = Run(chosen, host, workspace, facts)
            try:
                run.everything()
            finally:
                say("\n" + report.page(run.results()))
    except HarnessError as error:
        print(f"error: {error}\nThe run was not completed, so {chosen.results} was not written.", file=sys.stderr)
        return 1
    chosen.results.write_text(report.page(run.results()), encoding="utf-8")
    say(f"written to {chosen.results}; logs are in {workspace.logs}")
    return 2 if report.unmet(run.results()) else 0


if __name__ == "__main__":
    sys.exit(main())
