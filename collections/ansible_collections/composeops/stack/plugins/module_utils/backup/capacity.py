# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Room on a disk and in memory, judged before a restore needs it: a full disk stops a serving database too."""

from __future__ import annotations

from ansible_collections.composeops.stack.plugins.module_utils.backup import report
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError


def free_bytes(df: str) -> int:
    """Return the room that `df -Pk` of one path reports as available."""
    return int(df.strip().splitlines()[-1].split()[3]) * 1024


def available_memory(meminfo: str) -> int:
    """Return the memory that /proc/meminfo says a new process can have."""
    for line in meminfo.splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    raise ComposeOpsError("/proc/meminfo names no available memory.", "Use a kernel from this decade.")


def require(what: str, *, free: int, needed: int) -> None:
    """Raise unless ``free`` bytes are enough."""
    if free < needed:
        raise ComposeOpsError(
            f"{what} has {report.size(free)} free; the restore needs {report.size(needed)}.",
            "Free some; nothing was changed yet.",
        )
