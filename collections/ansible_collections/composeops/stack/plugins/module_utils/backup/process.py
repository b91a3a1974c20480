# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Processes whose output is a stream: read as it comes, judged by their exit status, ended with their reader."""

from __future__ import annotations

import contextlib
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

    ``secret`` is the first line it reads. ``deadline`` is a reading of ``time.monotonic``.
    """

    def __init__(self, argv: Sequence[str], *, purpose: str, secret: str, deadline: float) -> None:
        self._purpose = purpose
        self._deadline = deadline
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 (closed with the process)
        try:
            self._process = subprocess.Popen(
                list(argv),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                env={**os.environ, "LC_ALL": "C"},
            )
        except OSError as error:
            self._errors.close()
            raise CommandError(
                f"{argv[0]} could not be started: {error.strerror}.",
                "Install it, or run the playbook that does (playbooks/provision.yml).",
            ) from error
        self.write(secret + "\n")

    def write(self, text: str) -> None:
        """Hand ``text`` to the process; one that ended already is told by its exit status."""
        with contextlib.suppress(BrokenPipeError):
            _present(self._process.stdin).write(text.encode())
            _present(self._process.stdin).flush()

    def chunks(self) -> Generator[bytes]:
        """Yield what the process writes, as it comes, until it closes its output or time is up."""
        descriptor = _present(self._process.stdout).fileno()
        with selectors.DefaultSelector() as selector:
            selector.register(descriptor, selectors.EVENT_READ)
            while True:
                if not selector.select(max(0.0, self._deadline - time.monotonic())):
                    raise CommandError(
                        f"{self._purpose} did not end in time and was stopped.",
                        "Look at what it waits for (locks, a slow store), or raise the source's timeout.",
                    )
                chunk = os.read(descriptor, CHUNK)
                if not chunk:
                    return
                yield chunk

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
        for stream in (self._process.stdin, self._process.stdout, self._errors):
            with contextlib.suppress(BrokenPipeError):
                _present(stream).close()

    def said(self) -> str:
        """Return everything that the process has written to its standard error."""
        self._errors.seek(0)
        return self._errors.read().decode("utf-8", "replace")

    def _said(self) -> str:
        return self.said().strip()[-2000:] or "nothing"


def feed(argv: Sequence[str], path: str, *, purpose: str, secret: str, deadline: float) -> None:
    """Run ``argv`` with the file ``path`` as its input after the secret; raise when its exit status is not 0."""
    process = Process(argv, purpose=purpose, secret=secret, deadline=deadline)
    watchdog = threading.Timer(max(0.0, deadline - time.monotonic()), process.kill)
    watchdog.start()
    try:
        process.write_file(path)
        process.close_input()
        for _ in process.chunks():
            pass  # what it prints is of no use, but a full pipe would stop it
        process.finish()
    finally:
        watchdog.cancel()
        process.close()


def output(argv: Sequence[str], *, purpose: str, secret: str, deadline: float) -> Generator[bytes]:
    """Yield everything ``argv`` writes; raise at the end when its exit status is not 0, however complete it looked."""
    process = Process(argv, purpose=purpose, secret=secret, deadline=deadline)
    try:
        yield from process.chunks()
        process.finish()
    finally:
        process.close()


def _present(stream: IO[bytes] | None) -> IO[bytes]:
    assert stream is not None
    return stream
