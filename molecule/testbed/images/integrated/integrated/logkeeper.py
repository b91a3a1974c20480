"""Keeps the logs (INT-05): each is closed at the end of its day, kept for seven more, and all of them have a limit.

supervisord asks once a minute. Between two of its questions a log is bounded by its `stdout_logfile_maxbytes`.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sample.environment import number

DAY = 86_400.0
MIB = 1024 * 1024


@dataclass(frozen=True)
class File:
    """A log. Those in use end in `.log`; those closed have something after it."""

    path: Path
    modified: float
    size: int

    @property
    def in_use(self) -> bool:
        return self.path.suffix == ".log"


@dataclass(frozen=True)
class Plan:
    close: tuple[Path, ...]
    remove: tuple[Path, ...]


def plan(files: Sequence[File], own: Path, now: float, *, new_day: bool, days: float, limit: int) -> Plan:
    """What is closed in the directory `own`, and what is removed wherever it lies."""
    close = tuple(
        file.path
        for file in files
        if file.in_use and file.size and file.path.parent == own and (new_day or day(file.modified) != day(now))
    )
    # A container that is gone wrote nothing for so long; one that runs is asked for its health all the time.
    gone = {
        directory
        for directory in {file.path.parent for file in files} - {own}
        if all(now - file.modified > days * DAY for file in files if file.path.parent == directory)
    }
    closed = [file for file in files if not file.in_use or file.path.parent in gone]
    old = [file for file in closed if now - file.modified > days * DAY]
    kept = sorted((file for file in closed if file not in old), key=lambda file: file.modified)
    excess = sum(file.size for file in files if file not in old) - limit
    for file in kept:
        if excess <= 0:
            break
        old.append(file)
        excess -= file.size
    return Plan(close, tuple(file.path for file in old))


def day(moment: float) -> str:
    return time.strftime("%Y%m%d", time.gmtime(moment))


def survey(logs: Path) -> list[File]:
    """The logs of every container that wrote to the volume."""
    found = []
    for path in sorted(logs.glob("*/*.log*")):
        try:
            status = path.stat()
        except FileNotFoundError:
            continue  # another container's keeper was quicker
        found.append(File(path, status.st_mtime, status.st_size))
    return found


def keep(
    own: Path, reopen: Callable[[], None], *, new_day: bool, days: float, limit: int, now: float | None = None
) -> Plan:
    """Do what the plan says."""
    at = time.time() if now is None else now
    wanted = plan(survey(own.parent), own, at, new_day=new_day, days=days, limit=limit)
    for path in wanted.close:
        # By what it holds: the day before, where this is the first look at a new one.
        path.rename(path.with_name(f"{path.name}-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime(at))}"))
    if wanted.close:
        reopen()
    for path in wanted.remove:
        path.unlink(missing_ok=True)
    _without_empty(path.parent for path in wanted.remove if path.parent != own)
    return wanted


def listen(env: Mapping[str, str]) -> int:
    """Answer supervisord's questions until it closes them."""
    own = Path(env["LOG_DIRECTORY"])
    days = number(env, "LOG_DAYS", 7.0)
    limit = int(number(env, "LOG_LIMIT_MIB", 250.0) * MIB)
    last = day(time.time())
    while True:
        print("READY", flush=True)
        header = sys.stdin.readline()
        if not header:
            return 0
        sys.stdin.read(int(dict(word.split(":", 1) for word in header.split())["len"]))
        today = day(time.time())
        done = keep(own, _reopen, new_day=today != last, days=days, limit=limit)
        last = today
        if done.close or done.remove:
            print(f"closed {len(done.close)} and removed {len(done.remove)} logs", file=sys.stderr, flush=True)
        sys.stdout.write("RESULT 2\nOK")
        sys.stdout.flush()


def _reopen() -> None:
    """supervisord opens its logs and those of its programs anew."""
    os.kill(os.getppid(), signal.SIGUSR2)


def _without_empty(directories: Iterable[Path]) -> None:
    for directory in set(directories):
        if directory.is_dir() and not any(directory.iterdir()):
            directory.rmdir()
