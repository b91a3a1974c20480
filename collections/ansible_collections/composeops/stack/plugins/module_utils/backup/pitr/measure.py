# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Measures how far the bucket is behind a server of this host."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from ansible_collections.composeops.stack.plugins.module_utils.backup import catalogue
from ansible_collections.composeops.stack.plugins.module_utils.backup.model import POSTGRES_CLUSTER, Settings, Source
from ansible_collections.composeops.stack.plugins.module_utils.backup.pitr import archive, plan, server, spool, sql, wal
from ansible_collections.composeops.stack.plugins.module_utils.backup.pitr.archive import Log
from ansible_collections.composeops.stack.plugins.module_utils.backup.pitr.lag import Lag, lag
from ansible_collections.composeops.stack.plugins.module_utils.backup.pitr.plan import Base
from ansible_collections.composeops.stack.plugins.module_utils.backup.pitr.server import Observed
from ansible_collections.composeops.stack.plugins.module_utils.backup.pitr.spool import Spool
from ansible_collections.composeops.stack.plugins.module_utils.backup.pitr.wal import Segment
from ansible_collections.composeops.stack.plugins.module_utils.backup.sources import postgres_place
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.io.runner import Runner
from ansible_collections.composeops.stack.plugins.module_utils.io.s3 import Bucket

TITLE = "Write-ahead logs"
GAVE_UP = "the server gave up a part of the log that was not received (max_slot_wal_keep_size)"


def measure(settings: Settings, source: Source, runner: Runner, *, directory: str = spool.DIRECTORY) -> Lag:
    """Return how far the bucket is behind; the server and the bucket are asked, and nobody else."""
    observed = server.observe(runner, postgres_place.of(source, runner))
    bucket = catalogue.open_bucket(settings.store)
    return of(bucket, settings.host, observed, Spool(source.name, directory), catalogue.now())


def looked_at(settings: Settings, sources: Sequence[Source], runner: Runner) -> dict[str, Lag]:
    """Return the lag of every source that has a log; a server that does not answer has a problem and fails nothing."""
    found = {}
    for source in sources:
        if source.type == POSTGRES_CLUSTER:
            try:
                found[source.name] = measure(settings, source, runner)
            except ComposeOpsError as error:
                found[source.name] = Lag(0, None, error.message.rstrip("."))
    return found


def table(found: Mapping[str, Lag]) -> list[dict[str, Any]]:
    """Return the table of lags for people; none where no source has a log."""
    rows = [[name, str(lag)] for name, lag in found.items()]
    return [{"title": TITLE, "columns": ["log of", "not in the store yet"], "rows": rows}] if rows else []


def of(bucket: Bucket, host: str, observed: Observed, spooled: Spool, now: datetime) -> Lag:
    """Return the lag of a server that was observed."""
    source = spooled.source
    newest = catalogue.newest(bucket, source, host)
    if newest is None:
        return Lag(0, None, "there is no base backup yet")
    base = plan.base(catalogue.read_manifest(bucket, newest))
    if base.system != observed.system:
        # An empty server that was just deployed must not become what a restore takes for the newest backup.
        return Lag(0, None, f"the newest base backup {base.id} is of another cluster; restore it, or take a new one "
                   "(composeops backup run)", mended_by_base=False)  # fmt: skip
    if base.timeline != observed.segment.timeline:
        return Lag(0, None, f"the newest base backup {base.id} is of what was there before a restore")
    if observed.slots.get(sql.slot(source)) == server.LOST:
        # Whoever receives makes a new slot first, and then sees the gap.
        return Lag(0, None, GAVE_UP, mended_by_base=False)
    return lag(since(bucket, host, source, base, observed), marked=_marked(observed, spooled), now=now,
               position=observed.position)  # fmt: skip


def since(bucket: Bucket, host: str, source: str, base: Base, observed: Observed) -> Log:
    """Return what the bucket has of the log since a base backup, asking for no older part of it."""
    beginning = archive.prefix(source, host, base.system)
    # The first 16 digits of a name are common to 4 GiB of log.
    step = 0x100000000 // base.segment_size
    first = base.first.number // step
    last = max(first, observed.segment.number // step)
    keys = [
        key
        for part in range(first, last + 1)
        for key, _ in bucket.objects(beginning + Segment(base.timeline, part * step, base.segment_size).name[:16])
    ]
    return archive.log(archive.archived(beginning, keys), base.first)


def _marked(observed: Observed, spooled: Spool) -> int | None:
    """Return the end of the newest mark, if no transaction has begun or ended since."""
    newest = next(reversed(spooled.marks()), None)
    if newest is None or (newest.system, newest.snapshot) != (observed.system, observed.snapshot):
        return None
    marked = wal.segment(newest.segment, observed.segment.size)
    return marked.end if marked is not None and marked.timeline == observed.segment.timeline else None
