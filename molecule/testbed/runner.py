"""The one place that starts programs: argv lists, C locale, a clear error."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from testbed.errors import BedError


def run(
    argv: Sequence[str],
    *,
    log: Path | None = None,
    environment: Mapping[str, str] | None = None,
    next_step: str = "Read the message above; running the same command by hand shows it in full.",
) -> str:
    """Run a program to its end and return its standard output; its whole output also goes to `log`."""
    try:
        done = subprocess.run(
            list(argv),
            env={**os.environ, "LC_ALL": "C", **(environment or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
    except OSError as error:
        raise BedError(
            f"{argv[0]} cannot be started: {error}", f"Install {argv[0]} and run the command again."
        ) from error
    if log is not None:
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text(done.stdout + done.stderr, encoding="utf-8")
    if done.returncode != 0:
        last_lines = "\n".join((done.stderr or done.stdout).strip().splitlines()[-12:])
        raise BedError(f"{' '.join(argv[:3])} ... ended with status {done.returncode}:\n{last_lines}", next_step)
    return done.stdout
