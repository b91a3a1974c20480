# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A stream in parts of equal size, which some stores insist on: in memory while they are small, in files beyond that.

So a backup takes the same memory at any size, and room on the disk for two parts, which nobody else sees.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from typing import BinaryIO

from ansible_collections.composeops.stack.plugins.module_utils.backup.plan import MEBIBYTE
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError

IN_MEMORY = 16 * MEBIBYTE
"""Parts up to this size are held in memory, two at a time."""


def full_parts(chunks: Iterable[bytes], size: int, directory: str) -> Iterator[bytearray | BinaryIO]:
    """Yield the stream in parts of exactly ``size`` bytes, the last one excepted; whoever takes a file closes it.

    A pipe hands out what it has, and chunks come in any size.
    """
    return _in_memory(chunks, size) if size <= IN_MEMORY else _in_files(chunks, size, directory)


def _in_memory(chunks: Iterable[bytes], size: int) -> Iterator[bytearray]:
    # Filled in place: pieces that are joined at the end would be in memory twice.
    part, held = bytearray(size), 0
    for chunk in chunks:
        rest = memoryview(chunk)
        while rest:
            taken = min(len(rest), size - held)
            part[held : held + taken] = rest[:taken]
            held, rest = held + taken, rest[taken:]
            if held == size:
                yield part
                part, held = bytearray(size), 0
    if held:
        del part[held:]
        yield part


def _in_files(chunks: Iterable[bytes], size: int, directory: str) -> Iterator[BinaryIO]:
    part, held = _file(directory), 0
    for chunk in chunks:
        rest = memoryview(chunk)
        while rest:
            taken = min(len(rest), size - held)
            _write(part, rest[:taken], directory)
            held, rest = held + taken, rest[taken:]
            if held == size:
                part.seek(0)
                yield part
                part, held = _file(directory), 0
    if held:
        part.seek(0)
        yield part
    else:
        part.close()


def _file(directory: str) -> BinaryIO:
    # Without a name, so that a run that is killed leaves none.
    return tempfile.TemporaryFile(dir=directory)


def _write(part: BinaryIO, content: memoryview, directory: str) -> None:
    try:
        part.write(content)
    except OSError as error:
        raise ComposeOpsError(
            f"The disk of {directory} takes no part of the backup: {error.strerror}.", "Free it, then run it again."
        ) from error
