# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a kind of source has to provide to be backed up. A new kind is one more function in ``run.PRODUCERS``."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from ansible_collections.composeops.stack.plugins.module_utils.backup.model import Source
from ansible_collections.composeops.stack.plugins.module_utils.backup.process import Process
from ansible_collections.composeops.stack.plugins.module_utils.io.runner import Runner

Output = Process | Generator[bytes]
"""A process that writes, or bytes that raise at their end when they are not whole."""


@dataclass(frozen=True)
class Stream:
    """One object to be: its name, about how large it is, and what opens its output."""

    name: str
    estimate: int
    open: Callable[[], Output]


@dataclass(frozen=True)
class Production:
    """What a source hands out in one backup. ``invariants`` is asked for after the streams were read."""

    streams: tuple[Stream, ...]
    origin: Mapping[str, Any]
    invariants: Callable[[], Mapping[str, Any]]


Producer = Callable[[Source, Runner, float], AbstractContextManager[Production]]
"""Prepares a source for the length of a block; the last argument is the deadline (``time.monotonic``)."""
