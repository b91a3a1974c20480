# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which colour the edge serves, and what share of the requests a canary gets: files that nginx looks for.

A reload of nginx closes idle connections just as a request may arrive on one (before 1.27.4 nothing prevents that).
So neither a switch nor a weight reloads anything:

- ``<stack>.green`` is there, and requests go to green, or it is not, and they go to blue.
- ``<stack>.canary`` is there while a canary runs, and comes before that. It is a link to a directory with a file for
  each hundredth of the requests that goes elsewhere (``green-0`` to ``green-24`` are 25 %), and one that says what
  makes the hundredths (``by-request``, ``by-address`` or ``by-cookie``). A weight is the replacement of that link,
  and a higher one keeps the hundredths of a lower one, so that nobody is moved back.
"""

from __future__ import annotations

import math
import os
import shutil

from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError, InvalidInput
from ansible_collections.composeops.stack.plugins.module_utils.io import files
from ansible_collections.composeops.stack.plugins.module_utils.release.colours import BLUE, COLOURS, GREEN
from ansible_collections.composeops.stack.plugins.module_utils.release.model import Sticky

DIRECTORY = "/etc/nginx/composeops/active"
SHARES = 100
MARGIN = 0.5
"""Seconds that a worker of nginx may be busy with what came together, before its clock goes on."""
READABLE = 0o755
MARKS: dict[Sticky, str] = {"none": "by-request", "address": "by-address", "cookie": "by-cookie"}
"""The file that says by what requests are told apart."""


def seen_after(now: float) -> float:
    """Return the seconds after which every worker of nginx knows that a file came or went ``now``, in epoch seconds.

    Each remembers what it found until the second of its clock is over (``edge/choice.py``).
    """
    return math.floor(now) + 1 - now + MARGIN


def flag(stack: str, directory: str = DIRECTORY) -> str:
    """Return the file whose existence means green."""
    return os.path.join(directory, f"{stack}.{GREEN}")


def canary(stack: str, directory: str = DIRECTORY) -> str:
    """Return the link whose existence means that a canary runs."""
    return os.path.join(directory, f"{stack}.canary")


def serving(stack: str, directory: str = DIRECTORY) -> str:
    """Return the colour that new requests go to, but for the share of a canary."""
    return GREEN if os.path.exists(flag(stack, directory)) else BLUE


def switch(stack: str, colour: str, directory: str = DIRECTORY) -> None:
    """Send all new requests to ``colour`` as of ``seen_after``, and some before; those under way stay where they are.

    The weights go last. nginx looks for them first: a request that still finds them goes where the canary was, and
    one that does not finds the flag as it is now. The other way round, it could find neither.
    """
    path = flag(stack, directory)
    if colour == GREEN:
        _make(directory)
        files.write_atomically(path, b"", mode=0o644, uid=os.geteuid(), gid=os.getegid())
    else:
        _unlink(path)
    clear_weights(stack, directory)


def weigh(stack: str, colour: str, percent: int, directory: str = DIRECTORY, sticky: Sticky = "none") -> None:
    """Send ``percent`` of the new requests to ``colour`` as of ``seen_after``, and the others where they went."""
    if not 0 <= percent <= SHARES or colour not in COLOURS:
        raise InvalidInput(f"Stack {stack}: {percent} % of the requests cannot go to {colour!r}.")
    if percent == 0:
        clear_weights(stack, directory)
        return
    _make(directory)
    link, shares = canary(stack, directory), _shares(stack, directory)
    try:
        name = f"{colour}-{percent}-{sticky}"
        # What the link names stays until the next time: a request may be about to look into it.
        _remove_all_but(shares, os.path.basename(os.readlink(link)) if os.path.islink(link) else "")
        prepared = os.path.join(shares, name)
        if not os.path.isdir(prepared):
            _prepare(prepared, [MARKS[sticky], *(f"{colour}-{number}" for number in range(percent))])
        temporary = f"{link}.new"
        _unlink(temporary)
        os.symlink(os.path.join(os.path.basename(shares), name), temporary)
        os.replace(temporary, link)
        _sync(directory)
    except OSError as error:
        raise ComposeOpsError(
            f"{link} was not written: {error.strerror}. Requests go where they went before.",
            "Free the disk or correct the permissions, then run again.",
        ) from error


def weights(stack: str, directory: str = DIRECTORY) -> dict[str, int]:
    """Return the percentage that a canary gets, by its colour; empty while none runs."""
    try:
        names = os.listdir(canary(stack, directory))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    counted = {colour: sum(name.startswith(f"{colour}-") for name in names) for colour in COLOURS}
    return {colour: number for colour, number in counted.items() if number}


def clear_weights(stack: str, directory: str = DIRECTORY) -> None:
    """Send all new requests where the flag says as of ``seen_after``; nothing happens where no canary runs."""
    _unlink(canary(stack, directory))
    shutil.rmtree(_shares(stack, directory), ignore_errors=True)


def _shares(stack: str, directory: str) -> str:
    return os.path.join(directory, f"{stack}.shares")


def _prepare(path: str, names: list[str]) -> None:
    """Make a directory of empty files, whole or not at all."""
    partial = f"{path}.partial"
    _make(partial)
    for name in names:
        with open(os.path.join(partial, name), "wb") as stream:
            os.fchmod(stream.fileno(), 0o644)
    _sync(partial)
    os.rename(partial, path)
    _sync(os.path.dirname(path))


def _make(path: str) -> None:
    """Make a directory in which the workers of nginx, under a user of their own, find files."""
    if not os.path.isdir(path):
        os.makedirs(path)
        # Whatever the umask of the run is.
        os.chmod(path, READABLE)


def _remove_all_but(directory: str, kept: str) -> None:
    _make(directory)
    for name in os.listdir(directory):
        if name != kept:
            shutil.rmtree(os.path.join(directory, name))


def _unlink(path: str) -> None:
    try:
        os.unlink(path)
        _sync(os.path.dirname(path))
    except FileNotFoundError:
        return
    except OSError as error:
        raise ComposeOpsError(
            f"{path} was not removed: {error.strerror}. Requests go where they went before.",
            "Correct the permissions or the file system, then run again.",
        ) from error


def _sync(directory: str) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
