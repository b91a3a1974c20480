# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Turns the signals that end a run into an error, so that what a run began is taken back before it ends."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType
from typing import NoReturn

from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(ComposeOpsError):
    """Somebody stopped the run."""


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Raise ``Interrupted`` in the block on the first such signal; later ones do not cut its cleaning up short."""

    def interrupt(number: int, _frame: FrameType | None) -> NoReturn:
        for other in SIGNALS:
            signal.signal(other, signal.SIG_IGN)
        raise Interrupted(f"Stopped by {signal.Signals(number).name}.", "Run it again when you want it.")

    before = {number: signal.signal(number, interrupt) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """Have such a signal wait for the end of the block, and the programs that it starts never see it.

    For what takes back at the end of every run: a signal that ended it half way would leave the rest.
    """
    waiting: list[int] = []
    # A mask is a thread's own, and inherited by programs. The process gets the signal through any other thread that it
    # has, and Python hands it to the main one.
    main = threading.current_thread() is threading.main_thread()
    handlers = {number: signal.signal(number, lambda given, _: waiting.append(given)) for number in SIGNALS if main}
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        for number, handler in handlers.items():
            signal.signal(number, handler)
        if waiting:
            signal.raise_signal(waiting[0])
