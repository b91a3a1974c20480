# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Command lines that run inside a container and read a password from their first line of input.

The password is then in the environment of that one process in the container: not in an argument, not in
`docker inspect`, not on this host.
"""

from __future__ import annotations

from collections.abc import Sequence

from ansible_collections.composeops.stack.plugins.module_utils.errors import InvalidInput

_PLAIN = 'IFS= read -r {variable}; export {variable}; exec "$@"'

# When the `docker exec` client is killed its command in the container would go on, a dump for hours and with its
# locks. The end of the client's input is what the container learns of it: then the watcher ends the command.
_GUARDED = """\
IFS= read -r {variable}; export {variable}
exec 3<&0
"$@" </dev/null 3<&- & command=$!
{{ cat <&3; kill "$command"; }} >/dev/null 2>&1 & watcher=$!
exec 3<&-
wait "$command"; status=$?
kill "$watcher" 2>/dev/null
exit "$status"
"""


def command(container: str, argv: Sequence[str], *, variable: str) -> list[str]:
    """Return how to run ``argv`` with the first line of its input in ``variable`` and the rest as its input."""
    return _exec(container, _PLAIN.format(variable=variable), argv)


def guarded(container: str, argv: Sequence[str], *, variable: str) -> list[str]:
    """Return how to run ``argv``, which reads no input, so that it ends when its caller does."""
    return _exec(container, _GUARDED.format(variable=variable), argv)


def _exec(container: str, script: str, argv: Sequence[str]) -> list[str]:
    return ["docker", "exec", "--interactive", container, "sh", "-c", script, "sh", *argv]


def first_line(secret: str) -> str:
    """Return ``secret`` if it can be a line of input."""
    if "\n" in secret:
        raise InvalidInput("A password with a line break cannot be handed to a database client.", "Choose another.")
    return secret
