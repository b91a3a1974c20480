# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Signs of life of a long backup: on a terminal one line that is written anew, elsewhere a line every half minute."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import TextIO

from ansible_collections.composeops.stack.plugins.module_utils.backup import report

Watch = Callable[[str, Callable[[], "int | None"], Callable[[], int]], AbstractContextManager[None]]
"""Watches one object for the length of a block: its name, how much was read for it, and how much of it was sent."""

JOURNAL_SECONDS = 30.0
TERMINAL_SECONDS = 1.0
_CLEARED = "\r\x1b[K"


def line(name: str, read: int | None, sent: int, seconds: float) -> str:
    """Return what is said of an object that is on its way for so long."""
    rate = report.size(int((read or 0) / seconds)) if seconds else "0 B"
    return f"{name}: {report.size(read or 0)} read, {report.size(sent)} sent, {rate}/s"


@contextlib.contextmanager
def unwatched(_name: str, _read: Callable[[], int | None], _sent: Callable[[], int]) -> Iterator[None]:
    """Say nothing."""
    yield


class Display:
    """Says on ``stream`` how the backup of ``source`` goes."""

    def __init__(self, source: str, stream: TextIO, *, seconds: float | None = None) -> None:
        self._source = source
        self._stream = stream
        self._terminal = stream.isatty()
        self._seconds = seconds or (TERMINAL_SECONDS if self._terminal else JOURNAL_SECONDS)

    @contextlib.contextmanager
    def watch(self, name: str, read: Callable[[], int | None], sent: Callable[[], int]) -> Iterator[None]:
        began = time.monotonic()
        ended = threading.Event()

        def show() -> None:
            while not ended.wait(self._seconds):
                self._say(line(f"{self._source}: {name}", read(), sent(), time.monotonic() - began))

        # Beside the transfer: one that waits for the database or the store is to be seen, too.
        thread = threading.Thread(target=show, daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()
            if self._terminal:
                self._write(_CLEARED)

    def _say(self, text: str) -> None:
        self._write(f"{_CLEARED}{text}" if self._terminal else f"{text}\n")

    def _write(self, text: str) -> None:
        # A terminal that was closed is no reason for a backup to fail.
        with contextlib.suppress(OSError, ValueError):
            self._stream.write(text)
            self._stream.flush()
