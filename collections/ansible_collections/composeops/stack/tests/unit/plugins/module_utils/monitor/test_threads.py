"""Blocking work beside an event loop."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.monitor.threads import in_thread


def test_result_and_error_belong_to_who_waits() -> None:
    async def both() -> None:
        assert await in_thread(lambda: 42) == 42
        with pytest.raises(ValueError, match="odd"):
            await in_thread(lambda: int("odd"))

    asyncio.run(both())


def test_loop_goes_on_while_work_waits() -> None:
    async def loop() -> str:
        gate = threading.Event()
        waiting = in_thread(lambda: gate.wait(10))
        await asyncio.sleep(0)
        gate.set()
        return "set by the loop" if await waiting else "timed out"

    assert asyncio.run(loop()) == "set by the loop"


def test_result_that_nobody_waits_for_any_more_is_dropped() -> None:
    async def give_up() -> bool:
        gate, ended = threading.Event(), threading.Event()

        def work() -> None:
            gate.wait(10)
            ended.set()

        future = in_thread(work)
        future.cancel()
        gate.set()
        while not ended.is_set():
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.01)
        return future.cancelled()

    assert asyncio.run(give_up())


def test_work_that_never_ends_does_not_keep_the_process() -> None:
    script = (
        "import asyncio, threading\n"
        "from ansible_collections.composeops.stack.plugins.module_utils.monitor.threads import in_thread\n"
        "async def main():\n    in_thread(threading.Event().wait)\n"
        "asyncio.run(main())\n"
    )
    assert subprocess.run([sys.executable, "-c", script], timeout=20, check=False).returncode == 0
