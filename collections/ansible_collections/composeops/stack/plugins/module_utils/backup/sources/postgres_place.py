# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Where the clients of a PostgreSQL run: in its own container, or, for a server elsewhere, in one of their own.

A server that somebody else runs is reached over the network. Its clients then come from an image that the source names,
because their version has to fit the server's and not the host's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ansible_collections.composeops.stack.plugins.module_utils.backup import container as containers
from ansible_collections.composeops.stack.plugins.module_utils.backup.model import Source
from ansible_collections.composeops.stack.plugins.module_utils.io.docker import Docker
from ansible_collections.composeops.stack.plugins.module_utils.io.runner import Runner

PASSWORD = "PGPASSWORD"  # noqa: S105 (the name of a variable)


@dataclass(frozen=True)
class Place:
    """What runs a client, and what it runs in."""

    source: Source
    image: str
    """The image that the clients come from: its name, or its id where the server's own container has it."""
    container: str = ""
    """The server's container; empty where the server is elsewhere."""

    def command(self, argv: Sequence[str]) -> list[str]:
        """Return how to run a client with the password on its first line of input, and the rest as its input."""
        if self.container:
            return containers.command(self.container, argv, variable=PASSWORD)
        return containers.throw_away(self.image, argv, self.options, variable=PASSWORD)

    def stream(self) -> list[str]:
        """Return how to run a client that writes much and is named by the first lines of its input."""
        if self.container:
            return containers.stream(self.container, variable=PASSWORD)
        return containers.throw_away_stream(self.image, self.options, variable=PASSWORD)

    @property
    def options(self) -> list[str]:
        """How a container of clients is told which server is meant that is elsewhere."""
        source = self.source
        settings = {"PGHOST": source.host, "PGPORT": str(source.port), "PGSSLMODE": source.tls}
        return [word for name, value in settings.items() for word in ("--env", f"{name}={value}")]

    def __str__(self) -> str:
        return f"service {self.source.service}" if self.container else f"the server {self.source.host}"


MOUNTED = "/backup"


@dataclass(frozen=True)
class Beside:
    """Clients in a container of their own beside the server, which see a directory of the host as ``MOUNTED``.

    A server in a container is reached by its loopback.
    """

    place: Place
    directory: str
    port: str

    def command(self, argv: Sequence[str]) -> list[str]:
        """Return how to run a client with the password on its first line of input, and the rest as its input."""
        place, network, options = self.place, "host", self.place.options
        if place.container:
            network = f"container:{place.container}"
            options = ["--env", "PGHOST=127.0.0.1", "--env", f"PGPORT={self.port}"]
        # The file is root's. What else root could do is dropped.
        seen = ["--user", "0:0", "--mount", f"type=bind,source={self.directory},target={MOUNTED},readonly"]
        return containers.throw_away(place.image, argv, [*options, *seen], variable=PASSWORD, network=network)


def of(source: Source, runner: Runner) -> Place:
    """Return where the clients of a source run; raise where its container does not."""
    if source.host:
        return Place(source, source.image)
    found = Docker(runner).running_container(source.stack, source.service)
    return Place(source, str(found["Image"]), str(found["Id"]))
