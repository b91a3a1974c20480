# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Pins: an object beside a backup that keeps it from every retention. To set one, nothing has to be deleted."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from ansible_collections.composeops.stack.plugins.module_utils.backup import layout
from ansible_collections.composeops.stack.plugins.module_utils.backup.model import Entry
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError, InvalidInput

LONGEST_REASON = 400


class Writable(Protocol):
    """What a pin needs of a bucket."""

    def write(self, key: str, content: bytes) -> None: ...


def pin(
    bucket: Writable, entries: Sequence[Entry], identifier: str, *, reason: str, operator: str, now: datetime
) -> bool:
    """Pin the backup called ``identifier``; return whether it was not pinned already, whose reason then stays."""
    if not reason.strip() or len(reason) > LONGEST_REASON:
        raise InvalidInput(f"A pin has a reason of 1 to {LONGEST_REASON} characters.", "Say why: --reason TEXT.")
    entry = next((entry for entry in entries if entry.id == identifier), None)
    if entry is None or not entry.committed:
        raise ComposeOpsError(
            f"The store has no committed backup {identifier} of this source.", "Choose one of `composeops list SOURCE`."
        )
    if entry.pinned:
        return False
    content = {"schema": 1, "pinned": now.isoformat(timespec="seconds"), "by": operator, "reason": reason.strip()}
    key = layout.key(entry.source, entry.host, entry.id, layout.PIN)
    bucket.write(key, (json.dumps(content, indent=2, sort_keys=True) + "\n").encode())
    return True
