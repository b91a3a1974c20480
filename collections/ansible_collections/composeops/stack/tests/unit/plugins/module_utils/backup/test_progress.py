# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import io
import threading
import time

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.backup import progress
from ansible_collections.composeops.stack.plugins.module_utils.backup.progress import Display


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def watched(stream: io.StringIO) -> str:
    display = Display("database", stream, seconds=0.01)
    with display.watch("database.pgdump", lambda: 3 << 20, lambda: 1 << 20):
        deadline = time.monotonic() + 5
        while stream.getvalue().count("read") < 2 and time.monotonic() < deadline:
            time.sleep(0.001)
    return stream.getvalue()


def test_a_journal_gets_whole_lines() -> None:
    said = watched(io.StringIO())
    assert said.startswith("database: database.pgdump: 3.0 MiB read, 1.0 MiB sent, ")
    assert said.endswith("/s\n")
    assert "\r" not in said


def test_a_terminal_gets_one_line_that_is_cleared_at_the_end() -> None:
    said = watched(Terminal())
    assert "\n" not in said
    assert said.endswith("\r\x1b[K")


def test_a_short_backup_says_nothing() -> None:
    stream = io.StringIO()
    with Display("database", stream).watch("dump", lambda: 1, lambda: 1):
        pass
    assert stream.getvalue() == ""


def test_a_stream_that_is_closed_fails_nothing() -> None:
    stream = io.StringIO()
    display = Display("database", stream, seconds=0.01)
    stream.close()
    asked = threading.Semaphore(0)

    def sent() -> int:
        asked.release()
        return 1

    with display.watch("dump", lambda: 1, sent):
        assert asked.acquire(timeout=5)
        assert asked.acquire(timeout=5), "it said nothing after what it could not say"


@pytest.mark.parametrize(
    ("read", "seconds", "rate"), [(30 << 20, 3.0, "10.0 MiB/s"), (0, 0.0, "0 B/s"), (None, 1, "0 B/s")]
)
def test_a_rate_is_of_what_was_read(read: int | None, seconds: float, rate: str) -> None:
    assert progress.line("dump", read, 0, seconds).endswith(rate)
