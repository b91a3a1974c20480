# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""systemd through systemctl and journalctl: the state of many units in one call, and commands that report why."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from ansible_collections.composeops.stack.plugins.module_utils.errors import CommandError, ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.io.runner import Runner

PROPERTIES = (
    "Id",
    "LoadState",
    "ActiveState",
    "SubState",
    "UnitFileState",
    "NeedDaemonReload",
    "ConditionResult",
    "ConditionTimestampMonotonic",
    "Type",
    "NRestarts",
)

JOB_TIMEOUT = 300.0
"""Seconds a unit may take to start or stop; systemd's own limit is 90 unless the unit says otherwise."""


@dataclass(frozen=True)
class UnitStatus:
    """A unit as systemd reports it."""

    load_state: str
    active_state: str = "inactive"
    sub_state: str = ""
    unit_file_state: str = ""
    needs_daemon_reload: bool = False
    conditions_failed: bool = False
    """It was asked to start since boot, and its own conditions kept it from starting."""
    service_type: str = ""
    restarts: int = 0
    """How often systemd restarted it by itself since it was last started on purpose."""

    @property
    def ready_when_started(self) -> bool:
        """Whether systemd waits for it to be ready; of a simple service it only knows that a process exists."""
        return self.service_type not in ("simple", "exec", "idle")

    @property
    def active(self) -> bool:
        """Running or on its way there; a unit that waits to be restarted after a failure is neither."""
        return self.sub_state != "auto-restart" and (
            self.active_state in ("active", "activating", "reloading", "refreshing")
        )


def parse_show(text: str, names: Sequence[str]) -> dict[str, UnitStatus]:
    """Read the output of `systemctl show`: one block of properties per name asked for, in that order.

    Blocks are matched by place, because a unit asked for by an alias answers with its real name.
    """
    blocks = [block for block in text.split("\n\n") if block.strip()]
    if len(blocks) != len(names):
        raise ComposeOpsError(
            f"systemctl described {len(blocks)} units of the {len(names)} asked for: {', '.join(names)}."
        )
    statuses = {}
    for name, block in zip(names, blocks, strict=True):
        values = dict(line.partition("=")[::2] for line in block.strip().splitlines())
        statuses[name] = UnitStatus(
            load_state=values.get("LoadState", "not-found"),
            active_state=values.get("ActiveState", "inactive"),
            sub_state=values.get("SubState", ""),
            unit_file_state=values.get("UnitFileState", ""),
            needs_daemon_reload=values.get("NeedDaemonReload") == "yes",
            conditions_failed=values.get("ConditionResult") == "no"
            and values.get("ConditionTimestampMonotonic", "0") != "0",
            service_type=values.get("Type", ""),
            restarts=int(values.get("NRestarts") or 0),
        )
    return statuses


class Systemd:
    """The system manager of this host."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    def status(self, names: Sequence[str]) -> dict[str, UnitStatus]:
        """Return the status of every unit in ``names``, with one call; unknown units have load state not-found."""
        if not names:
            return {}
        argv = ["systemctl", "show", f"--property={','.join(PROPERTIES)}", "--", *names]
        return parse_show(self._runner.run(argv).stdout, names)

    def daemon_reload(self) -> None:
        self._runner.run(["systemctl", "daemon-reload"])

    def command(self, verb: str, unit: str) -> None:
        """Run `systemctl VERB UNIT` to its end; a failure carries the unit's last log lines."""
        began = time.time()
        # A unit that failed too often is refused until its counter is reset; this start is a deliberate one.
        if verb in ("start", "restart"):
            self._runner.run(["systemctl", "reset-failed", "--", unit], check=False)
        # A unit whose type cannot reload is restarted: either way it serves what is on disk.
        verb = "reload-or-restart" if verb == "reload" else verb
        try:
            self._runner.run(["systemctl", verb, "--no-pager", "--", unit], timeout=JOB_TIMEOUT)
        except CommandError as error:
            message = f"{unit} could not be {_done(verb)}: {error.stderr.strip() or error}"
            raise self.failure(unit, message, began) from error

    def mask_until_reboot(self, unit: str) -> None:
        self._runner.run(["systemctl", "mask", "--runtime", "--", unit])

    def unmask(self, unit: str) -> None:
        """Undo a mask of either kind: the one until reboot and the lasting one."""
        self._runner.run(["systemctl", "unmask", "--runtime", "--", unit])
        self._runner.run(["systemctl", "unmask", "--", unit])

    def failure(self, unit: str, message: str, since: float) -> ComposeOpsError:
        """Return an error about ``unit`` with what it logged last, ``since`` a time in seconds of the epoch."""
        argv = ["journalctl", "--no-pager", "--quiet", "--output=cat", "--lines=15", f"--unit={unit}"]
        lines = self._runner.run([*argv, f"--since=@{int(since)}"], check=False)
        said = lines.stdout.strip() or "nothing"
        return ComposeOpsError(f"{message.rstrip('.')}. Its journal ends with:\n{said}", "")


def _done(verb: str) -> str:
    return {"start": "started", "stop": "stopped", "reload-or-restart": "reloaded"}.get(verb, f"{verb}ed")
