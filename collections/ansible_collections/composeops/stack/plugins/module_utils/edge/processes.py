# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The processes of the nginx that systemd runs."""

from __future__ import annotations

import contextlib
import os
import time

from ansible_collections.composeops.stack.plugins.module_utils.io import files

PID_FILE = "/run/nginx.pid"
TIMEOUT = 10.0
POLL = 0.02
_GONE = " (deleted)"
_ENDING = "is shutting down"


def master(pid_file: str = PID_FILE) -> int | None:
    """Return the process id of the master, or None where nginx does not run."""
    text = (files.read_text(pid_file) or "").strip()
    return int(text) if text.isdigit() and os.path.exists(f"/proc/{text}") else None


def workers(pid_file: str = PID_FILE) -> frozenset[int]:
    """Return the process ids of the workers, those that end included."""
    pid = master(pid_file)
    listed = files.read_text(f"/proc/{pid}/task/{pid}/children") if pid else None
    return frozenset(map(int, (listed or "").split()))


def wait_until_replaced(before: frozenset[int], pid_file: str = PID_FILE, timeout: float = TIMEOUT) -> bool:
    """Wait until other workers are there and those of ``before`` take no more connections; say whether that came true.

    The new ones come first: nginx tells the old ones a tenth of a second later, and until then they keep connections.
    """
    deadline = time.monotonic() + timeout
    while before and (not workers(pid_file) - before or any(_serves(pid) for pid in before)):
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL)
    return True


def _serves(pid: int) -> bool:
    """Whether a worker takes connections: it changes its title when it stops to."""
    title = files.read_text(f"/proc/{pid}/cmdline") if os.path.exists(f"/proc/{pid}") else None
    return bool(title) and _ENDING not in (title or "")


def outdated(pid_file: str = PID_FILE) -> bool:
    """Whether the program that runs is no longer the one on disk."""
    with contextlib.suppress(OSError):
        return os.readlink(f"/proc/{master(pid_file)}/exe").endswith(_GONE)
    return False
