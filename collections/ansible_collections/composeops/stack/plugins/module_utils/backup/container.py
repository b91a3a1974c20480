# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Command lines that run inside a container and read a password from their first line of input.

The password is then in the environment of that one process in the container: not in an argument, not in
`docker inspect`, not on this host.

The command replaces the shell, so that it has no children and leaves none: an orphan would become a child of the
container's first process, and PostgreSQL, which is that, takes any child that fails for a crash of its own and
restarts, ending every session.
"""

from __future__ import annotations

from collections.abc import Sequence

from ansible_collections.composeops.stack.plugins.module_utils.errors import InvalidInput

_SCRIPT = 'IFS= read -r {variable}; export {variable}; exec "$@"'


def command(container: str, argv: Sequence[str], *, variable: str) -> list[str]:
    """Return how to run ``argv`` with the first line of its input in ``variable`` and the rest as its input."""
    script = _SCRIPT.format(variable=variable)
    return ["docker", "exec", "--interactive", container, "sh", "-c", script, "sh", *argv]


def throw_away(image: str, argv: Sequence[str], options: Sequence[str], *, variable: str) -> list[str]:
    """Return how to run ``argv`` in a container of its own, as ``command`` does in one that is there.

    It is in the network of the host, so that it reaches what the host reaches, by the names that the host knows. What
    it writes is the backup, so the engine must not keep a copy as its log.
    """
    run = ["docker", "run", "--rm", "--interactive", "--network", "host", "--log-driver", "none", "--read-only"]
    script = _SCRIPT.format(variable=variable)
    return [*run, "--cap-drop", "ALL", *options, "--entrypoint", "sh", image, "-c", script, "sh", *argv]


def first_line(secret: str) -> str:
    """Return ``secret`` if it can be a line of input."""
    if "\n" in secret:
        raise InvalidInput("A password with a line break cannot be handed to a database client.", "Choose another.")
    return secret
