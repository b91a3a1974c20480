# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Blocking work beside an event loop: one thread for each piece, and none that a stuck one could keep others from."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import threading
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")


def in_thread(work: Callable[[], Result]) -> asyncio.Future[Result]:
    """Start ``work`` and return its future. The thread ends with the process, even where its work never ends.

    The pools of the standard library wait for their threads when the process ends, and their places can all be taken.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Result] = loop.create_future()

    def run() -> None:
        try:
            result = work()
        except BaseException as error:
            # Whatever it is, it belongs to whoever waits for the result.
            _tell(loop, functools.partial(_fail, future, error))
        else:
            _tell(loop, functools.partial(_succeed, future, result))

    threading.Thread(target=run, daemon=True).start()
    return future


def _tell(loop: asyncio.AbstractEventLoop, news: Callable[[], None]) -> None:
    with contextlib.suppress(RuntimeError):  # the loop has ended, and nobody waits
        loop.call_soon_threadsafe(news)


def _succeed(future: asyncio.Future[Result], result: Result) -> None:
    if not future.done():
        future.set_result(result)


def _fail(future: asyncio.Future[Result], error: BaseException) -> None:
    if not future.done():
        future.set_exception(error)
