"""Runs a command to its end and says how long that took, with no connection shared with a run before."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Timed:
    """A command that ended."""

    seconds: float
    returncode: int
    output: str


def close_connections(directory: Path) -> None:
    """End the ssh masters that were left behind for later tasks; their sockets are all there is in ``directory``."""
    for socket in directory.iterdir():
        subprocess.run(
            ["ssh", "-o", f"ControlPath={socket}", "-O", "exit", "any"], check=True, capture_output=True, timeout=30
        )


def timed(argv: Sequence[str | Path], log: Path, environment: Mapping[str, str], directory: Path) -> Timed:
    """Run ``argv`` with its output in ``log``.

    The output goes to a file and not to a pipe: a background ssh master would hold a pipe open long after the end.
    HOME is an empty directory, so that nobody is helped or hindered by the user's own configuration.
    """
    home = Path(tempfile.mkdtemp(prefix="bench-"))
    sockets = home / "ssh"
    sockets.mkdir()
    merged = {
        **{name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")},
        "HOME": str(home),
        "LC_ALL": "C.UTF-8",
        "ANSIBLE_SSH_CONTROL_PATH_DIR": str(sockets),
        "ANSIBLE_NOCOLOR": "1",
        **environment,
    }
    try:
        with log.open("wb") as stream:
            start = time.perf_counter()
            completed = subprocess.run(
                [str(argument) for argument in argv],
                cwd=directory,
                env=merged,
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                check=False,
            )
            seconds = time.perf_counter() - start
        close_connections(sockets)
    finally:
        shutil.rmtree(home)
    return Timed(seconds, completed.returncode, log.read_text(encoding="utf-8", errors="replace"))
