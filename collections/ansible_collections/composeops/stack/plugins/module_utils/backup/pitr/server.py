# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is asked of the server while its log is received."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from ansible_collections.composeops.stack.plugins.module_utils.backup.pitr import sql, wal
from ansible_collections.composeops.stack.plugins.module_utils.backup.pitr.wal import Segment
from ansible_collections.composeops.stack.plugins.module_utils.backup.sources import postgres
from ansible_collections.composeops.stack.plugins.module_utils.backup.sources import postgres_sql as names
from ansible_collections.composeops.stack.plugins.module_utils.backup.sources.postgres_place import Place
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.io.runner import Runner

ASK_SECONDS = 60
LOST = "lost"
"""What a server says of a slot whose log it gave up, because its disk was to hold no more (max_slot_wal_keep_size)."""


@dataclass(frozen=True)
class Observed:
    """Where a server is in its log."""

    system: str
    segment: Segment
    """The one it writes."""
    position: int
    snapshot: str
    """Its transactions, as text: the same while none that writes begins or ends."""
    slots: Mapping[str, str]
    """By name, whether they still have the log they keep: ``lost`` when the server needed its disk."""


@dataclass(frozen=True)
class Mark:
    """The end of a segment that was made on purpose, and what it says."""

    system: str
    segment: str
    moment: datetime
    """What was acknowledged until then is in this segment or in earlier ones."""
    snapshot: str
    """The transactions that there were right after it."""


def ask(runner: Runner, place: Place, text: str) -> list[str]:
    """Run SQL in the source's database and return the lines it answered."""
    answer = postgres.script(runner, place, place.source.database, names.CATALOG_ONLY + text, timeout=ASK_SECONDS)
    return [line for line in answer.splitlines() if line]


def observe(runner: Runner, place: Place) -> Observed:
    """Ask the server where it is."""
    found = json.loads(ask(runner, place, sql.OBSERVE)[-1])
    return Observed(
        system=found["system_identifier"],
        segment=_segment(found["segment"], found["wal_segment_size"]),
        position=wal.position(found["position"]),
        snapshot=found["snapshot"],
        slots=found["slots"] or {},
    )


def mark(runner: Runner, place: Place, system: str) -> Mark:
    """End the segment that is written, so that it can be sent, and say up to when it is complete."""
    found = json.loads(ask(runner, place, sql.MARK)[-1])
    return Mark(system, found["segment"], datetime.fromisoformat(found["moment"]), found["snapshot"])


def _segment(name: str, size: int) -> Segment:
    found = wal.segment(name, size)
    if found is None:
        raise ComposeOpsError(f"The server calls its segment {name}, which is no name of one.", "Look at its version.")
    return found
