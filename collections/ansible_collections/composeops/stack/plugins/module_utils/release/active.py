# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which colour the edge serves: one file per stack, which it looks for with every request.

A reload of nginx closes idle connections just as a request may arrive on one (before 1.27.4 nothing prevents that).
So a switch reloads nothing: the file is there, and new requests go to green, or it is not, and they go to blue.
"""

from __future__ import annotations

import contextlib
import os

from ansible_collections.composeops.stack.plugins.module_utils.io import files
from ansible_collections.composeops.stack.plugins.module_utils.release.colours import BLUE, GREEN

DIRECTORY = "/etc/nginx/composeops/active"


def flag(stack: str, directory: str = DIRECTORY) -> str:
    """Return the file whose existence means green."""
    return os.path.join(directory, f"{stack}.{GREEN}")


def serving(stack: str, directory: str = DIRECTORY) -> str:
    """Return the colour that new requests go to."""
    return GREEN if os.path.exists(flag(stack, directory)) else BLUE


def switch(stack: str, colour: str, directory: str = DIRECTORY) -> None:
    """Send new requests to ``colour``, from one to the next; those under way stay where they are."""
    path = flag(stack, directory)
    if colour == GREEN:
        # The workers of nginx look for it under a user of their own.
        os.makedirs(directory, mode=0o755, exist_ok=True)
        files.write_atomically(path, b"", mode=0o644, uid=os.geteuid(), gid=os.getegid())
        return
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
        _sync(directory)


def _sync(directory: str) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
