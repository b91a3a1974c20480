# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Restores a backup: fetched whole, checked against its manifest, and only then given to its kind of server."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ansible_collections.composeops.stack.plugins.module_utils.backup import (
    archive_restore,
    capacity,
    catalogue,
    layout,
    mongo_restore,
    plan,
    postgres_restore,
    records,
    redis_restore,
    redis_swap,
    report,
)
from ansible_collections.composeops.stack.plugins.module_utils.backup.interruption import interruptible
from ansible_collections.composeops.stack.plugins.module_utils.backup.manifest import Manifest
from ansible_collections.composeops.stack.plugins.module_utils.backup.model import (
    FILES,
    MONGO,
    POSTGRES,
    REDIS,
    Entry,
    Settings,
    Source,
)
from ansible_collections.composeops.stack.plugins.module_utils.backup.restorer import Job, Outcome, Restorer
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.io.files import exclusive
from ansible_collections.composeops.stack.plugins.module_utils.io.runner import Runner
from ansible_collections.composeops.stack.plugins.module_utils.release.audit import Via
from ansible_collections.composeops.stack.plugins.module_utils.release.run import PLACES, Places, StackRun, stack_run

RESTORERS: dict[str, Restorer] = {
    POSTGRES: postgres_restore.RESTORER,
    REDIS: redis_restore.RESTORER,
    MONGO: mongo_restore.RESTORER,
    FILES: archive_restore.RESTORER,
}

NEWEST = "newest"
"""The word that names the newest backup that can be believed."""


@dataclass(frozen=True)
class Plan:
    """A restore that can be done: of which backup, and in which steps."""

    manifest: Manifest
    steps: tuple[str, ...]


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


class Restore:
    """One restore of a source, of its newest backup or of the one called ``wanted``, made by ``host`` or another."""

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
    ) -> None:
        self._source = source
        self._runner = runner
        self._wanted = None if wanted == NEWEST else wanted
        self._host = host or settings.host
        self._directory = directory
        self._by = by or By()
        self._places = places
        self._bucket = catalogue.open_bucket(settings.store)
        self._stamp = layout.stamp(catalogue.now())
        self._deadline = time.monotonic() + source.timeout

    def plan(self) -> Plan:
        """Return what would be done; raise where it cannot be done. Nothing is changed."""
        entry, job = self._choose()
        for stored in job.manifest.objects:
            self._hold_to_size(entry, stored.name, stored.bytes)
        return Plan(job.manifest, self._steps(job))

    def apply(self) -> Restored:
        """Do it, with no backup or other restore of the source, and no deployment of its stack, meanwhile."""
        source = self._source
        os.makedirs(self._directory, mode=0o700, exist_ok=True)
        lock = records.lock_path(source.name, self._directory)
        with interruptible(), exclusive(lock, f"restore of {source.name}"), self._stack_run() as work:
            notes = redis_swap.recover(source, self._runner, self._directory) if source.type == REDIS else []
            entry, job = self._choose()
            plan_ = Plan(job.manifest, self._steps(job))
            work.begin()
            work.reason = f"{source.name} from backup {job.manifest.id}"
            began = time.monotonic()
            with self._fetched(entry, job.manifest) as paths:
                fetched = time.monotonic()
                outcome = RESTORERS[source.type].apply(job, paths)
            applied = time.monotonic()
            seconds = {"fetch": round(fetched - began, 1), "apply": round(applied - fetched, 1)}
            return Restored(plan_, outcome, seconds, (*work.notes, *notes, *outcome.notes))

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

    def _choose(self) -> tuple[Entry, Job]:
        source = self._source
        listed = catalogue.entries(self._bucket, source.name, self._host)
        entry = plan.choose(source.name, listed, catalogue.now(), self._wanted)
        chosen = catalogue.read_manifest(self._bucket, entry)
        if chosen.type != source.type:
            raise ComposeOpsError(
                f"Backup {chosen.id} is of type {chosen.type}; {source.name} is {source.type}.", "Name another source."
            )
        for stored in chosen.objects:
            if stored.encoding:
                raise ComposeOpsError(
                    f"{stored.name} of backup {chosen.id} is encoded ({', '.join(stored.encoding)}), "
                    "which this version does not read.",
                    "Use the version that wrote it, or a newer.",
                )
        job = Job(source, chosen, self._runner, self._stamp, self._directory, self._deadline)
        return entry, job

    def _steps(self, job: Job) -> tuple[str, ...]:
        chosen = job.manifest
        fetch = (
            f"Fetch backup {chosen.id} of {chosen.source} made on {chosen.host} at {chosen.started} "
            f"({report.size(chosen.bytes)}), and compare size and SHA-256 with its manifest."
        )
        return (fetch, *RESTORERS[self._source.type].examine(job))

    def _hold_to_size(self, entry: Entry, name: str, size: int) -> None:
        held = self._bucket.size(layout.key(entry.source, entry.host, entry.id, name))
        if held != size:
            raise ComposeOpsError(
                f"{name} of backup {entry.id} has {held} bytes in the store; its manifest says {size}.",
                "Choose another backup; this one is damaged.",
            )

    @contextlib.contextmanager
    def _fetched(self, entry: Entry, chosen: Manifest) -> Iterator[dict[str, str]]:
        """Give the paths of the backup's objects, all whole, for the block."""
        directory = os.path.join(self._directory, f"{self._source.name}.restoring")
        # A killed restore leaves its files; they are of no use to another.
        shutil.rmtree(directory, ignore_errors=True)
        os.mkdir(directory, mode=0o700)
        try:
            capacity.require(
                f"The disk of {directory}", free=shutil.disk_usage(directory).free, needed=2 * chosen.bytes
            )
            yield {stored.name: self._fetch(entry, chosen, stored.name, directory) for stored in chosen.objects}
        finally:
            shutil.rmtree(directory, ignore_errors=True)

    def _fetch(self, entry: Entry, chosen: Manifest, name: str, directory: str) -> str:
        stored = chosen.object(name)
        path = os.path.join(directory, name)
        try:
            size, digest = self._bucket.download(layout.key(entry.source, entry.host, entry.id, name), path)
        except OSError as error:
            raise ComposeOpsError(f"{path} was not written: {error.strerror}.", "Free the disk.") from error
        if (size, digest) != (stored.bytes, stored.sha256):
            raise ComposeOpsError(
                f"{name} of backup {entry.id} is damaged: {size} bytes with SHA-256 {digest} were fetched; "
                f"its manifest says {stored.bytes} with {stored.sha256}.",
                "Choose another backup; nothing was changed.",
            )
        return path
