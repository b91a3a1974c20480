"""Progress lines: what is being done, and how long it took."""

from __future__ import annotations

import sys
import threading
import time
from typing import TextIO


class Progress:
    """Writes whole lines from any thread."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stdout
        self._started = time.monotonic()
        self._lock = threading.Lock()

    @property
    def elapsed(self) -> float:
        return time.monotonic() - self._started

    def say(self, text: str) -> None:
        with self._lock:
            for line in text.splitlines() or [""]:
                self._stream.write(f"[{self.elapsed:6.1f} s] {line}\n")
            self._stream.flush()
