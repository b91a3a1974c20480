# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One run that changes a stack: alone, kept out while an operator holds the stack, and written into the audit log."""

from __future__ import annotations

import contextlib
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.release import audit, hold, lock, operators, state
from ansible_collections.composeops.stack.plugins.module_utils.release.history import History
from ansible_collections.composeops.stack.plugins.module_utils.release.masking import mask
from ansible_collections.composeops.stack.plugins.module_utils.secrets import store

LONGEST_REASON = 400


@dataclass(frozen=True)
class Places:
    """Directories and the log of the host; tests have their own."""

    locks: str = lock.LOCKS
    stacks: str = state.DIRECTORY
    secrets: str = store.DIRECTORY
    audit: str = audit.PATH


PLACES = Places()


class StackRun:
    """A run that has the stack for itself."""

    def __init__(
        self, stack: str, operation: audit.Operation, operator: str, *, via: audit.Via, places: Places
    ) -> None:
        self.stack = stack
        self.operation = operation
        self.operator = operators.operator(operator)
        self.via = via
        self.identifier = secrets.token_hex(6)
        self.notes: list[str] = []
        """What an operator should know beside what the run did."""
        self.reason = ""
        """What the log says of it when it ends well."""
        self._places = places
        self._began = self._ended = False
        self._since = time.monotonic()
        self._before = (0, 0)

    def begin(self) -> None:
        """Write that it changes the stack from here on; once, however often it is called."""
        if self._began:
            return
        self._began = True
        self._before = (self._active(), self._newest())
        self._write("began", "")

    def succeeded(self) -> None:
        """Write that it ended well, where it changed anything."""
        if self._began:
            self._write("ended", "ok", self.reason)

    def failed(self, error: BaseException) -> None:
        """Write why it ended, once."""
        if self._ended:
            return
        self._ended = True
        if not self._began and not getattr(error, "changed", False):
            result: audit.Result = "refused"
        else:
            result = "rolled back" if getattr(error, "restored", False) else "failed"
        said = error.message if isinstance(error, ComposeOpsError) else f"{type(error).__name__}"
        self._write("ended", result, said)

    def _write(self, event: str, result: audit.Result, reason: str = "") -> None:
        active, newest = self._active(), self._newest()
        before = self._before if self._began else (active, newest)
        entry = audit.Entry(
            time=lock.now(),
            event="began" if event == "began" else "ended",
            run=self.identifier,
            stack=self.stack,
            operation=self.operation,
            operator=self.operator,
            via=self.via,
            from_release=before[0],
            to_release=newest if newest > before[1] else active,
            result=result,
            seconds=0.0 if event == "began" else round(time.monotonic() - self._since, 1),
            reason=self._masked(reason),
        )
        try:
            audit.append(entry, self._places.audit)
        except ComposeOpsError as error:
            # An operator who repairs a full disk needs the run more than the line.
            self.notes.append(f"This run is not in the audit log: {error}")

    def _masked(self, reason: str) -> str:
        first = (reason.splitlines() or [""])[0]
        with contextlib.suppress(ComposeOpsError):
            first = mask(first, store.read(self.stack, self._places.secrets).values())
        return first[:LONGEST_REASON]

    def _active(self) -> int:
        with contextlib.suppress(ComposeOpsError):
            record = state.read_state(self.stack, self._places.stacks)
            return record.release if record else 0
        return 0

    def _newest(self) -> int:
        return History(self.stack, self._places.stacks).next_number() - 1


@contextlib.contextmanager
def stack_run(
    stack: str,
    operation: audit.Operation,
    *,
    operator: str = "",
    via: audit.Via = "ansible",
    wait: float = 0,
    check: bool = False,
    places: Places = PLACES,
    say: Callable[[str], None] | None = None,
) -> Iterator[StackRun]:
    """Have ``stack`` for the block alone; raise, naming who has it, where another run or an operator does.

    The block calls ``begin`` before it changes anything. How it ends goes into the audit log from here. Check mode
    changes nothing, so it keeps nobody out and leaves nothing behind; it only says who would keep it out.
    """
    run = StackRun(stack, operation, operator, via=via, places=places)
    if check:
        run.notes += _in_the_way(stack, places)
        yield run
        return
    holder = lock.holder_of(run.operator, operation, via=via, run=run.identifier)
    try:
        with lock.taken(stack, holder, wait=wait, locks=places.locks, say=say) as waited:
            run.notes += [waited] if waited else []
            expired = hold.keep_out(stack, places.stacks)
            run.notes += [expired] if expired else []
            try:
                yield run
            except BaseException as error:
                # While it still has the lock: the next run's lines come after this one's.
                run.failed(error)
                raise
            run.succeeded()
    except ComposeOpsError as error:
        run.failed(error)
        error.notes += run.notes
        raise


def _in_the_way(stack: str, places: Places) -> list[str]:
    held = hold.in_force(stack, places.stacks)
    running = lock.current(stack, places.locks)
    said = [f"Now it would be refused: stack {stack} is held by {held}."] if held else []
    return said + ([f"Now it would have to wait: stack {stack} is held by {running}."] if running else [])
