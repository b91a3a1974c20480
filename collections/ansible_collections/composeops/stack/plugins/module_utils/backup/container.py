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


def first_line(secret: str) -> str:
    """Return ``secret`` if it can be a line of input."""
    if "\n" in secret:
        raise InvalidInput("A password with a line break cannot be handed to a database client.", "Choose another.")
    return secret
