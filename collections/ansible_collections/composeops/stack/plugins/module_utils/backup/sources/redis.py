# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Backs up a Redis in a container: the copy of its data that a new replica would get."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterator, Mapping
from typing import Any

from ansible_collections.composeops.stack.plugins.module_utils.backup import images
from ansible_collections.composeops.stack.plugins.module_utils.backup.container import first_line
from ansible_collections.composeops.stack.plugins.module_utils.backup.model import Source
from ansible_collections.composeops.stack.plugins.module_utils.backup.producer import Production, Stream
from ansible_collections.composeops.stack.plugins.module_utils.backup.sources import rdb
from ansible_collections.composeops.stack.plugins.module_utils.backup.sources.redis_client import RedisClient, connected
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.io.docker import Docker, address
from ansible_collections.composeops.stack.plugins.module_utils.io.runner import Runner
from ansible_collections.composeops.stack.plugins.module_utils.secrets import store

DUMP = "dump.rdb"


def password(source: Source) -> str:
    """Return the password of the server; empty where it has none."""
    return first_line(store.get(source.stack, source.password_secret)) if source.password_secret else ""


@contextlib.contextmanager
def produce(source: Source, runner: Runner, deadline: float) -> Iterator[Production]:
    """Connect to the server for the block and hand out its data."""
    found = Docker(runner).running_container(source.stack, source.service)
    with connected(address(found), source.port, password=password(source), deadline=deadline) as client:
        memory, server = client.info("memory"), client.info("server")
        databases = sorted(client.info("keyspace"))
        dump = _Dump(client, source)
        yield Production(
            streams=(Stream(DUMP, int(memory["used_memory"]), dump.read),),
            origin={
                "server_version": server["redis_version"],
                "used_memory": int(memory["used_memory"]),
                "databases": databases,
                **images.origin(runner, str(found["Image"])),
            },
            invariants=dump.invariants,
        )


class _Dump:
    """Passes the stream on and keeps its ends, which tell whether it is whole and how many keys it holds."""

    def __init__(self, client: RedisClient, source: Source) -> None:
        self._client = client
        self._source = source
        self._head = b""
        self._tail = b""

    def read(self) -> Generator[bytes]:
        for chunk in self._client.dump():
            if len(self._head) < rdb.HEAD:
                self._head += chunk[: rdb.HEAD - len(self._head)]
            self._tail = (self._tail + chunk[-rdb.TAIL :])[-rdb.TAIL :]
            yield chunk
        if not rdb.is_whole(self._head, self._tail):
            raise ComposeOpsError(f"What Redis sent for {self._source.name} is not a whole dump.", "Look at its logs.")

    def invariants(self) -> Mapping[str, Any]:
        first = rdb.first_database(self._head)
        if first is None:
            return {}
        return {"first_database": {"index": first.index, "keys": first.keys, "expiring": first.expiring}}
