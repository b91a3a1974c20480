# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What this host remembers of the last run of each source, so that a failed or killed one is seen."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass

from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.io import files

DIRECTORY = "/var/lib/composeops/backup"

RUNNING = "running"
COMMITTED = "committed"
FAILED = "failed"
INTERRUPTED = "interrupted"


@dataclass(frozen=True)
class Record:
    """The last run of a source: ``outcome`` is running, committed, failed or interrupted."""

    source: str
    id: str
    outcome: str
    started: str
    finished: str = ""
    error: str = ""
    process: str = ""


def lock_path(source: str, directory: str = DIRECTORY) -> str:
    """Return the lock of a source: one backup or restore of it at a time."""
    return os.path.join(directory, f"{source}.lock")


def write(record: Record, directory: str = DIRECTORY) -> None:
    """Remember ``record`` as the last run of its source."""
    os.makedirs(directory, mode=0o700, exist_ok=True)
    content = (json.dumps(asdict(record), indent=2, sort_keys=True) + "\n").encode()
    files.write_atomically(_path(record.source, directory), content, mode=0o600, uid=os.geteuid(), gid=os.getegid())


def read(source: str, directory: str = DIRECTORY) -> Record | None:
    """Return the last run of ``source``; one that says it runs although its process is gone was interrupted."""
    path = _path(source, directory)
    text = files.read_text(path)
    if text is None:
        return None
    try:
        record = Record(**json.loads(text))
    except (ValueError, TypeError) as error:
        raise ComposeOpsError(f"{path} is not a record of a run: {error}.", "Remove it.") from error
    if record.outcome == RUNNING and record.process != process(int(record.process.partition(" ")[0] or 0)):
        return Record(**{**asdict(record), "outcome": INTERRUPTED, "error": "The run was killed or the host stopped."})
    return record


def process(pid: int) -> str:
    """Return what tells a process from another that has its number later: the number and when it started."""
    stat = files.read_text(f"/proc/{pid}/stat") if pid else None
    if stat is None:
        return ""
    # The command's name may hold anything, closing brackets too; the fields after it are numbered from 3.
    start_time = stat.rpartition(")")[2].split()[19]
    return f"{pid} {start_time}"


def _path(source: str, directory: str) -> str:
    return os.path.join(directory, f"{source}.run.json")
