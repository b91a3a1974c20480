# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A producer's output on its way through the programs that encode it.

Where the producer is a process, one program reads what the other writes, and Python sees the last one's output alone.
What Python itself makes is written into the first. It is one chain: it ends well only when every part of it did.
"""

from __future__ import annotations

import contextlib
import os
import re
import selectors
import time
from collections.abc import Generator, Sequence

from ansible_collections.composeops.stack.plugins.module_utils.backup.encoding import programs
from ansible_collections.composeops.stack.plugins.module_utils.backup.process import CHUNK, Process
from ansible_collections.composeops.stack.plugins.module_utils.backup.producer import Output, Stream
from ansible_collections.composeops.stack.plugins.module_utils.errors import CommandError, ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.io import files

_READ = re.compile(r"\(\s*(?P<bytes>\d+) B\s*=>")
r"""What zstd says at its end: ``/*stdin*\ : 33.33% (   300 B =>    100 B, /*stdout*\)``."""


class Encoded:
    """An object to be. ``chunks`` is what is stored of it, and raises at its end unless all went well."""

    def __init__(self, stream: Stream, encoding: Sequence[str], recipients: Sequence[str], deadline: float) -> None:
        self._stream = stream
        self._encoding = tuple(encoding)
        self._recipients = tuple(recipients)
        self._deadline = deadline
        self._running: Process | None = None
        self._plain: int | None = 0

    def chunks(self) -> Generator[bytes]:
        """Yield what the last program writes, as it comes."""
        with contextlib.ExitStack() as ending:
            output = self._stream.open()
            ending.callback(output.close)
            chain = self._start(output, ending)
            if isinstance(output, Process):
                self._running = chain[0]
                yield from chain[-1].chunks()
                chain.insert(0, output)
            else:
                yield from self._pumped(output, chain)
            # One that dies takes those before it along: the last one that failed is the cause.
            for process in reversed(chain):
                process.finish()
            if self._running is not None:
                said = _READ.search(self._running.said())
                self._plain, self._running = int(said["bytes"]) if said else None, None
            if self._plain == 0:
                raise ComposeOpsError(f"Nothing came out for {self._stream.name}.", "An empty backup is none.")

    @property
    def plain_bytes(self) -> int | None:
        """How much came in: about so while it does; exactly so, where the program tells, when the chunks have ended."""
        running = self._running
        return self._plain if running is None else _read_by(running.pid)

    def _start(self, output: Output, ending: contextlib.ExitStack) -> list[Process]:
        chain: list[Process] = []
        reads = output if isinstance(output, Process) else None
        for step in self._encoding:
            process = Process(
                programs.encoder(step, self._recipients),
                purpose=f"{step} of {self._stream.name}",
                secret=None,
                deadline=self._deadline,
                reads=reads,
            )
            ending.callback(process.close)
            chain.append(process)
            reads = process
        return chain

    def _pumped(self, produced: Generator[bytes], chain: list[Process]) -> Generator[bytes]:
        """Write what Python makes into the first program while reading from the last; neither waits for the other."""
        first, last = chain[0], chain[-1]
        os.set_blocking(first.input, False)
        with selectors.DefaultSelector() as selector:
            selector.register(first.input, selectors.EVENT_WRITE)
            selector.register(last.output, selectors.EVENT_READ)
            for chunk in produced:
                self._plain = (self._plain or 0) + len(chunk)
                left = memoryview(chunk)
                while left:
                    ready = selector.select(max(0.0, self._deadline - time.monotonic()))
                    if not ready:
                        raise last.late()
                    for key, _ in ready:
                        if key.fd == last.output:
                            encoded = os.read(last.output, CHUNK)
                            if not encoded:
                                raise _ended_early(chain)
                            yield encoded
                        else:
                            try:
                                left = left[os.write(first.input, left) :]
                            except BrokenPipeError:
                                raise _ended_early(chain) from None
        first.close_input()
        yield from last.chunks()


def _ended_early(chain: list[Process]) -> CommandError:
    """Return why a program reads no more: what its exit status says, or that it has none to complain of."""
    for process in reversed(chain):
        try:
            process.finish()
        except CommandError as error:
            return error
    return CommandError("A program of the backup ended before its input did.", "Run the backup again.")


def _read_by(pid: int) -> int:
    """Return about how much a process has read, which the kernel counts."""
    with contextlib.suppress(OSError):
        for line in (files.read_text(f"/proc/{pid}/io") or "").splitlines():
            if line.startswith("rchar:"):
                return int(line.split()[1])
    return 0
