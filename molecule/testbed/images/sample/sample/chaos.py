"""Does what the failure switches say to the process as a whole; what concerns single requests is in `app.py`."""

from __future__ import annotations

import asyncio
import logging
import os
import time

from sample import faults as switches
from sample.faults import Faults

log = logging.getLogger(__name__)

MIB = 1024 * 1024
# Leaves the answer to the request that threw the switch the time to get out.
PAUSE = 0.1


class Chaos:
    def __init__(self) -> None:
        self.faults: Faults = switches.NONE
        self._timers: list[asyncio.TimerHandle] = []
        self._leaked: list[bytes] = []

    def start(self, faults: Faults, after: float) -> None:
        """The switches of the environment, thrown `after` seconds: healthy first, then failing."""
        if after > 0:
            asyncio.get_running_loop().call_later(after, self.throw, faults)
        else:
            self.throw(faults)

    def throw(self, faults: Faults) -> None:
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
        self._leaked.clear()
        self.faults = faults
        if faults != switches.NONE:
            log.warning("failure switches: %s", faults)
        loop = asyncio.get_running_loop()
        if faults.freeze > 0:
            # Blocks the event loop: connections are accepted by the kernel and never answered.
            self._timers.append(loop.call_later(PAUSE, time.sleep, faults.freeze))
        if faults.crash_after is not None:
            self._timers.append(loop.call_later(max(PAUSE, faults.crash_after), crash))
        if faults.leak > 0:
            self._leak()

    def _leak(self) -> None:
        # Not zeros: untouched zero pages are not resident, and no memory limit would notice.
        self._leaked.append(b"x" * int(self.faults.leak * MIB))
        self._timers.append(asyncio.get_running_loop().call_later(1, self._leak))


def crash() -> None:
    log.error("crashing, as told")
    logging.shutdown()
    os._exit(1)
