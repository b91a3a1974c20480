# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What an operator is told when a disk is full, or cannot be written."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterator

from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError

MAKE_ROOM = (
    "Make room on this host and run again: `df -h` shows the full disk, `docker system df` what images, containers and"
    " volumes take, and `docker image prune` removes images without a name."
)
_FULL = "no space left on device"


def is_full(said: str) -> bool:
    """Whether a program complained about a full disk."""
    return _FULL in said.lower()


@contextlib.contextmanager
def writing(stack: str) -> Iterator[None]:
    """Raise what an operator can act on where a file of a stack cannot be written in the block."""
    try:
        yield
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        place = f" ({error.filename})" if error.filename else ""
        raise ComposeOpsError(
            f"Stack {stack}: a file could not be written: {error.strerror or error}{place}.",
            MAKE_ROOM if full else "Correct the permissions or the file system, then run again.",
        ) from error
