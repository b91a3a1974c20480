# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which base backup and which segments lead to a moment: a pure decision."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone

from ansible_collections.composeops.stack.plugins.module_utils.backup.manifest import Manifest
from ansible_collections.composeops.stack.plugins.module_utils.backup.pitr import wal
from ansible_collections.composeops.stack.plugins.module_utils.backup.pitr.archive import Archived, Log
from ansible_collections.composeops.stack.plugins.module_utils.backup.pitr.wal import Segment
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError, InvalidInput


@dataclass(frozen=True)
class Base:
    """A base backup as its manifest describes it. It holds the log from its start to its stop itself."""

    id: str
    system: str
    timeline: int
    segment_size: int
    start: int
    stop: int
    stopped: datetime
    """By the server's clock: the earliest moment it leads to."""

    @property
    def first(self) -> Segment:
        """The first segment that has to be in the bucket for any moment after it."""
        return wal.segment_at(self.timeline, self.start, self.segment_size)


def base(manifest: Manifest) -> Base:
    """Return the base backup that a manifest describes."""
    origin, reached = manifest.origin, manifest.invariants
    try:
        return Base(
            id=manifest.id,
            system=str(origin["system_identifier"]),
            timeline=int(origin["timeline"]),
            segment_size=int(origin["wal_segment_size"]),
            start=wal.position(origin["start_lsn"]),
            stop=wal.position(reached["stop_lsn"]),
            stopped=datetime.fromisoformat(reached["stopped"]),
        )
    except (KeyError, ValueError) as error:
        raise ComposeOpsError(
            f"Backup {manifest.id} is no base backup that can be recovered: {error}.", "Choose another backup."
        ) from error


def moment(text: str) -> datetime:
    """Return the moment that ``text`` names in ISO 8601; one without its zone would be guessed, and is refused."""
    try:
        # Python 3.10 does not know Z.
        parsed = datetime.fromisoformat(text[:-1] + "+00:00" if text.endswith(("Z", "z")) else text)
    except ValueError:
        raise InvalidInput(f"{text!r} is no time.", "Write it as 2026-01-31T03:59:00Z.") from None
    if parsed.tzinfo is None:
        raise InvalidInput(f"{text} has no time zone.", f"Write {text}Z for UTC, or {text}+02:00.")
    return parsed.astimezone(timezone.utc)


def segments(of: Base, log: Log, target: datetime | None) -> tuple[Archived, ...]:
    """Return the segments that lead from a base to ``target``, or to the end of the log where there is none.

    A target is reached when a segment follows that is complete until later; what is missing before that is a refusal.
    """
    if target is None:
        if log.missing is not None:
            raise ComposeOpsError(_missing(log), _REMEDY.format(_covered(log)))
        if log.end < of.stop:
            raise ComposeOpsError(
                f"The store has the log of {of.id} up to {_written(log.end)} only; the base ends at "
                f"{_written(of.stop)}.",
                "Wait until composeops-wal has sent it, or choose an older backup.",
            )
        return log.files
    if target < of.stopped:
        raise ComposeOpsError(
            f"{target:%Y-%m-%d %H:%M:%S} UTC is before the end of base backup {of.id}, "
            f"{of.stopped:%Y-%m-%d %H:%M:%S} UTC.",
            "Choose a later time or an older backup.",
        )
    for number, one in enumerate(log.files, 1):
        if one.complete_until is not None and one.complete_until > target:
            return log.files[:number]
    if log.missing is not None:
        raise ComposeOpsError(f"{target:%Y-%m-%d %H:%M:%S} UTC cannot be reached: {_missing(log)}", _covered(log))
    raise ComposeOpsError(f"The store does not have the log up to {target:%Y-%m-%d %H:%M:%S} UTC.", _covered(log))


_REMEDY = "Give target_time to restore a time before that. {}"


def _missing(log: Log) -> str:
    assert log.missing is not None
    return f"Segment {log.missing.name} of the log is not in the store, although later ones are."


def _covered(log: Log) -> str:
    if log.complete_until is None:
        return "No time after the base is known to be covered; without target_time all that is there is restored."
    return f"It is complete until {log.complete_until:%Y-%m-%dT%H:%M:%SZ}: choose a time before that."


def _written(lsn: int) -> str:
    return f"{lsn >> 32:X}/{lsn & 0xFFFFFFFF:X}"
