# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A change of how the host is reached, which undoes itself unless somebody who reached the host anew confirms it.

What was there before is on disk before anything changes, and a timer is set to bring it back. So the change ends well
whatever happens to the run that made it: a confirmation removes the record, and without one the timer, the next run or
the next boot finds it and puts back what it holds.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Mapping
from typing import Any, Literal

from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.host.apply import Applier
from ansible_collections.composeops.stack.plugins.module_utils.host.model import Change, File, Found, HostState, Unit
from ansible_collections.composeops.stack.plugins.module_utils.host.observe import observe
from ansible_collections.composeops.stack.plugins.module_utils.host.plan import make_plan
from ansible_collections.composeops.stack.plugins.module_utils.io.files import exclusive, read_text, write_atomically
from ansible_collections.composeops.stack.plugins.module_utils.io.runner import Runner
from ansible_collections.composeops.stack.plugins.module_utils.io.systemd import Systemd, UnitStatus

PATH = "/var/lib/composeops/unconfirmed.json"
SERVICE = "composeops-unconfirmed.service"
"""Puts back what is on record; the timer starts it, and so does every boot."""
TIMER = "composeops-unconfirmed.timer"

LOCK = "/run/lock/composeops-host.lock"
LOCK_WAIT = 60.0


def before(wanted: HostState, found: Found) -> HostState:
    """Return the files and units of ``wanted`` as they were found: the state to go back to."""
    return HostState(
        files=tuple(_file_before(file, found) for file in wanted.files),
        units=tuple(_unit_before(unit, found.units.get(unit.name, UnitStatus("not-found"))) for unit in wanted.units),
    )


def _file_before(file: File, found: Found) -> File:
    there = found.paths.get(file.path)
    if there is None or there.content is None:
        return File(file.path, present=False)
    return File(file.path, there.content, there.mode, there.owner, there.group)


def _unit_before(unit: Unit, status: UnitStatus) -> Unit:
    state: Literal["started", "stopped"] = "started" if status.active else "stopped"
    enabled = {"enabled": True, "disabled": False}.get(status.unit_file_state)
    return Unit(unit.name, enabled, state, unit.restart_on, unit.reload_on)


def serialise(state: HostState) -> str:
    files = [
        {
            "path": file.path,
            "content_base64": base64.b64encode(file.content).decode("ascii") if file.present else None,
            "mode": file.mode,
            "owner": file.owner,
            "group": file.group,
        }
        for file in state.files
    ]
    units = [
        {
            "name": unit.name,
            "enabled": unit.enabled,
            "state": unit.state,
            "restart_on": list(unit.restart_on),
            "reload_on": list(unit.reload_on),
        }
        for unit in state.units
    ]
    return json.dumps({"files": files, "units": units}, indent=2) + "\n"


def parse(text: str) -> HostState:
    try:
        content: Mapping[str, Any] = json.loads(text)
        return HostState(
            files=tuple(_file(entry) for entry in content["files"]),
            units=tuple(
                Unit(
                    entry["name"],
                    entry["enabled"],
                    entry["state"],
                    tuple(entry["restart_on"]),
                    tuple(entry["reload_on"]),
                )
                for entry in content["units"]
            ),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ComposeOpsError(
            f"{PATH} cannot be read: it is not the record of an unconfirmed change that it should be.",
            "Look at how the host is reached (sshd, firewall), then remove the file.",
        ) from error


def _file(entry: Mapping[str, Any]) -> File:
    if entry["content_base64"] is None:
        return File(entry["path"], present=False)
    content = base64.b64decode(entry["content_base64"])
    return File(entry["path"], content, entry["mode"], entry["owner"], entry["group"])


class Unconfirmed:
    """The one change of this host that waits for its confirmation, if there is any."""

    def __init__(self, runner: Runner, systemd: Systemd) -> None:
        self._runner = runner
        self._systemd = systemd

    @property
    def exists(self) -> bool:
        return os.path.exists(PATH)

    def apply(self, wanted: HostState, within: int) -> tuple[Change, ...]:
        """Make every change, to be confirmed ``within`` so many seconds; one that fails is undone at once."""
        with exclusive(LOCK, "confirmed_state", wait=LOCK_WAIT):
            self._put_back()
            found = observe(wanted, self._systemd)
            plan = make_plan(wanted, found)
            if not plan.changes:
                return ()
            os.makedirs(os.path.dirname(PATH), mode=0o755, exist_ok=True)
            write_atomically(PATH, serialise(before(wanted, found)).encode(), mode=0o600)
            self._arm(within)
            try:
                return Applier(self._runner, self._systemd).apply(wanted, found, plan)
            except ComposeOpsError as error:
                self._put_back()
                message = f"{error.message.rstrip('.')}. What was there before is back."
                raise ComposeOpsError(message, error.remedy) from error

    def confirm(self) -> None:
        """Keep the change. Its record goes first: a timer that finds none does nothing."""
        with exclusive(LOCK, "confirmed_state", wait=LOCK_WAIT):
            if not self.exists:
                raise ComposeOpsError(
                    "The change was not confirmed in time, and what was there before is back.",
                    "Run again; where the way to the host is slow, give within more seconds.",
                )
            os.unlink(PATH)
            self._disarm()

    def undo(self) -> tuple[Change, ...]:
        """Put back what was there before an unconfirmed change, and return what that changed."""
        with exclusive(LOCK, "undo of an unconfirmed change", wait=LOCK_WAIT):
            return self._put_back()

    def _put_back(self) -> tuple[Change, ...]:
        text = read_text(PATH)
        if text is None:
            return ()
        old = parse(text)
        found = observe(old, self._systemd)
        changes = Applier(self._runner, self._systemd).apply(old, found, make_plan(old, found))
        os.unlink(PATH)
        self._disarm()
        return changes

    def _arm(self, within: int) -> None:
        """Have systemd start the service by itself, whatever becomes of this run."""
        self._disarm()
        self._runner.run(
            [
                "systemd-run",
                "--quiet",
                f"--unit={SERVICE}",
                f"--on-active={within}s",
                "--timer-property=AccuracySec=100ms",
                "--description=Undoes an unconfirmed change of how this host is reached",
            ]
        )

    def _disarm(self) -> None:
        self._runner.run(["systemctl", "stop", TIMER], check=False)
