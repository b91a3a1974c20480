# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Command lines that run inside a container and read a password from their first line of input.

The password is then in the environment of that one process in the container: not in an argument, not in
`docker inspect`, not on this host.

The command replaces the shell, so that it has no children and leaves none: an orphan would become a child of the
container's first process, and PostgreSQL, which is that, takes any child that fails for a crash of its own and
restarts, ending every session.

A stream is the exception. The engine hands on what it reads at once, so that the small writes of a client (1 KiB with
musl's C library) take it three times as long as large ones; `dd` gathers them. What the shell starts for that ignores
a reader that went away and ends with status 1 then, as a session that failed does: no orphan is taken for a crash.
The shells read what they run from their input, so that who ends all processes that name pg_dump ends pg_dump alone.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from ansible_collections.composeops.stack.plugins.module_utils.errors import InvalidInput

_SCRIPT = 'IFS= read -r {variable}; export {variable}; exec "$@"'

_STREAM = """\
IFS= read -r {variable}
IFS= read -r argv
eval "set -- $argv"
command -v dd > /dev/null || {{ export {variable}; exec "$@"; }}
trap '' PIPE
exec 4>&1
set -- $({{
  {{ export {variable}; "$@" 3>&- 4>&-; echo $? >&3; }} | {{ dd ibs=64k obs=1M 2> /dev/null >&4 3>&-; echo $? >&3; }}
}} 3>&1)
[ $# -eq 2 ] || exit 125
[ "$1" -ge "$2" ] || shift
exit "$1"
"""
"""Neither program's failure is lost: the larger status is that of both, and one that is missing is a failure as well.
No shell of an image has to know pipefail."""


def command(container: str, argv: Sequence[str], *, variable: str) -> list[str]:
    """Return how to run ``argv`` with the first line of its input in ``variable`` and the rest as its input."""
    return [*_exec(container), _SCRIPT.format(variable=variable), "sh", *argv]


def stream(container: str, *, variable: str) -> list[str]:
    """Return how to run what writes much; it is told by the first lines of the input (``told``), password and all."""
    return [*_exec(container), _STREAM.format(variable=variable)]


def throw_away(
    image: str, argv: Sequence[str], options: Sequence[str], *, variable: str, network: str = "host"
) -> list[str]:
    """Return how to run ``argv`` in a container of its own, as ``command`` does in one that is there."""
    return [*_run(image, options, network), _SCRIPT.format(variable=variable), "sh", *argv]


def throw_away_stream(image: str, options: Sequence[str], *, variable: str) -> list[str]:
    """Return how to run what writes much in a container of its own, as ``stream`` does in one that is there."""
    return [*_run(image, options, "host"), _STREAM.format(variable=variable)]


def told(secret: str, argv: Sequence[str]) -> str:
    """Return the first lines of the input of a stream, the end of the last one left out."""
    if any("\n" in word for word in argv):
        raise InvalidInput("A name with a line break cannot be handed to a database client.", "Rename it.")
    return f"{secret}\n{shlex.join(argv)}"


def _exec(container: str) -> list[str]:
    return ["docker", "exec", "--interactive", container, "sh", "-c"]


def _run(image: str, options: Sequence[str], network: str) -> list[str]:
    """In the network of the host it reaches what the host reaches, by the names that the host knows.

    What it writes is the backup, so the engine must not keep a copy as its log.
    """
    run = ["docker", "run", "--rm", "--interactive", "--network", network, "--log-driver", "none", "--read-only"]
    return [*run, "--cap-drop", "ALL", *options, "--entrypoint", "sh", image, "-c"]


def first_line(secret: str) -> str:
    """Return ``secret`` if it can be a line of input."""
    if "\n" in secret:
        raise InvalidInput("A password with a line break cannot be handed to a database client.", "Choose another.")
    return secret
