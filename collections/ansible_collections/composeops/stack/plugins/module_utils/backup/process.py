# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Processes whose output is a stream: read as it comes, judged by their exit status, ended with their reader."""

from __future__ import annotations

import contextlib
import fcntl
import os
import selectors
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Generator, Sequence
from typing import IO

from ansible_collections.composeops.stack.plugins.module_utils.errors import CommandError

CHUNK = 1024 * 1024
ENDING = 30.0
"""Seconds a process may take to end after it closed its output."""


class Process:
    """A started process with its three streams: input held open, output for the reader, errors kept aside.

    ``secret`` is the first line it reads, unless it is None. ``deadline`` is a reading of ``time.monotonic``.
    With ``reads`` its input is the output of that process, which nothing else reads then; with ``output`` it writes to
    that file.
    """

    def __init__(
        self,
        argv: Sequence[str],
        *,
        purpose: str,
        secret: str | None,
        deadline: float,
        reads: Process | None = None,
        output: int | None = None,
    ) -> None:
        self._purpose = purpose
        self._deadline = deadline
        self._last_words = ""
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 (closed with the process)
        try:
            self._process = subprocess.Popen(
                list(argv),
                stdin=subprocess.PIPE if reads is None else reads._output,
                stdout=subprocess.PIPE if output is None else output,
                stderr=self._errors,
                env={**os.environ, "LC_ALL": "C"},
            )
        except OSError as error:
            self._errors.close()
            raise CommandError(
                f"{argv[0]} could not be started: {error.strerror}.",
                "Install it, or run the playbook that does (playbooks/site.yml).",
            ) from error
        if reads is not None:
            # Ours is a copy; with it open, the other would never be told that nobody reads any more.
            reads._output.close()
        if output is None:
            _widen(self._output)
        if secret is not None:
            self.write(secret + "\n")

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def output(self) -> int:
        """The descriptor of what it writes."""
        return self._output.fileno()

    @property
    def input(self) -> int:
        """The descriptor of what it reads."""
        return _present(self._process.stdin).fileno()

    @property
    def _output(self) -> IO[bytes]:
        return _present(self._process.stdout)

    def write(self, text: str) -> None:
        """Hand ``text`` to the process; one that ended already is told by its exit status."""
        with contextlib.suppress(BrokenPipeError):
            _present(self._process.stdin).write(text.encode())
            _present(self._process.stdin).flush()

    def chunks(self) -> Generator[bytes]:
        """Yield what the process writes, as it comes, until it closes its output or time is up."""
        with selectors.DefaultSelector() as selector:
            selector.register(self.output, selectors.EVENT_READ)
            while True:
                if not selector.select(max(0.0, self._deadline - time.monotonic())):
                    raise self.late()
                chunk = os.read(self.output, CHUNK)
                if not chunk:
                    return
                yield chunk

    def late(self) -> CommandError:
        """Return what is raised when time is up."""
        return CommandError(
            f"{self._purpose} did not end in time and was stopped.",
            "Look at what it waits for (locks, a slow store), or raise the source's timeout.",
        )

    def status(self) -> int:
        """Wait until time is up for the process to end; return its exit status."""
        try:
            return self._process.wait(timeout=max(0.0, self._deadline - time.monotonic()))
        except subprocess.TimeoutExpired as error:
            raise self.late() from error

    def finish(self) -> None:
        """Wait for the process to end; raise unless it says that all went well."""
        try:
            # Its input stays open until now: to a guarded command in a container, the end of input means stop.
            status = self._process.wait(timeout=ENDING)
        except subprocess.TimeoutExpired as error:
            raise CommandError(f"{self._purpose} did not end after its output.", "Look at the process.") from error
        if status != 0:
            raise CommandError(
                f"{self._purpose} failed with status {status}; it said: {self._said()}", returncode=status
            )

    def write_file(self, path: str) -> None:
        """Hand a whole file to the process; one that ended before its end is told by its exit status."""
        with open(path, "rb") as stream, contextlib.suppress(BrokenPipeError):
            shutil.copyfileobj(stream, _present(self._process.stdin), CHUNK)
            _present(self._process.stdin).flush()

    def kill(self) -> None:
        self._process.kill()

    def close_input(self) -> None:
        with contextlib.suppress(BrokenPipeError):
            _present(self._process.stdin).close()

    def close(self) -> None:
        """End the process if it still runs, and free what it held."""
        if self._process.poll() is None:
            self.kill()
        self._process.wait()
        self._last_words = self.said()
        for stream in (self._process.stdin, self._process.stdout, self._errors):
            with contextlib.suppress(BrokenPipeError):
                if stream is not None:
                    stream.close()

    def said(self) -> str:
        """Return everything that the process has written to its standard error."""
        if self._errors.closed:
            return self._last_words
        self._errors.seek(0)
        return self._errors.read().decode("utf-8", "replace")

    def _said(self) -> str:
        return self.said().strip()[-2000:] or "nothing"


def feed(argv: Sequence[str], path: str | None, *, purpose: str, secret: str, deadline: float) -> None:
    """Run ``argv`` with the file ``path``, if any, as its input after the secret; raise when its status is not 0."""
    process = Process(argv, purpose=purpose, secret=secret, deadline=deadline)
    watchdog = threading.Timer(max(0.0, deadline - time.monotonic()), process.kill)
    watchdog.start()
    try:
        if path is not None:
            process.write_file(path)
        process.close_input()
        for _ in process.chunks():
            pass  # what it prints is of no use, but a full pipe would stop it
        process.finish()
    finally:
        watchdog.cancel()
        process.close()


def _widen(stream: IO[bytes]) -> None:
    """Let a pipe hold more, so that processes on different processors wait less for each other."""
    with contextlib.suppress(OSError):
        fcntl.fcntl(stream.fileno(), fcntl.F_SETPIPE_SZ, CHUNK)


def _present(stream: IO[bytes] | None) -> IO[bytes]:
    assert stream is not None
    return stream
