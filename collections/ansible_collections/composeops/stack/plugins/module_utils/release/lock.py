# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The lock of a stack while a run works on it.

The kernel's lock on a file is what counts: it ends with the run, however the run ends. Beside it lies a record of who
holds it, what for, since when, and which step it is at, for whoever meets the lock or asks.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timezone

from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.io import files

LOCKS = "/run/composeops"
"""Where the locks of stacks are; whatever changes a stack holds its lock."""


@dataclass(frozen=True)
class Holder:
    """The run that holds the lock of a stack."""

    operator: str
    operation: str
    via: str
    """``ansible`` or ``console``."""
    run: str
    """What the audit log calls it."""
    since: str
    host: str
    process: int
    started: int
    """When the process began, in the kernel's ticks: another process may get its number later."""
    step: str = ""
    """The step that it is at."""
    heartbeat: str = ""
    """Since when."""

    def __str__(self) -> str:
        said = f"{self.operator} ({self.operation} by {self.via} since {self.since}, process {self.process}"
        step = f", at step {self.step} since {self.heartbeat}" if self.step else ""
        return f"{said} on {self.host}{step})"


def holder_of(operator: str, operation: str, *, via: str, run: str) -> Holder:
    """Return this process as a holder."""
    process = os.getpid()
    return Holder(operator, operation, via, run, now(), platform.node(), process, _started(process) or 0)


def now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


@contextlib.contextmanager
def taken(
    stack: str, holder: Holder, *, wait: float = 0, locks: str = LOCKS, say: Callable[[str], None] | None = None
) -> Iterator[str]:
    """Hold the lock of ``stack`` while the block runs; give it what was waited for, in words, or nothing.

    Another run may take ``wait`` seconds to end; ``say`` is told who is waited for. Raises, naming it, when it takes
    longer.
    """
    path = os.path.join(locks, f"stack-{stack}.lock")
    purpose = f"a {holder.operation} of stack {stack} by {holder.operator}"
    with contextlib.ExitStack() as kept:
        waited = ""
        try:
            kept.enter_context(files.exclusive(path, purpose))
        except files.LockHeld as first:
            if wait <= 0:
                raise _refusal(stack, first, 0, locks) from first
            other = _name(stack, first, locks)
            if say:
                say(f"Stack {stack} is held by {other}. Waiting up to {wait:g} s.")
            began = time.monotonic()
            try:
                kept.enter_context(files.exclusive(path, purpose, wait=wait))
            except files.LockHeld as last:
                raise _refusal(stack, last, wait, locks) from last
            waited = f"waited {time.monotonic() - began:.0f} s for {other}"
        record = _record(stack, locks)
        _write(record, holder)
        kept.callback(_forget, record)
        yield waited


def note_step(stack: str, step: str, locks: str = LOCKS) -> None:
    """Record that this process begins a step of its run, where it is what holds the lock."""
    holder = _read(stack, locks)
    if holder and holder.process == os.getpid():
        _write(_record(stack, locks), replace(holder, step=step, heartbeat=now()))


def current(stack: str, locks: str = LOCKS) -> Holder | None:
    """Return the run that works on ``stack``, or None. What a killed run left is not one."""
    holder = _read(stack, locks)
    return holder if holder and _started(holder.process) == holder.started else None


def _refusal(stack: str, held: files.LockHeld, waited: float, locks: str) -> ComposeOpsError:
    holder = current(stack, locks)
    after = f" Waited {waited:g} s." if waited else ""
    remedy = "Wait until it has ended, then run again; `lock_wait` lets a run wait by itself."
    if holder:
        remedy += (
            f" Where it hangs, `kill {holder.process}` on {holder.host} ends it,"
            " and the next run undoes or finishes what it began."
        )
    return ComposeOpsError(f"Stack {stack} is held by {_name(stack, held, locks)}.{after}", remedy)


def _name(stack: str, held: files.LockHeld, locks: str) -> str:
    """Return who holds the lock, from the record where it is that of the process that has the lock."""
    holder = _read(stack, locks)
    return str(holder) if holder and held.holder.endswith(f"(process {holder.process})") else held.holder


def _record(stack: str, locks: str) -> str:
    return os.path.join(locks, f"stack-{stack}.holder.json")


def _read(stack: str, locks: str) -> Holder | None:
    text = files.read_text(_record(stack, locks))
    try:
        return Holder(**json.loads(text)) if text else None
    except (ValueError, TypeError):
        # It only tells who; the lock itself is the kernel's.
        return None


def _write(path: str, holder: Holder) -> None:
    files.write_atomically(path, json.dumps(asdict(holder)).encode(), mode=0o600, uid=os.geteuid(), gid=os.getegid())


def _forget(path: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)


def _started(process: int) -> int | None:
    """Return when a process began, in the kernel's ticks since it booted, or None where there is no such process."""
    stat = files.read_text(f"/proc/{process}/stat")
    # The name of its program is in parentheses and may contain anything.
    return int(stat.rsplit(")", 1)[1].split()[19]) if stat else None
