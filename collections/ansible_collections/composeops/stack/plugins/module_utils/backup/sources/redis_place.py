# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Where a Redis server keeps its data: as it says itself, or by Redis' defaults where it cannot be asked."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.composeops.stack.plugins.module_utils.backup.model import Source
from ansible_collections.composeops.stack.plugins.module_utils.backup.sources import redis
from ansible_collections.composeops.stack.plugins.module_utils.backup.sources.redis_client import RedisError, connected
from ansible_collections.composeops.stack.plugins.module_utils.io.docker import address

ANSWER_SECONDS = 10
PARAMETERS = ("dir", "dbfilename", "appendonly", "appenddirname", "appendfilename")


@dataclass(frozen=True)
class Place:
    """A data directory and the names in it. An empty ``append_directory`` is a version that has none, or unknown."""

    directory: str = "/data"
    dump: str = "dump.rdb"
    append_directory: str = ""
    append_file: str = "appendonly.aof"
    append_only: bool = True

    @property
    def names(self) -> tuple[str, ...]:
        """Everything in the directory that is the server's own."""
        return (self.dump, self.append_directory or "appendonlydir", self.append_file)


def from_configuration(configuration: Mapping[str, str]) -> Place:
    """Return the place that a server's configuration names."""
    return Place(
        directory=configuration["dir"],
        dump=configuration["dbfilename"],
        append_directory=configuration.get("appenddirname", ""),
        append_file=configuration["appendfilename"],
        append_only=configuration["appendonly"] == "yes",
    )


def find(source: Source, container: Mapping[str, Any]) -> Place:
    """Ask the server; one that cannot start, which a restore may be for, cannot be asked."""
    if not container["State"]["Running"]:
        return Place()
    deadline = time.monotonic() + ANSWER_SECONDS
    try:
        with connected(address(container), source.port, password=redis.password(source), deadline=deadline) as client:
            return from_configuration(client.configuration(*PARAMETERS))
    except RedisError:
        return Place()


def on_volume(directory: str, mounts: Iterable[Mapping[str, Any]]) -> bool:
    """Whether ``directory`` is on one of a container's mounts; what is not ends with the container."""
    below = directory.rstrip("/") + "/"
    return any(below.startswith(mount["Destination"].rstrip("/") + "/") for mount in mounts)
