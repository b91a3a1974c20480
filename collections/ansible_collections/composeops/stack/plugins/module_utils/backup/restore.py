# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Restores a backup: fetched whole, checked against its manifest, and only then given to its kind of server."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

from ansible_collections.composeops.stack.plugins.module_utils.backup import (
    catalogue,
    file_swap,
    layout,
    records,
    report,
    trust,
)
from ansible_collections.composeops.stack.plugins.module_utils.backup.damage import Damaged
from ansible_collections.composeops.stack.plugins.module_utils.backup.encoding import identity, programs
from ansible_collections.composeops.stack.plugins.module_utils.backup.fetch import fetched
from ansible_collections.composeops.stack.plugins.module_utils.backup.interruption import interruptible
from ansible_collections.composeops.stack.plugins.module_utils.backup.manifest import Manifest, StoredObject
from ansible_collections.composeops.stack.plugins.module_utils.backup.model import (
    ALL,
    FILES,
    MONGO,
    POSTGRES,
    POSTGRES_ALL,
    POSTGRES_CLUSTER,
    REDIS,
    Entry,
    Level,
    Settings,
    Source,
)
from ansible_collections.composeops.stack.plugins.module_utils.backup.pitr import archive as log_archive
from ansible_collections.composeops.stack.plugins.module_utils.backup.pitr import identities, recovery
from ansible_collections.composeops.stack.plugins.module_utils.backup.pitr import plan as pitr_plan
from ansible_collections.composeops.stack.plugins.module_utils.backup.pitr import restore as pitr
from ansible_collections.composeops.stack.plugins.module_utils.backup.pitr.fetch_log import fetched_log
from ansible_collections.composeops.stack.plugins.module_utils.backup.restorer import Job, Outcome, Restorer
from ansible_collections.composeops.stack.plugins.module_utils.backup.sources import (
    archive_restore,
    mongo_restore,
    postgres_all,
    postgres_all_restore,
    postgres_restore,
    redis_restore,
)
from ansible_collections.composeops.stack.plugins.module_utils.backup.trust import Told
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError, InvalidInput
from ansible_collections.composeops.stack.plugins.module_utils.io.files import exclusive
from ansible_collections.composeops.stack.plugins.module_utils.io.runner import Runner
from ansible_collections.composeops.stack.plugins.module_utils.release.audit import Via
from ansible_collections.composeops.stack.plugins.module_utils.release.run import PLACES, Places, StackRun, stack_run

RESTORERS: dict[str, Restorer] = {
    POSTGRES: postgres_restore.RESTORER,
    POSTGRES_ALL: postgres_all_restore.RESTORER,
    POSTGRES_CLUSTER: pitr.RESTORER,
    REDIS: redis_restore.RESTORER,
    MONGO: mongo_restore.RESTORER,
    FILES: archive_restore.RESTORER,
}

NEWEST = "newest"
"""The word that names the newest backup that can be believed, and the end of a log."""

SWAPPED = (REDIS, POSTGRES_CLUSTER)
"""Types whose files are swapped while the service is stopped."""


@dataclass(frozen=True)
class Plan:
    """A restore that can be done: of which backup, and in which steps."""

    manifest: Manifest
    steps: tuple[str, ...]
    verified: bool
    """Whether a drill had restored the backup before."""


@dataclass(frozen=True)
class By:
    """Who restores, and how long another run on the stack may take to end."""

    operator: str = ""
    via: Via = "ansible"
    lock_wait: float = 0
    say: Callable[[str], None] | None = None
    """Is told who is waited for."""


@dataclass(frozen=True)
class Restored:
    """A restore that was done."""

    plan: Plan
    outcome: Outcome
    seconds: dict[str, float]
    """How long fetching and applying took."""
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Chosen:
    """What is restored, and the backups that could be taken in its place."""

    entry: Entry
    others: tuple[Entry, ...]
    job: Job


class Restore:
    """One restore of a source, of its newest backup or of the one called ``wanted``, made by ``host`` or another.

    ``key`` is the text of an identity file of age, where this host does not keep the backup's own. ``told`` says what
    may be restored that is not verified. ``target_time`` is a moment in ISO 8601 to which a server is brought; what has
    a log is brought to its end otherwise. ``database`` is the one that is restored out of a backup of all of them.
    """

    def __init__(
        self,
        settings: Settings,
        source: Source,
        runner: Runner,
        *,
        wanted: str = NEWEST,
        host: str = "",
        directory: str = records.DIRECTORY,
        by: By | None = None,
        places: Places = PLACES,
        key: str = "",
        told: Told | None = None,
        target_time: str = NEWEST,
        database: str = "",
    ) -> None:
        if database and source.kind != POSTGRES_ALL:
            raise InvalidInput(
                f"{source.name} is no source of every database of a server, so that there is none to choose.",
                f"Leave database out, or declare the source with `databases: {ALL}`.",
            )
        if target_time != NEWEST and source.type != POSTGRES_CLUSTER:
            raise InvalidInput(
                f"{source.name} is of type {source.type}, which has no log to restore a time from.",
                "Name a backup instead: a dump is what was there when it began.",
            )
        self._database = database
        self._target = None if target_time == NEWEST else pitr_plan.moment(target_time)
        self._source = source
        self._runner = runner
        self._wanted = None if wanted == NEWEST else wanted
        self._host = host or settings.host
        self._directory = directory
        self._by = by or By()
        self._places = places
        self._identity = key
        self._told = told or Told()
        self._bucket = catalogue.open_bucket(settings.store)
        self._stamp = layout.stamp(catalogue.now())
        self._deadline = time.monotonic() + source.timeout

    def plan(self) -> Plan:
        """Return what would be done; raise where it cannot be done. Nothing is changed."""
        chosen = self._choose()
        manifest = chosen.job.manifest
        for stored in manifest.objects:
            self._hold_to_size(chosen.entry, stored)
        self._key(manifest)
        return Plan(manifest, self._steps(chosen), chosen.entry.verified)

    def apply(self) -> Restored:
        """Do it, with no backup or other restore of the source, and no deployment of its stack, meanwhile."""
        source = self._source
        os.makedirs(self._directory, mode=0o700, exist_ok=True)
        lock = records.lock_path(source.name, self._directory)
        with interruptible(), exclusive(lock, f"restore of {source.name}"), self._stack_run() as work:
            notes = file_swap.recover(source, self._runner, self._directory) if source.type in SWAPPED else []
            chosen = self._choose()
            entry, job = chosen.entry, chosen.job
            key = self._key(job.manifest)
            plan = Plan(job.manifest, self._steps(chosen), entry.verified)
            work.begin()
            work.reason = f"{source.name} from backup {job.manifest.id}"
            began = time.monotonic()
            directory = os.path.join(self._directory, f"{source.name}.restoring")
            with (
                fetched(self._bucket, entry, job.manifest, directory, key, deadline=self._deadline) as paths,
                self._log(job, key) as with_log,
            ):
                there = time.monotonic()
                outcome = RESTORERS[source.kind].apply(with_log, paths)
            applied = time.monotonic()
            seconds = {"fetch": round(there - began, 1), "apply": round(applied - there, 1)}
            return Restored(plan, outcome, seconds, (*work.notes, *notes, *outcome.notes))

    def _stack_run(self) -> contextlib.AbstractContextManager[StackRun]:
        by = self._by
        return stack_run(
            self._source.stack,
            "restore",
            operator=by.operator,
            via=by.via,
            wait=by.lock_wait,
            places=self._places,
            say=by.say,
        )

    def _choose(self) -> _Chosen:
        source = self._source
        listed = catalogue.entries(self._bucket, source.name, self._host)
        entry, chosen = recovery.choose(
            source.name,
            listed,
            catalogue.now(),
            wanted=self._wanted,
            target=self._target,
            read=lambda one: catalogue.read_manifest(self._bucket, one),
        )
        trust.require_not_failed(entry, self._told)
        if chosen.type != source.kind:
            raise ComposeOpsError(
                f"Backup {chosen.id} is of type {chosen.type}; {source.name} is {source.kind}.", "Name another source."
            )
        if self._database:
            chosen = postgres_all.only(chosen, self._database)
        for stored in chosen.objects:
            programs.require_readable(f"{stored.name} of backup {chosen.id}", stored.encoding)
        job = Job(source, chosen, self._runner, self._stamp, self._directory, self._deadline)
        if source.type == POSTGRES_CLUSTER:
            job = replace(job, recovery=self._recovery(chosen))
        # One that began after the moment that is wanted cannot be taken in its place.
        others = tuple(one for one in listed if self._target is None or one.created <= self._target)
        return _Chosen(entry, others, job)

    def _recovery(self, chosen: Manifest) -> recovery.Recovery:
        beginning = log_archive.prefix(chosen.source, chosen.host, pitr_plan.base(chosen).system)
        return recovery.recovery(chosen, (key for key, _ in self._bucket.objects(beginning)), self._target)

    @contextlib.contextmanager
    def _log(self, job: Job, key: str | None) -> Iterator[Job]:
        """Give the job with the log that it replays fetched, for the block; a source without one as it is."""
        if job.recovery is None:
            yield job
            return
        if key is not None and not self._identity:
            key += identities.remembered(self._source.name, self._directory)
        directory = os.path.join(self._directory, f"{self._source.name}.restoring.wal")
        with fetched_log(self._bucket, job.recovery, directory, key, deadline=self._deadline) as there:
            yield replace(job, log=there)

    def _steps(self, chosen: _Chosen) -> tuple[str, ...]:
        manifest, restorer = chosen.job.manifest, RESTORERS[self._source.kind]
        examined = restorer.examine(chosen.job)
        replaced = partial(restorer.replaced, chosen.job)
        proven = trust.judge(chosen.entry, chosen.others, catalogue.now(), self._told, replaced)
        fetch = (
            f"Fetch backup {manifest.id} of {manifest.source} made on {manifest.host} at {manifest.started} "
            f"({report.size(manifest.bytes)}), and compare size and SHA-256 with its manifest."
        )
        return (fetch, proven, *examined)

    def _hold_to_size(self, entry: Entry, stored: StoredObject) -> None:
        held = self._bucket.size(layout.key(entry.source, entry.host, entry.id, stored.file))
        if held != stored.bytes:
            raise Damaged(
                f"{stored.file} of backup {entry.id} has {held} bytes in the store; its manifest says {stored.bytes}.",
                level=Level.INTACT,
            )

    def _key(self, chosen: Manifest) -> str | None:
        """Return the private key that opens the backup: the one that was given, or this host's own of its newest."""
        if not any(programs.AGE in stored.encoding for stored in chosen.objects):
            return None
        own = identity.remembered(self._source.name, chosen.id, self._directory) if not self._identity else None
        key = self._identity or own
        identity.require_fit(key, chosen.recipients, chosen.id, self._runner)
        return key
