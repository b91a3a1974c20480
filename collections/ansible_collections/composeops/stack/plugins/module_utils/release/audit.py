# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The audit log of a host: who changed which stack, when, how, from which release to which, and how that ended.

One JSON object a line, only ever appended. A run that changes something writes two: that it began, and that it ended.
One that began and never ended was killed, or still runs; so the log needs nobody to tidy up after a killed run.
"""

from __future__ import annotations

import glob
import gzip
import json
import os
import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from typing import Literal

from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.io import files

PATH = "/var/log/composeops/audit.jsonl"
DIRECTORY_MODE = 0o750
FILE_MODE = 0o600
ROTATED = re.compile(r"\.(\d+)(\.gz)?\Z")

Operation = Literal["deploy", "rollback", "stop", "restart", "remove", "hold", "resume", "restore"]
Via = Literal["ansible", "console", "monitor"]
Result = Literal["", "ok", "failed", "rolled back", "refused", "running", "interrupted"]
"""``refused`` changed nothing; ``rolled back`` failed, and what was there before serves. The last two are not written
but concluded, from a beginning without an end."""

COLUMNS = ["time", "stack", "operation", "operator", "via", "release", "result", "seconds", "reason"]


@dataclass(frozen=True)
class Entry:
    """One line of the log."""

    time: str
    event: Literal["began", "ended"]
    run: str
    """The same in the two lines of a run."""
    stack: str
    operation: Operation
    operator: str
    via: Via
    from_release: int = 0
    """The release that was active before; 0 is none."""
    to_release: int = 0
    """The release that it made, or the active one where it made none."""
    result: Result = ""
    seconds: float = 0.0
    reason: str = ""


def append(entry: Entry, path: str = PATH) -> None:
    """Write a line, and have the disk keep it."""
    line = json.dumps(asdict(entry), ensure_ascii=False).encode() + b"\n"
    try:
        if not os.path.isdir(os.path.dirname(path)):
            os.makedirs(os.path.dirname(path), mode=DIRECTORY_MODE, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, FILE_MODE)
        try:
            # A power cut or a full disk may have cut the last line short; this one must not be lost with it.
            length = os.fstat(descriptor).st_size
            torn = length > 0 and os.pread(descriptor, 1, length - 1) != b"\n"
            os.write(descriptor, b"\n" + line if torn else line)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise ComposeOpsError(f"{path} cannot be written: {error.strerror}.", "Free the disk.") from error


def read(path: str = PATH) -> Iterator[Entry]:
    """Yield the entries, the oldest first, those of rotated files included. What is cut short is passed over."""
    for name in [*_rotated(path), path]:
        for line in _lines(name):
            try:
                yield Entry(**json.loads(line))
            except (ValueError, TypeError):
                continue


def runs(entries: Iterable[Entry], running: Collection[str]) -> list[Entry]:
    """Return one entry for each run, in the order in which they began; pure. ``running`` are those still at work."""
    found: dict[str, Entry] = {}
    for entry in entries:
        began = found.get(entry.run)
        if entry.event == "began":
            result: Result = "running" if entry.run in running else "interrupted"
            found[entry.run] = replace(entry, result=result)
        else:
            found[entry.run] = replace(entry, time=began.time) if began else entry
    return list(found.values())


def row(entry: Entry) -> list[str]:
    """Return the row of a table."""
    release = str(entry.from_release or "-")
    if entry.to_release not in (0, entry.from_release):
        release += f" to {entry.to_release}"
    seconds = f"{entry.seconds:.1f}" if entry.seconds else "-"
    names = [entry.time, entry.stack, entry.operation, entry.operator, entry.via]
    return [*names, release, entry.result, seconds, entry.reason or "-"]


def _rotated(path: str) -> list[str]:
    """Return the rotated files, the oldest first."""
    names = glob.glob(f"{glob.escape(path)}.*")
    numbered = [(int(match[1]), name) for name in names if (match := ROTATED.search(name))]
    return [name for _, name in sorted(numbered, reverse=True)]


def _lines(name: str) -> list[str]:
    content = files.read_bytes(name) or b""
    if name.endswith(".gz"):
        content = gzip.decompress(content)
    return content.decode("utf-8", "replace").split("\n")
