# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Proves a base backup and the log together: recovered to a moment after it, in a server that is thrown away.

A transaction that writes nothing is made on the server that is backed up, and a moment right after it is what is
recovered to. The recovered server has to know that transaction, and none that ended later.
"""

from __future__ import annotations

import contextlib
import json
import os
import tarfile
import time
from collections.abc import Iterator
from datetime import datetime

from ansible_collections.composeops.stack.plugins.module_utils.backup import images
from ansible_collections.composeops.stack.plugins.module_utils.backup.damage import Damaged
from ansible_collections.composeops.stack.plugins.module_utils.backup.model import Level
from ansible_collections.composeops.stack.plugins.module_utils.backup.pitr import (
    archive,
    base,
    identities,
    plan,
    scratch,
    server,
    sql,
)
from ansible_collections.composeops.stack.plugins.module_utils.backup.pitr.fetch_log import fetched_log
from ansible_collections.composeops.stack.plugins.module_utils.backup.pitr.recovery import Recovery, recovery
from ansible_collections.composeops.stack.plugins.module_utils.backup.pitr.scratch import Recovered, Scratch
from ansible_collections.composeops.stack.plugins.module_utils.backup.sources import postgres_place
from ansible_collections.composeops.stack.plugins.module_utils.backup.verification.scratch import LABEL, name
from ansible_collections.composeops.stack.plugins.module_utils.backup.verification.verifier import Paths, Task, Verifier
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.io.runner import Runner
from ansible_collections.composeops.stack.plugins.module_utils.io.s3 import Bucket

MANIFEST = "backup_manifest"
PARENT = "/composeops-data"
MEMORY = "1g"
ARRIVES_SECONDS = 300
TOUCH_SECONDS = 60.0
"""Longer than a segment is on its way to the store, unless its source allows it a larger lag."""
POLL_SECONDS = 2.0


def read(task: Task, paths: Paths) -> list[str]:
    """Read the archive to its end, and hold it to the list of files that the server put into it."""
    sizes: dict[str, int] = {}
    content = b""
    try:
        with tarfile.open(paths[base.BASE], "r:") as archived:
            for member in archived:
                if member.isfile():
                    sizes[member.name.removeprefix("./")] = member.size
                if member.name.endswith(MANIFEST):
                    stream = archived.extractfile(member)
                    content = stream.read() if stream is not None else b""
    except (tarfile.TarError, EOFError, OSError) as error:
        raise Damaged(f"{base.BASE} of backup {task.manifest.id} ends early: {error}.") from error
    wrong = differences(content, sizes)
    if wrong:
        raise Damaged(f"{base.BASE} of backup {task.manifest.id} is not what was sent: {'; '.join(wrong[:5])}.")
    return [f"{base.BASE} was read to its end; all {len(sizes)} files have the sizes that PostgreSQL listed."]


def differences(content: bytes, sizes: dict[str, int]) -> list[str]:
    """Return which files of PostgreSQL's own list are missing or have another size."""
    try:
        listed = {item["Path"]: int(item["Size"]) for item in json.loads(content)["Files"]}
    except (ValueError, KeyError, TypeError):
        return [f"{MANIFEST} cannot be read"]
    return [
        f"{path} has {sizes.get(path, 'no')} bytes instead of {size}"
        for path, size in sorted(listed.items())
        if sizes.get(path) != size
    ]


def restore(task: Task, paths: Paths) -> list[str]:
    """Recover to a moment that is chosen now, and compare."""
    if task.bucket is None:
        raise ComposeOpsError("This drill was given no store to fetch the log from.", "Use composeops drill.")
    with task.watch.step("read"):
        transaction, moment = _touch(task)
        wanted = _arrived(task, task.bucket, moment)
    key = task.identity
    if key is not None:
        key += identities.remembered(task.source.name)
    directory = os.path.join(task.directory, "wal")
    with contextlib.ExitStack() as stack:
        place = stack.enter_context(_place(task))
        with task.watch.step("fetch"):
            fetching = fetched_log(task.bucket, wanted, directory, key, deadline=task.deadline)
            log = stack.enter_context(fetching)
        with task.watch.step("unpack"):
            needed = 2 * int(task.manifest.origin["bytes"]) + wanted.bytes
            owner = place.unpack(paths[base.BASE], needed, task.left)
        with task.watch.step("restore"):
            recovered = stack.enter_context(place.recovered(owner, log, scratch.up_to(moment), task.deadline))
            return _judge(task, recovered, transaction, moment)


def _touch(task: Task) -> tuple[str, datetime]:
    """Make a transaction on the server, and return it with a moment after it."""
    place = postgres_place.of(task.source, task.runner)
    observed, begun = server.observe(task.runner, place), plan.base(task.manifest)
    if (observed.system, observed.segment.timeline) != (begun.system, begun.timeline):
        raise ComposeOpsError(
            f"Backup {task.manifest.id} is not of the server that runs here, or is older than its last restore.",
            "Drill a backup of this one, on the host that takes it; composeops backup run makes one.",
        )
    found = json.loads(server.ask(task.runner, place, sql.TOUCH)[-1])
    return str(found["transaction"]), datetime.fromisoformat(found["moment"])


def _arrived(task: Task, bucket: Bucket, moment: datetime) -> Recovery:
    """Wait until the store has the log up to after ``moment``.

    A transaction that ends while the log is marked may be taken for one before the mark; another has it marked anew.
    """
    deadline = min(task.deadline, time.monotonic() + ARRIVES_SECONDS)
    again = time.monotonic() + TOUCH_SECONDS
    manifest = task.manifest
    beginning = archive.prefix(manifest.source, manifest.host, plan.base(manifest).system)
    while True:
        try:
            return recovery(manifest, [key for key, _ in bucket.objects(beginning)], moment)
        except ComposeOpsError:
            if time.monotonic() > deadline:
                raise
        if time.monotonic() > again:
            _touch(task)
            again = time.monotonic() + TOUCH_SECONDS
        time.sleep(POLL_SECONDS)


@contextlib.contextmanager
def _place(task: Task) -> Iterator[Scratch]:
    """Give a place that is thrown away: a volume and containers that nothing else sees, without a network."""
    volume = name(task.source.name)
    place = Scratch(
        source=task.source,
        runner=task.runner,
        image=images.require(task.runner, task.manifest.origin, task.left),
        access=("--memory", MEMORY, "--mount", f"type=volume,source={volume},target={PARENT},volume-nocopy"),
        parent=PARENT,
        new="data",
        name=volume,
        labels=(f"{LABEL}={task.source.name}",),
    )
    try:
        place.remove()
        _remove_volume(task.runner, volume)
        task.runner.run(["docker", "volume", "create", "--label", place.labels[0], volume])
        yield place
    finally:
        place.remove()
        _remove_volume(task.runner, volume)


def _remove_volume(runner: Runner, volume: str) -> None:
    runner.run(["docker", "volume", "rm", "--force", volume], check=False)


def _judge(task: Task, recovered: Recovered, transaction: str, moment: datetime) -> list[str]:
    reached = recovered.reached()
    if reached["system_identifier"] != plan.base(task.manifest).system:
        raise Damaged(f"The recovered server is of cluster {reached['system_identifier']}.", level=Level.POINT_IN_TIME)
    status = recovered.ask(sql.transaction_status(transaction), timeout=60)
    last = reached["last_transaction"]
    if status != "committed" or last is None or datetime.fromisoformat(last) > moment:
        raise Damaged(
            f"Recovered to {moment.isoformat()}, transaction {transaction} is {status or 'unknown'} instead of "
            f"committed, and the last one is of {last}.",
            level=Level.POINT_IN_TIME,
        )
    counted = recovered.rows(reached["databases"], task.left)
    rows = sum(sum(tables.values()) for tables in counted.values())
    return [
        f"PostgreSQL compared every file with its own checksums, and recovered to {moment.isoformat()}: "
        f"transaction {transaction}, made right before it, is there, and nothing later.",
        f"{rows} rows in {sum(map(len, counted.values()))} tables of {len(counted)} databases could be read, as "
        f"{task.source.user}.",
    ]


VERIFIER = Verifier(read, restore, lambda task: images.name(task.manifest.origin), Level.POINT_IN_TIME)
