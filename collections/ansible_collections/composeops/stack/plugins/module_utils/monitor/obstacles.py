# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What keeps the monitor's hands off a stack: a run that works on it, or an operator's word.

The kernel's list of locks is read. Trying the lock would hold it for a moment, in which a deployment could meet it.
"""

from __future__ import annotations

import os

from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.io import files
from ansible_collections.composeops.stack.plugins.module_utils.release import hold, lock, state
from ansible_collections.composeops.stack.plugins.module_utils.release.run import PLACES, Places

KERNEL_LOCKS = "/proc/locks"


def obstacle(stack: str, places: Places = PLACES) -> str:
    """Return why nothing of ``stack`` may be restarted now, as the end of a sentence; empty where it may."""
    try:
        record = state.read_state(stack, places.stacks)
        held = hold.in_force(stack, places.stacks)
    except ComposeOpsError as error:
        return error.message.rstrip(".")
    if held:
        return f"stack {stack} is held by {held}"
    if record and record.stopped:
        return f"an operator stopped stack {stack}"
    path = os.path.join(places.locks, f"stack-{stack}.lock")
    if not locked(path, files.read_text(KERNEL_LOCKS) or ""):
        return ""
    holder = lock.current(stack, places.locks) or (files.read_text(path) or "").strip() or "another run"
    return f"stack {stack} is in the hands of {holder}"


def locked(path: str, kernel_locks: str) -> bool:
    """Say whether the text of /proc/locks names ``path`` as held; one that is waited for has an arrow."""
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return False
    wanted = f"{os.major(found.st_dev):02x}:{os.minor(found.st_dev):02x}:{found.st_ino}"
    return any(wanted in line.split() and "->" not in line for line in kernel_locks.splitlines())
