# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The options of a source's write-ahead log, read and judged."""

from __future__ import annotations

import re
from datetime import timedelta

from ansible_collections.composeops.stack.plugins.module_utils.backup import plan
from ansible_collections.composeops.stack.plugins.module_utils.backup.model import PointInTime
from ansible_collections.composeops.stack.plugins.module_utils.backup.pitr.wal import MEBIBYTE, SEGMENT_SIZE
from ansible_collections.composeops.stack.plugins.module_utils.errors import InvalidInput

SHORTEST_LAG = timedelta(seconds=5)
"""Each switch to a new segment costs an object and 16 MiB of log."""
LEAST_SPOOL = 4 * SEGMENT_SIZE

_SIZE = re.compile(r"(?P<number>\d+)(?P<unit>[MG])\Z")
_UNITS = {"M": MEBIBYTE, "G": 1024 * MEBIBYTE}


def lag(wanted: PointInTime) -> timedelta:
    """Return how long a write may wait before it is sent."""
    return plan.duration(wanted.lag)


def spool_limit(wanted: PointInTime) -> int:
    """Return how many bytes may wait on this host."""
    match = _SIZE.match(wanted.spool_limit)
    if match is None:
        raise InvalidInput(f"{wanted.spool_limit!r} is no size.", "Write a whole number and M or G, such as 4G.")
    return int(match["number"]) * _UNITS[match["unit"]]


def problem(wanted: PointInTime) -> str:
    """Return what is wrong with the options, or nothing."""
    try:
        if lag(wanted) < SHORTEST_LAG:
            return f"point_in_time.lag is less than {SHORTEST_LAG.seconds}s"
        if spool_limit(wanted) < LEAST_SPOOL:
            return f"point_in_time.spool_limit is less than {LEAST_SPOOL // MEBIBYTE}M"
    except InvalidInput as error:
        return f"point_in_time: {error}"
    return ""
