# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Positions in a PostgreSQL's write-ahead log, and the names of its segments: arithmetic only."""

from __future__ import annotations

import re
from dataclasses import dataclass

MEBIBYTE = 1024 * 1024
SEGMENT_SIZE = 16 * MEBIBYTE
"""What initdb makes unless it is told otherwise."""

_LOG = 0x100000000
_NAME = re.compile(r"(?P<timeline>[0-9A-F]{8})(?P<log>[0-9A-F]{8})(?P<part>[0-9A-F]{8})\Z")
_HISTORY = re.compile(r"(?P<timeline>[0-9A-F]{8})\.history\Z")
_LSN = re.compile(r"(?P<high>[0-9A-F]{1,8})/(?P<low>[0-9A-F]{1,8})\Z")


def position(text: str) -> int:
    """Return the position that PostgreSQL writes as ``16/B374D848``."""
    match = _LSN.match(text)
    if match is None:
        raise ValueError(f"{text!r} is no position in a write-ahead log")
    return int(match["high"], 16) * _LOG + int(match["low"], 16)


@dataclass(frozen=True, order=True)
class Segment:
    """One file of the log: the ``number``-th of its timeline."""

    timeline: int
    number: int
    size: int = SEGMENT_SIZE

    @property
    def name(self) -> str:
        per_log = _LOG // self.size
        return f"{self.timeline:08X}{self.number // per_log:08X}{self.number % per_log:08X}"

    @property
    def end(self) -> int:
        """The position after its last byte."""
        return (self.number + 1) * self.size

    @property
    def next(self) -> Segment:
        return Segment(self.timeline, self.number + 1, self.size)


def segment_at(timeline: int, lsn: int, size: int = SEGMENT_SIZE) -> Segment:
    """Return the segment that a position lies in."""
    return Segment(timeline, lsn // size, size)


def segment(name: str, size: int = SEGMENT_SIZE) -> Segment | None:
    """Return the segment called ``name``, or None where that is no segment's name."""
    match = _NAME.match(name)
    if match is None:
        return None
    return Segment(int(match["timeline"], 16), int(match["log"], 16) * (_LOG // size) + int(match["part"], 16), size)


def history(name: str) -> int | None:
    """Return the timeline whose history file is called ``name``, or None where that is another file's name."""
    match = _HISTORY.match(name)
    return None if match is None else int(match["timeline"], 16)


def history_name(timeline: int) -> str:
    return f"{timeline:08X}.history"
