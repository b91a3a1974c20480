# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Makes a host what it is wanted to be, one change after the other, and keeps owed restarts on disk until they ran."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.host import pending, tree
from ansible_collections.composeops.stack.plugins.module_utils.host.apt import Apt
from ansible_collections.composeops.stack.plugins.module_utils.host.model import (
    AccountCommand,
    Change,
    DaemonReload,
    FinishInterruptedPackages,
    Found,
    HostState,
    InstallPackages,
    MakeDirectory,
    MakeLink,
    RemoveDirectory,
    RemoveFile,
    RemovePackages,
    SetAttributes,
    SetHostname,
    SetKernelParameter,
    Step,
    UnitCommand,
    WriteFile,
)
from ansible_collections.composeops.stack.plugins.module_utils.host.observe import kernel_parameter_path, observe
from ansible_collections.composeops.stack.plugins.module_utils.host.plan import (
    Plan,
    add_unforeseen,
    changed_paths,
    make_plan,
)
from ansible_collections.composeops.stack.plugins.module_utils.host.plan_units import owed_verb, plan_units
from ansible_collections.composeops.stack.plugins.module_utils.io.runner import Runner
from ansible_collections.composeops.stack.plugins.module_utils.io.systemd import Systemd, UnitStatus

SETTLE_SECONDS = 1.0
"""How long a daemon has to stay up that does not tell when it is ready: enough to end over a wrong configuration."""

STARTING = ("start", "restart", "reload")


@dataclass
class Applier:
    """Carries out a plan. ``made`` tells what is done so far, also after a failure."""

    runner: Runner
    systemd: Systemd
    made: list[Change] = field(default_factory=list)

    def apply(self, wanted: HostState, found: Found, plan: Plan) -> tuple[Change, ...]:
        """Make every change, and return them as seen from before the first; raise at the first that fails."""
        configuration = plan.configuration
        self._owe(wanted, configuration)
        if plan.packages:
            self._install(wanted, found, plan.packages)
            # Packages bring files and accounts of their own, so the rest is planned again from what is there now.
            found = observe(wanted, self.systemd)
            _refuse_virtual(wanted, found)
            configuration = make_plan(wanted, found).configuration
            self._owe(wanted, configuration)
        for change in configuration:
            self._make(change)
        self._units(wanted)
        return add_unforeseen(plan.changes, self.made)

    def _owe(self, wanted: HostState, changes: Sequence[Change]) -> None:
        """Record, before anything changes, what units will have to do about it."""
        paths = changed_paths(changes)
        owed = {unit.name: verb for unit in wanted.units if (verb := owed_verb(unit, paths, {})) is not None}
        before = pending.read()
        merged = pending.merge(before, owed)
        if merged != before:
            pending.write(merged)

    def _install(self, wanted: HostState, found: Found, changes: Sequence[Change]) -> None:
        """Install packages with the daemons they bring held back: they start later, with the wanted configuration."""
        unknown = UnitStatus("not-found")
        held = [
            unit.name
            for unit in wanted.units
            if unit.state is not None and found.units.get(unit.name, unknown).load_state == "not-found"
        ]
        for name in held:
            self.systemd.mask_until_reboot(name)
        try:
            for change in changes:
                self._make(change)
        finally:
            for name in held:
                self.systemd.unmask(name)

    def _units(self, wanted: HostState) -> None:
        if not wanted.units:
            return
        names = [unit.name for unit in wanted.units]
        found = self.systemd.status(names)
        changes = plan_units(wanted.units, found, pending.read(), changed_paths(self.made), may_appear=False)
        for change in changes:
            if isinstance(change.step, UnitCommand) and change.step.verb in STARTING:
                self._start(change, change.step)
            else:
                self._make(change)
        # What does not run owes nothing.
        pending.settle(names)

    def _start(self, change: Change, step: UnitCommand) -> None:
        """Start, restart or reload a unit, owed until it proved to run.

        Otherwise a daemon that ends right after its start, and that systemd starts again and again, would look fine to
        the next run if that looked at the right moment.
        """
        owed = "reload" if step.verb == "reload" else "restart"
        pending.write(pending.merge(pending.read(), {step.unit: owed}))
        began = time.time()
        self._make(change)
        self._confirm(step, began)
        pending.settle([step.unit])

    def _confirm(self, step: UnitCommand, began: float) -> None:
        """Raise where a unit that should now be up is not: systemctl succeeds for a daemon that ends at once."""
        status = self.systemd.status([step.unit])[step.unit]
        if not status.ready_when_started:
            time.sleep(SETTLE_SECONDS)
            status = self.systemd.status([step.unit])[step.unit]
        # A start on purpose sets the counter back; a reload does not.
        restarts = 0 if step.verb == "reload" else status.restarts
        if (not status.active or restarts) and not status.conditions_failed:
            again = f" after {restarts} restarts by systemd" if restarts else ""
            message = f"{step.unit} did not stay up and is {status.active_state} ({status.sub_state}){again}"
            raise self.systemd.failure(step.unit, message, began)

    def _make(self, change: Change) -> None:
        try:
            self._carry_out(change.step)
        except ComposeOpsError as error:
            raise ComposeOpsError(f"{change.resource}: {error.message}", error.remedy) from error
        except OSError as error:
            raise ComposeOpsError(
                f"{change.resource}: {error.strerror}: {error.filename}.", "Correct it on the host, then run again."
            ) from error
        self.made.append(change)

    def _carry_out(self, step: Step) -> None:  # noqa: PLR0912 (one line for each kind of step)
        match step:
            case FinishInterruptedPackages():
                Apt(self.runner).finish_interrupted()
            case InstallPackages(names):
                Apt(self.runner).install(names)
            case RemovePackages(names):
                Apt(self.runner).remove(names)
            case AccountCommand(argv):
                self.runner.run(argv)
            case SetHostname(name):
                self.runner.run(["hostnamectl", "set-hostname", name])
            case MakeDirectory(directory):
                tree.make_directory(directory)
            case RemoveDirectory(path):
                tree.remove_directory(path)
            case WriteFile(file):
                tree.write_file(file, self.runner)
            case RemoveFile(path):
                os.unlink(path)
            case SetAttributes(path, mode, owner, group):
                tree.set_attributes(path, mode, owner, group)
            case MakeLink(link):
                tree.make_link(link)
            case SetKernelParameter(key, value):
                _set_kernel_parameter(key, value)
            case DaemonReload():
                self.systemd.daemon_reload()
            case UnitCommand(unit, "unmask"):
                self.systemd.unmask(unit)
            case UnitCommand(unit, verb):
                self.systemd.command(verb, unit)


def _refuse_virtual(wanted: HostState, found: Found) -> None:
    missing = [name for name in wanted.packages if name not in found.packages]
    if missing:
        raise ComposeOpsError(
            f"apt-get installed something else for {', '.join(missing)}: it is no package but what others provide.",
            "Name the package that provides it.",
        )


def _set_kernel_parameter(key: str, value: str) -> None:
    try:
        # One write, as the kernel takes each write for a whole value.
        with open(kernel_parameter_path(key), "w", encoding="utf-8") as stream:
            stream.write(value)
    except FileNotFoundError as error:
        raise ComposeOpsError(
            "this kernel has no such parameter.", "Remove it, or load the module that brings it."
        ) from error
    except OSError as error:
        raise ComposeOpsError(
            f"the kernel refused the value {value}: {error.strerror}.", "Correct the value, or remove the parameter."
        ) from error
