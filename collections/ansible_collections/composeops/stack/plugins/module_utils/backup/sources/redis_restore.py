# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Restores a Redis: into new files beside the old, proven by a throw-away server, then swapped while it is stopped."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from ansible_collections.composeops.stack.plugins.module_utils.backup import capacity, file_swap
from ansible_collections.composeops.stack.plugins.module_utils.backup.manifest import Manifest
from ansible_collections.composeops.stack.plugins.module_utils.backup.model import Source
from ansible_collections.composeops.stack.plugins.module_utils.backup.restorer import Job, Outcome, Restorer
from ansible_collections.composeops.stack.plugins.module_utils.backup.sources import redis, redis_place, redis_scratch
from ansible_collections.composeops.stack.plugins.module_utils.backup.sources.redis_client import RedisError, connected
from ansible_collections.composeops.stack.plugins.module_utils.backup.sources.redis_place import Place
from ansible_collections.composeops.stack.plugins.module_utils.backup.sources.redis_scratch import Loaded
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.io import files
from ansible_collections.composeops.stack.plugins.module_utils.io.docker import Docker, address

POLL_SECONDS = 0.2
START_SECONDS = 600


def examine(job: Job) -> list[str]:
    """Refuse what cannot succeed, and say what would be done."""
    _container, place = _target(job)
    memory = capacity.available_memory(files.read_text("/proc/meminfo") or "")
    size = job.manifest.object(redis.DUMP).bytes
    capacity.require("Memory", free=memory, needed=int(job.manifest.origin.get("used_memory", size)))
    service = f"{job.source.service} of stack {job.source.stack}"
    return [
        f"Load {redis.DUMP} into a throw-away Redis beside {service}, and compare its keys with the manifest.",
        f"Stop {service}, move its files to {place.directory}/{_aside(job)}, move the restored ones in, start it.",
        "Compare the keys that it loads.",
    ]


def apply(job: Job, paths: Mapping[str, str]) -> Outcome:
    """Restore; where anything fails, the server runs on its old files."""
    container, place = _target(job)
    loaded = redis_scratch.make(job, container, place, paths[redis.DUMP])
    check_backup(job.manifest, loaded)
    journal = file_swap.Journal(place.directory, place.names, _aside(job))
    file_swap.swap(job.runner, job.source, container, journal, job.state)
    try:
        _wait_until_loaded(job, loaded)
    except BaseException:
        file_swap.undo(job.runner, job.source, container, journal, job.state)
        raise
    file_swap.done(job.source, job.state)
    inside = f"docker exec {str(container['Name']).lstrip('/')}"
    return Outcome(
        kept=f"{place.directory}/{journal.aside} in the volume of {job.source.service}",
        removal=f"{inside} rm -r {place.directory}/{journal.aside}",
        notes=(f"{loaded.keys} keys, as in the backup.",),
    )


def check_backup(manifest: Manifest, loaded: Loaded) -> None:
    """Hold what a server loaded, keys that have expired since included, to what the dump was seen to hold."""
    first = manifest.invariants.get("first_database")
    if first is None:
        return
    total = loaded.keys + loaded.expired
    alone = len(manifest.origin.get("databases", ())) <= 1
    # The manifest counts the first database; where there are others too, theirs come on top.
    if total < first["keys"] - loaded.expiring or (alone and total > first["keys"]):
        raise ComposeOpsError(
            f"Backup {manifest.id} of {manifest.source} loads {total} keys; {first['keys']} were in it.",
            "Choose another backup; the data that was there still serves.",
        )


def check_server(source: Source, expected: Loaded, loaded: int) -> None:
    """Hold what the server loaded to what the throw-away one had, but for keys that expired in between."""
    if not expected.keys - expected.expiring <= loaded <= expected.keys:
        raise ComposeOpsError(
            f"Service {source.service} loaded {loaded} keys of the {expected.keys} that were restored.",
            "Its old files were put back; look at its configuration of dir, dbfilename and append-only files.",
        )


def _target(job: Job) -> tuple[dict[str, Any], Place]:
    source = job.source
    found = Docker(job.runner).containers(source.stack, source.service)
    if not found:
        raise ComposeOpsError(
            f"Service {source.service} of stack {source.stack} has no container.",
            "Deploy the stack first (playbooks/deploy.yml); it may be empty.",
        )
    place = redis_place.find(source, found[0])
    if not redis_place.on_volume(place.directory, found[0]["Mounts"]):
        raise ComposeOpsError(
            f"Service {source.service} of stack {source.stack} keeps its data in {place.directory}, not on a volume.",
            "Give it a volume there and deploy, then restore.",
        )
    return found[0], place


def replaced(job: Job) -> str:
    """Say what data is there."""
    source = job.source
    container, _place = _target(job)
    if not container["State"]["Running"]:
        return f"service {source.service} does not run, so that what it holds is not known"
    deadline = time.monotonic() + redis_place.ANSWER_SECONDS
    try:
        with connected(address(container), source.port, password=redis.password(source), deadline=deadline) as client:
            keys = redis_scratch.counts(client.info("keyspace"), {}).keys
    except RedisError as error:
        return f"what service {source.service} holds is not known ({error.message})"
    return f"service {source.service} holds {keys} keys" if keys else ""


def _aside(job: Job) -> str:
    return f"before_{job.stamp}"


def _wait_until_loaded(job: Job, expected: Loaded) -> None:
    """Wait until the started server has read its files, and count what it read before clients changed it."""
    source = job.source
    deadline = min(job.deadline, time.monotonic() + START_SECONDS)
    while True:
        container = Docker(job.runner).running_container(source.stack, source.service)
        try:
            with connected(
                address(container), source.port, password=redis.password(source), deadline=deadline
            ) as client:
                persistence = client.info("persistence")
                if persistence["loading"] == "0":
                    fallback = redis_scratch.counts(client.info("keyspace"), {}).keys
                    loaded = int(persistence.get("rdb_last_load_keys_loaded", fallback))
                    check_server(source, expected, loaded)
                    return
        except RedisError as error:
            last = error
        else:
            last = RedisError(f"Service {source.service} still loads its files.", "Look at its logs.")
        if time.monotonic() > deadline:
            raise last
        time.sleep(POLL_SECONDS)


RESTORER = Restorer(examine, apply, replaced)
