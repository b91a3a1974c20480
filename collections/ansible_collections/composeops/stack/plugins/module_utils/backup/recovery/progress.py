# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How far the recovery of a host has come: its phases, how long they took, and what was restored; pure.

It is kept on the host, so that a run after one that failed goes on where that one ended.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError, InvalidInput

PHASES = ("infrastructure", "data", "configuration", "verification")
FINISHED = "finished"


@dataclass(frozen=True)
class Progress:
    """A recovery. ``since`` is a reading of the host's monotonic clock."""

    started: str
    phase: str = ""
    since: float = 0.0
    seconds: Mapping[str, float] = field(default_factory=dict)
    """How long each phase took, over all runs."""
    restored: Mapping[str, str] = field(default_factory=dict)
    """Source to the id of the backup that it was restored from."""
    finished: str = ""
    empty: bool = False
    """Whether the host had no data when it began: what is there was made by it."""


def begin(found: Progress | None, data: str, *, now: str, clock: float, overwrite: bool) -> Progress:
    """Return a recovery that begins, or goes on after a run that failed; raise where it would replace ``data``."""
    if found is not None and not found.finished:
        # How long nobody did anything in between is no part of it.
        return replace(found, phase=PHASES[0], since=clock)
    if data and not overwrite:
        recovered = f" It was recovered at {found.finished}." if found is not None else ""
        raise InvalidInput(
            f"This host is not empty: {data}.{recovered}",
            "A recovery is for a new host; playbooks/restore.yml restores one source. To replace what is here: "
            "-e overwrite=true.",
        )
    return Progress(started=now, phase=PHASES[0], since=clock, empty=not data)


def enter(found: Progress, phase: str, *, now: str, clock: float) -> Progress:
    """Return the recovery in its next phase, or at its end."""
    spent = max(0.0, clock - found.since)
    seconds = {**found.seconds, found.phase: round(found.seconds.get(found.phase, 0.0) + spent, 1)}
    ended = now if phase == FINISHED else ""
    return replace(found, phase="" if ended else phase, since=clock, seconds=seconds, finished=ended)


def restored(found: Progress, source: str, backup: str) -> Progress:
    """Return the recovery with one more source restored."""
    return replace(found, restored={**found.restored, source: backup})


def serialise(progress: Progress) -> bytes:
    return (json.dumps({"schema": 1, **asdict(progress)}, indent=2, sort_keys=True) + "\n").encode()


def parse(text: str, path: str) -> Progress:
    """Return the recovery that ``text`` records; ``path`` names it in errors."""
    try:
        content: dict[str, Any] = json.loads(text)
        content.pop("schema")
        return Progress(**content)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ComposeOpsError(
            f"{path} is not the record of a recovery: {error}.", "Remove it, and begin the recovery again."
        ) from error


def rows(progress: Progress) -> list[list[str]]:
    """Return the table of the phases, with their sum."""
    found = [[phase, f"{progress.seconds[phase]:.1f}"] for phase in PHASES if phase in progress.seconds]
    return [*found, ["all", f"{sum(progress.seconds.values()):.1f}"]]
