# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Holds a stack by hand and releases it; what the module stack_lock and the commands hold and resume share."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass

from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError, InvalidInput
from ansible_collections.composeops.stack.plugins.module_utils.release import audit, hold, lock, operators, state
from ansible_collections.composeops.stack.plugins.module_utils.release.hold import Hold
from ansible_collections.composeops.stack.plugins.module_utils.release.lock import Holder
from ansible_collections.composeops.stack.plugins.module_utils.release.run import PLACES, Places


@dataclass(frozen=True)
class Change:
    """What holding or releasing a stack did, or would do."""

    before: Hold | None
    after: Hold | None
    sentences: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    """What an operator should know beside it."""

    @property
    def changed(self) -> bool:
        return bool(self.sentences)


class Holding:
    """One stack, and the operator who holds or releases it."""

    def __init__(self, stack: str, operator: str, *, via: audit.Via, places: Places = PLACES) -> None:
        self._stack = stack
        self._operator = operators.operator(operator)
        self._via = via
        self._places = places

    def hold(self, reason: str, duration: str, *, check: bool, extend: bool = False) -> Change:
        """Keep every run away from the stack, beginning with the next one."""
        seconds = hold.duration(duration)
        self._require_stack()
        now = hold.clock()
        there = hold.read(self._stack, self._places.stacks)
        wanted = hold.place(self._stack, there, hold.make(self._operator, reason, seconds, now), now, extend=extend)
        in_force = there if there and not there.expired(now) else None
        if wanted is None:
            return Change(in_force, in_force)
        notes: list[str] = []
        if not check:
            hold.write(self._stack, wanted, self._places.stacks)
            notes += self._log("hold", f"until {wanted.until}: {wanted.reason}")
        # Looked at after the file is there: a run either sees it, or is seen here.
        running = lock.current(self._stack, self._places.locks)
        notes += [f"A run is under way and goes on: {running}"] if running else []
        said = f"hold stack {self._stack} until {wanted.until}: {wanted.reason}"
        return Change(in_force, wanted, (said,), tuple(notes))

    def release(self, *, check: bool) -> Change:
        """Let runs at the stack again; whoever holds it, and also where nobody can tell any more."""
        try:
            there = hold.read(self._stack, self._places.stacks)
        except ComposeOpsError:
            there, said = None, f"remove the hold of stack {self._stack}, which cannot be understood"
        else:
            if there is None:
                return Change(None, None)
            said = f"release stack {self._stack}, held by {there}"
        notes: list[str] = []
        if not check:
            hold.remove(self._stack, self._places.stacks)
            notes += self._log("resume", said)
        return Change(there, None, (said,), tuple(notes))

    def _require_stack(self) -> None:
        directory = state.directory(self._stack, self._places.stacks)
        if not os.path.isdir(directory):
            raise InvalidInput(
                f"Stack {self._stack} was never deployed on this host: there is no {directory}.",
                "`composeops status` names those that were.",
            )

    def _log(self, operation: audit.Operation, reason: str) -> list[str]:
        record = state.read_state(self._stack, self._places.stacks)
        number = record.release if record else 0
        entry = audit.Entry(
            time=lock.now(),
            event="ended",
            run=secrets.token_hex(6),
            stack=self._stack,
            operation=operation,
            operator=self._operator,
            via=self._via,
            from_release=number,
            to_release=number,
            result="ok",
            reason=reason,
        )
        try:
            audit.append(entry, self._places.audit)
        except ComposeOpsError as error:
            return [f"This is not in the audit log: {error}"]
        return []


def describe(held: Hold | None, running: Holder | None) -> list[str]:
    """Return in words who keeps a stack, for a status."""
    said = [f"a run is under way: {running}"] if running else []
    return said + ([f"held by {held}"] if held else [])
