# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How fast a backup may be sent: a rate as it is written, and a bucket of tokens that keeps to it."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

from ansible_collections.composeops.stack.plugins.module_utils.errors import InvalidInput

LOWEST = 128 * 1024
"""Below this a part of a backup would take longer than stores wait for it."""
BURST_SECONDS = 0.25

_RATE = re.compile(r"(?P<number>\d+)(?P<unit>[KMG]?)\Z")
_UNITS = {"": 1, "K": 1024, "M": 1024**2, "G": 1024**3}


def parse(text: str) -> int:
    """Return ``text`` such as 20M as bytes per second; 0 is no limit."""
    match = _RATE.match(text)
    if match is None:
        raise InvalidInput(
            f"backup_bandwidth {text!r} is no rate.", "Write bytes per second, such as 800K or 20M, or 0 for no limit."
        )
    rate = int(match["number"]) * _UNITS[match["unit"]]
    if 0 < rate < LOWEST:
        raise InvalidInput(f"backup_bandwidth {text} is too little for a backup to end.", "Allow at least 128K.")
    return rate


class Pace:
    """Lets so many bytes pass in a second; a quarter of a second's worth may pass at once."""

    def __init__(
        self,
        rate: int,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._rate = rate
        self._clock = clock
        self._sleep = sleep
        self._free_at = clock()
        """When all that has passed would have, at the rate."""

    def wait(self, count: int) -> None:
        """Wait until ``count`` more bytes may pass."""
        now = self._clock()
        self._free_at = max(self._free_at, now - BURST_SECONDS) + count / self._rate
        if self._free_at > now:
            self._sleep(self._free_at - now)
