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

FLAG = "/run/composeops/edge.draining"
"""nginx looks for it with every request."""
IDLE = 30
"""Seconds after which nginx closes an idle connection, and so the longest that a reload waits."""
POLL = 0.1

RAW = "$composeops_raw"
"""The URI as the client wrote it, while draining; otherwise empty, and nginx hands on the same by itself."""
_LOCATION = "/.composeops/draining"

POLICY = [
    "# An idle connection ends after this long. A reload waits until none is left, so it is not the default's 75 s.",
    f"keepalive_timeout {IDLE}s;",
]


def of_server() -> list[str]:
    """Return what closes each connection of a server with its answer while the flag is there.

    Passing through a location without keep-alive is enough: nginx then keeps the connection for no later one either.
    """
    return [
        f'set {RAW} "";',
        *block(f"if (-f {FLAG})", [f"set {RAW} $request_uri;", f"rewrite ^ {_LOCATION}$uri last;"]),
        *block(
            f"location ^~ {_LOCATION}/",
            ["internal;", "keepalive_timeout 0;", f"rewrite ^{_LOCATION}(.*)$ $1 last;"],
        ),
    ]


@contextlib.contextmanager
def drained(idle_connections: Callable[[], int | None], flag: str = FLAG) -> Iterator[None]:
    """Wait until no connection is idle, and keep new ones from becoming so while the block runs.

    ``idle_connections`` returns how many there are, or None where nginx does not answer, and nobody is waited for.
    """
    os.makedirs(os.path.dirname(flag), mode=0o755, exist_ok=True)
    try:
        with open(flag, "w", encoding="ascii"):
            pass
        deadline = time.monotonic() + IDLE
        while idle_connections() and time.monotonic() < deadline:
            time.sleep(POLL)
        yield
    finally:
        end(flag)


def was_left(flag: str = FLAG) -> bool:
    """Whether a run that was killed left the flag. Asked by who holds the edge's lock: nobody drains meanwhile."""
    return os.path.exists(flag)


def end(flag: str = FLAG) -> None:
    """Let connections be kept again."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(flag)
