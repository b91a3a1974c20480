"""Wait for a condition, never for a while."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from testbed.errors import BedError

Found = TypeVar("Found")

POLL_SECONDS = 0.1


def wait_for(condition: Callable[[], Found | None], *, what: str, seconds: float, next_step: str) -> Found:
    """Ask `condition` until it returns something true; it raises BedError itself when waiting has become pointless."""
    deadline = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > deadline:
            raise BedError(f"{what}: not so within {seconds:.0f} s.", next_step)
        time.sleep(POLL_SECONDS)
