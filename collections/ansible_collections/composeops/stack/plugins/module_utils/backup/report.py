# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How ages, sizes and long lists are shown to a person."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

NAMED = 3
"""How many of a list are named."""
_SPANS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))
_SIZES = ((1 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"))


def duration(span: timedelta) -> str:
    """Return ``span`` in its one or two largest units: 42 s, 5 min, 3 h 12 min, 12 d 4 h."""
    left = int(span.total_seconds())
    parts: list[str] = []
    for seconds, unit in _SPANS:
        count, left = divmod(left, seconds)
        if parts:
            return f"{parts[0]} {count} {unit}" if count and unit != "s" else parts[0]
        if count:
            parts.append(f"{count} {unit}")
    return parts[0] if parts else "0 s"


def size(count: int) -> str:
    """Return a number of bytes as a person reads it: 512 B, 1.4 KiB, 3.0 GiB."""
    for unit, name in _SIZES:
        if count >= unit:
            return f"{count / unit:.1f} {name}"
    return f"{count} B"


def some(names: Sequence[str]) -> str:
    """Return the first of ``names``, and how many more there are."""
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more
