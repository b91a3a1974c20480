# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Lets clients go before nginx is reloaded, so that a reload meets no connection that is in use.

A reload closes idle connections, and a request that a client sends on one at that moment is lost; before 1.27.4
nothing in nginx prevents that. So while a flag is there every answer closes its connection, which a client expects,
and an idle connection ends by its own time-out. After that long there is none left that a reload could close.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator

from ansible_collections.composeops.stack.plugins.module_utils.edge.block import block
from ansible_collections.composeops.stack.plugins.module_utils.io import files
from ansible_collections.composeops.stack.plugins.module_utils.release.active import seen_after

FLAG = "/run/composeops/edge.draining"
"""nginx looks for it."""
IDLE = 30
"""Seconds after which nginx closes an idle connection, and so the longest that a reload waits."""
POLL = 0.1
CALM = 3
"""Times in a row that no connection has to be idle: one that was answered just before the flag is so a bit later."""

RAW = "$composeops_raw"
"""The URI as the client wrote it, while draining; otherwise empty, and nginx hands on the same by itself."""
_LOCATION = "/.composeops/draining"

POLICY = [
    "# An idle connection ends after this long. A reload waits until none is left, so it is not the default's 75 s.",
    f"keepalive_timeout {IDLE}s;",
]


def of_server(special: str) -> list[str]:
    """Return what has each connection of a server closed with its answer while the flag is there.

    ``special`` is a variable that is not empty then. Passing through a location without keep-alive is enough: nginx
    then keeps the connection for no later one either.
    """
    return [
        f'set {RAW} "";',
        *block(f"if (-f {FLAG})", [f"set {RAW} $request_uri;", f"set {special} yes;"]),
        *block(
            f"location ^~ {_LOCATION}/",
            ["internal;", "keepalive_timeout 0;", f"rewrite ^{_LOCATION}(.*)$ $1 last;"],
        ),
    ]


def of_request() -> list[str]:
    """Return the end of each server, after all else about the request was decided."""
    return block(f"if ({RAW})", [f"rewrite ^ {_LOCATION}$uri last;"])


@contextlib.contextmanager
def drained(idle_connections: Callable[[], int | None], flag: str = FLAG) -> Iterator[None]:
    """Wait until no connection is idle, and keep new ones from becoming so while the block runs.

    ``idle_connections`` returns how many there are, or None where nginx does not answer, and nobody is waited for.
    Whoever reloads in the middle of another's draining finds its clients gone already.
    """
    if os.path.exists(flag) and not was_left(flag):
        yield
        return
    try:
        begin(os.getpid(), idle_connections, flag)
        yield
    finally:
        end(flag)


def begin(owner: int, idle_connections: Callable[[], int | None], flag: str = FLAG) -> None:
    """Let clients go, until ``end``, which is somebody else's to call once the process ``owner`` is no more."""
    os.makedirs(os.path.dirname(flag), mode=0o755, exist_ok=True)
    with open(flag, "w", encoding="ascii") as stream:
        # nginx opens what it remembers, as a user of its own, and whatever the umask of the run is.
        os.fchmod(stream.fileno(), 0o644)
        stream.write(f"{owner}\n")
    began = time.monotonic()
    unseen = seen_after(time.time())
    calm = 0
    while calm < CALM and time.monotonic() - began < IDLE:
        idle = idle_connections()
        if idle is None:
            return
        calm = 0 if idle or time.monotonic() - began < unseen else calm + 1
        time.sleep(POLL)


def was_left(flag: str = FLAG) -> bool:
    """Whether a run that was killed left the flag: the process that it names is no more."""
    owner = files.read_text(flag)
    return owner is not None and ended(owner.strip())


def ended(owner: str) -> bool:
    """Whether a process is no more."""
    return not (owner.isdigit() and os.path.exists(f"/proc/{owner}"))


def end(flag: str = FLAG) -> None:
    """Let connections be kept again."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(flag)
