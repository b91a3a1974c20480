"""Background processes of the bed: detached, found again by their pid file, stopped by it."""

from __future__ import annotations

import os
import select
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

from testbed.errors import BedError
from testbed.waiting import wait_for


@dataclass(frozen=True)
class Daemon:
    """A program that outlives the command that starts it; its arguments name the bed, so that they are its alone."""

    argv: tuple[str, ...]
    pidfile: Path
    log: Path

    def pid(self) -> int | None:
        """The running process: the pid file's, or, where that was never written, the one with these arguments.

        A pid file left by a dead process or taken over by another one does not count.
        """
        try:
            recorded = int(self.pidfile.read_text(encoding="ascii").strip())
        except (OSError, ValueError):
            return next((pid for pid in _processes() if self._is(pid)), None)
        return recorded if self._is(recorded) else None

    def _is(self, pid: int) -> bool:
        try:
            arguments = Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            return False
        return arguments == b"".join(argument.encode() + b"\0" for argument in self.argv)

    def start(self) -> None:
        self.pidfile.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.pidfile.unlink(missing_ok=True)
        with self.log.open("ab") as log:
            try:
                process = subprocess.Popen(
                    self.argv,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                    cwd="/",
                    env={**os.environ, "LC_ALL": "C"},
                )
            except OSError as error:
                raise BedError(f"{self.argv[0]} cannot be started: {error}", f"Install {self.argv[0]}.") from error
        self.pidfile.write_text(f"{process.pid}\n", encoding="ascii")
        # The kernel shows a new program's arguments a moment after it has started.
        wait_for(
            lambda: self.pid() is not None or process.poll() is not None,
            what=f"{self.argv[0]} is seen",
            seconds=10,
            next_step=f"Read {self.log}.",
        )

    def stop(self, *, seconds: float) -> None:
        """Ask it to end and wait until it has; a process that does not is killed."""
        pid = self.pid()
        if pid is not None:
            handle = os.pidfd_open(pid)
            try:
                signal.pidfd_send_signal(handle, signal.SIGTERM)
                if not select.select([handle], [], [], seconds)[0]:
                    signal.pidfd_send_signal(handle, signal.SIGKILL)
                    select.select([handle], [], [], seconds)
            except ProcessLookupError:
                pass
            finally:
                os.close(handle)
        self.pidfile.unlink(missing_ok=True)


def _processes() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
