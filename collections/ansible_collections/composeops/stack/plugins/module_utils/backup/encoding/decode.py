# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Undoes what encoded an object: of a file that is whole and checked, into a file, never into what restores.

age says only at the end of a file that it was cut short, and has handed out most of it by then.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time

from ansible_collections.composeops.stack.plugins.module_utils.backup.damage import Damaged
from ansible_collections.composeops.stack.plugins.module_utils.backup.encoding import programs
from ansible_collections.composeops.stack.plugins.module_utils.backup.manifest import StoredObject
from ansible_collections.composeops.stack.plugins.module_utils.backup.model import Level
from ansible_collections.composeops.stack.plugins.module_utils.backup.process import Process
from ansible_collections.composeops.stack.plugins.module_utils.errors import CommandError, ComposeOpsError

_OTHER_KEY = "no identity matched"
"""What age says to a wrong key."""
_FULL = "No space left"

LONGEST = 24 * 3600.0
"""Seconds that it may take where nobody says a deadline."""


def decode(
    path_in: str, path_out: str, stored: StoredObject, identity: str | None, *, deadline: float | None = None
) -> None:
    """Write what ``path_in`` was before it was encoded to the new file ``path_out``, readable by its owner alone.

    ``identity`` is the text of an identity file of age; it goes to age's input and nowhere else.
    """
    programs.require_readable(stored.file, stored.encoding)
    if programs.AGE in stored.encoding and identity is None:
        raise ComposeOpsError(f"{stored.file} is encrypted and no identity was given.", "Give one of its recipients'.")
    try:
        _decode(path_in, path_out, stored, identity or "", deadline or time.monotonic() + LONGEST)
        _hold_to_size(path_out, stored)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(path_out)
        raise


def _decode(path_in: str, path_out: str, stored: StoredObject, identity: str, deadline: float) -> None:
    with (
        contextlib.ExitStack() as ending,
        open(os.open(path_out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as target,
    ):
        chain: list[Process] = []
        steps = stored.encoding[::-1]
        for number, step in enumerate(steps, 1):
            process = Process(
                programs.decoder(step, None if chain else path_in),
                purpose=f"{step} of {stored.file}",
                secret=None,
                deadline=deadline,
                reads=chain[-1] if chain else None,
                output=target.fileno() if number == len(steps) else None,
            )
            ending.callback(process.close)
            if not chain:
                process.write(identity)
                process.close_input()
            chain.append(process)
        # The last one ends when those before it did. Of several that failed the first is the cause, but for one that
        # was only told that nobody reads any more.
        chain[-1].status()
        causes = [process for process in chain if process.status() not in (0, -signal.SIGPIPE)]
        for process in causes or chain:
            try:
                process.finish()
            except CommandError as error:
                raise _verdict(error, process.said()) from error


def _hold_to_size(path: str, stored: StoredObject) -> None:
    size = os.path.getsize(path)
    if stored.plain_bytes is not None and size != stored.plain_bytes:
        raise Damaged(
            f"{stored.file} decodes to {size} bytes; its manifest says {stored.plain_bytes}.", level=Level.READABLE
        )


def _verdict(error: CommandError, said: str) -> ComposeOpsError:
    """Return what a program's failure means: the file is bad only where nothing else was in its way."""
    killed = error.returncode is None or error.returncode < 0
    if killed or _FULL in said:
        return ComposeOpsError(error.message, "Look at this host; the backup was not judged.")
    if _OTHER_KEY in said:
        return ComposeOpsError(error.message, "Give the identity of one of its recipients.")
    return Damaged(error.message, level=Level.READABLE)
