# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Verifies one backup, level after level, and writes what was found beside it.

A backup that is bad is recorded as failed. What kept a verification from being made is an error, and recorded nowhere:
it says nothing of the backup.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ansible_collections.composeops.stack.plugins.module_utils.backup import (
    aftermath,
    catalogue,
    fetch,
    layout,
    metrics,
    plan,
    records,
)
from ansible_collections.composeops.stack.plugins.module_utils.backup.damage import Damaged
from ansible_collections.composeops.stack.plugins.module_utils.backup.encoding import identity as identities
from ansible_collections.composeops.stack.plugins.module_utils.backup.interruption import Interrupted, interruptible
from ansible_collections.composeops.stack.plugins.module_utils.backup.manifest import Manifest
from ansible_collections.composeops.stack.plugins.module_utils.backup.model import (
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
from ansible_collections.composeops.stack.plugins.module_utils.backup.pitr import verify as pitr
from ansible_collections.composeops.stack.plugins.module_utils.backup.run import SECOND
from ansible_collections.composeops.stack.plugins.module_utils.backup.verification import (
    files,
    mongo,
    postgres,
    postgres_all,
    record,
    redis,
    scratch,
)
from ansible_collections.composeops.stack.plugins.module_utils.backup.verification import plan as verdicts
from ansible_collections.composeops.stack.plugins.module_utils.backup.verification.record import Verification
from ansible_collections.composeops.stack.plugins.module_utils.backup.verification.verifier import (
    Task,
    Unjudged,
    Verifier,
)
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.io.files import exclusive
from ansible_collections.composeops.stack.plugins.module_utils.io.runner import Runner
from ansible_collections.composeops.stack.plugins.module_utils.io.s3 import Bucket

VERIFIERS: dict[str, Verifier] = {
    POSTGRES: postgres.VERIFIER,
    POSTGRES_ALL: postgres_all.VERIFIER,
    POSTGRES_CLUSTER: pitr.VERIFIER,
    REDIS: redis.VERIFIER,
    MONGO: mongo.VERIFIER,
    FILES: files.VERIFIER,
}

POLL_SECONDS = 0.2
KEEPING_SECONDS = 30.0
"""How long a run may take from its commit to keeping its key."""

NEWEST = "newest"
"""The word that names the newest backup that can be believed."""


@dataclass(frozen=True)
class Wanted:
    """What is verified: which backup, made by which host, how far, and with which key."""

    backup: str = NEWEST
    host: str = ""
    """Empty is the host of the settings."""
    level: Level | None = None
    """None is the highest that the kind of source has."""
    identity: str = field(default="", repr=False)
    """Text of an identity file of age; without it, the one that this host keeps of its newest backup."""


@dataclass
class _Found:
    """What came out of a verification so far."""

    entry: Entry
    started: str
    task: Task | None = None
    reached: list[tuple[Level, list[str]]] = field(default_factory=list)
    error: Damaged | None = None

    @property
    def level(self) -> Level:
        """The level that was reached or, where the backup is bad, the one that failed."""
        reached = self.reached[-1][0] if self.reached else Level.COMMITTED
        if self.error is None:
            return reached
        return self.error.level or Level(reached + 1)


class Verifying:
    """The verification of one backup of a source."""

    def __init__(
        self,
        settings: Settings,
        source: Source,
        runner: Runner,
        wanted: Wanted | None = None,
        *,
        directory: str = records.DIRECTORY,
    ) -> None:
        self._settings = settings
        self._source = source
        self._runner = runner
        self._wanted = wanted or Wanted()
        self._directory = directory
        self._bucket = catalogue.open_bucket(settings.store)
        self._verifier = _verifier(source)
        self.level = self._wanted.level or self._verifier.highest
        if self.level > self._verifier.highest:
            raise ComposeOpsError(
                f"A backup of type {source.type} is verified up to level {self._verifier.highest.value}, "
                f"not {self.level.value}.",
                "Ask for that.",
            )

    def chosen(self) -> tuple[Entry, list[Entry]]:
        """Return the backup that is verified, and every one of its source."""
        listed = catalogue.entries(self._bucket, self._source.name, self._wanted.host or self._settings.host)
        name = None if self._wanted.backup == NEWEST else self._wanted.backup
        return plan.choose(self._source.name, listed, catalogue.now(), name), listed

    def run(self) -> Verification:
        """Verify, and record what was found; one verification of a source at a time, beside whatever else runs."""
        source = self._source
        os.makedirs(self._directory, mode=0o700, exist_ok=True)
        lock = os.path.join(self._directory, f"{source.name}.drill.lock")
        began = time.monotonic()
        with interruptible(), exclusive(lock, f"drill of {source.name}"):
            try:
                found = self._verify_newest()
            except BaseException as error:
                metrics.drill_failed(self._settings, source, time.monotonic() - began, self._directory)
                untold = self._tell({"error": str(error)}, success=False)
                if isinstance(error, ComposeOpsError):
                    error.notes += untold
                raise
        metrics.drilled(self._settings, source, found, time.monotonic() - began, self._directory)
        said = {"backup": found.backup, "level": found.level.value, "rto_seconds": found.rto_seconds}
        return replace(found, notes=tuple(self._tell({**said, "error": found.error}, success=found.passed)))

    def _tell(self, said: Mapping[str, Any], *, success: bool) -> list[str]:
        told = {"source": self._source.name, "host": self._settings.host, **said}
        return aftermath.heartbeat(self._source.drill_heartbeat_url, "drill", told, success=success)

    def _verify_newest(self) -> Verification:
        """Verify; once more where a backup was taken meanwhile, with whose key that of the one before went."""
        entry, _listed = self.chosen()
        try:
            return self._verify(entry)
        except Interrupted:
            raise
        except ComposeOpsError:
            newest, _listed = self.chosen()
            if newest.id == entry.id:
                raise
            return self._verify(newest)

    def _verify(self, entry: Entry) -> Verification:
        found = _Found(entry, _second())
        with self._own_directory() as directory:
            try:
                manifest = catalogue.read_manifest(self._bucket, entry)
                found.task = self._task(manifest, directory)
                self._find(entry, manifest)
                for step in self._levels(entry, found.task):
                    found.reached.append(step)
            except Damaged as damage:
                found.error = damage
            return self._record(found)

    def _task(self, manifest: Manifest, directory: str) -> Task:
        if manifest.type != self._source.kind:
            raise ComposeOpsError(
                f"Backup {manifest.id} is of type {manifest.type}; {self._source.name} is {self._source.kind}.",
                "Name another source.",
            )
        return Task(self._source, manifest, self._runner, directory, time.monotonic() + self._source.timeout)

    def _find(self, entry: Entry, manifest: Manifest) -> None:
        """Raise where an object is gone: asked for it, a store would say no more than that it will not give it."""
        beginning = layout.key(entry.source, entry.host, entry.id, "")
        there = {key[len(beginning) :] for key, _size in self._bucket.objects(beginning)}
        gone = [stored.file for stored in manifest.objects if stored.file not in there]
        if gone:
            raise Damaged(f"{', '.join(gone)} of backup {entry.id} is not in the store any more.", level=Level.INTACT)

    def _levels(self, entry: Entry, task: Task) -> Iterator[tuple[Level, list[str]]]:
        """Yield each level that was reached, with what was proven by it."""
        manifest = task.manifest
        if self.level == Level.INTACT:
            with task.watch.step("fetch"):
                self._compare(entry, manifest)
            yield Level.INTACT, [_intact(manifest)]
            return
        identity = self._identity(manifest)
        with contextlib.ExitStack() as stack:
            with task.watch.step("fetch"):
                below = os.path.join(task.directory, "fetched")
                fetching = fetch.fetched(self._bucket, entry, manifest, below, identity, deadline=task.deadline)
                paths = stack.enter_context(fetching)
            yield Level.INTACT, [_intact(manifest)]
            try:
                with task.watch.step("read"):
                    said = self._verifier.read(task, paths)
            except Unjudged:
                if self.level < Level.RESTORED:
                    raise
            else:
                yield Level.READABLE, said
            if self.level >= Level.RESTORED and self._verifier.restore is not None:
                with_log = replace(task, bucket=self._bucket, identity=identity)
                try:
                    said = self._verifier.restore(with_log, paths)
                except Damaged as damage:
                    damage.level = damage.level or self._verifier.highest
                    raise
                yield self._verifier.highest, said

    def _identity(self, manifest: Manifest) -> str | None:
        """Return what decrypts a backup; raise where nothing here does."""
        if not manifest.recipients:
            return None
        identity = self._wanted.identity or self._remembered(manifest.id)
        identities.require_fit(identity, manifest.recipients, manifest.id, self._runner)
        return identity

    def _remembered(self, backup_id: str) -> str | None:
        """Return the key that this host keeps of a backup; a run that has just committed it keeps its key next."""
        deadline = time.monotonic() + KEEPING_SECONDS
        while True:
            last = records.read(self._source.name, self._directory)
            kept = identities.remembered(self._source.name, backup_id, self._directory)
            under_way = last is not None and (last.id, last.outcome) == (backup_id, records.RUNNING)
            if kept is not None or not under_way or time.monotonic() > deadline:
                return kept
            time.sleep(POLL_SECONDS)

    def _compare(self, entry: Entry, manifest: Manifest) -> None:
        """Read every object and compare it with the manifest; nothing is kept, and no key is needed."""
        for stored in manifest.objects:
            key = layout.key(entry.source, entry.host, entry.id, stored.file)
            size, digest = self._bucket.digest(key)
            if (size, digest) != (stored.bytes, stored.sha256):
                raise Damaged(
                    f"{stored.file} of backup {entry.id} is damaged: {size} bytes with SHA-256 {digest} are in the "
                    f"store; its manifest says {stored.bytes} with {stored.sha256}.",
                    level=Level.INTACT,
                )

    def _record(self, found: _Found) -> Verification:
        entry, task, level = found.entry, found.task, found.level
        seconds = task.watch.seconds if task else {}
        done = Verification(
            backup=entry.id,
            source=entry.source,
            backup_host=entry.host,
            host=self._settings.host,
            level=level,
            outcome=record.FAILED if found.error else record.PASSED,
            started=found.started,
            finished=_second(),
            image=self._verifier.image(task) if task and level >= Level.RESTORED else "",
            seconds=seconds,
            rto_seconds=None if found.error or level < Level.RESTORED else verdicts.rto(seconds),
            proven=tuple(sentence for _, said in found.reached for sentence in said),
            error=found.error.message if found.error else "",
        )
        name = layout.verification_name(catalogue.now(), level, done.passed, secrets.token_hex(4))
        self._bucket.write(layout.key(entry.source, entry.host, entry.id, name), record.serialise(done))
        return done

    @contextlib.contextmanager
    def _own_directory(self) -> Iterator[str]:
        """Give an empty directory for the block, and remove what a killed drill left, containers too."""
        if self._source.type != FILES:
            scratch.remove_leftovers(self._runner, self._source.name)
        directory = os.path.join(self._directory, f"{self._source.name}.drill")
        shutil.rmtree(directory, ignore_errors=True)
        os.mkdir(directory, mode=0o700)
        try:
            yield directory
        finally:
            shutil.rmtree(directory, ignore_errors=True)


def _verifier(source: Source) -> Verifier:
    verifier = VERIFIERS.get(source.kind)
    if verifier is None:
        raise ComposeOpsError(
            f"Backups of type {source.kind} cannot be verified by this version.", "Restore one of them to prove it."
        )
    return verifier


def _intact(manifest: Manifest) -> str:
    return f"{len(manifest.objects)} objects have the sizes and SHA-256 of the manifest."


def _second() -> str:
    return catalogue.now().strftime(SECOND)


def newest_record(bucket: Bucket, entry: Entry) -> Verification | None:
    """Return what the last verification of a backup found, or None where there was none."""
    names = [
        key.rpartition("/")[2]
        for key, _size in bucket.objects(layout.key(entry.source, entry.host, entry.id, "verification-"))
    ]
    known = sorted(name for name in names if layout.verification(name))
    if not known:
        return None
    key = layout.key(entry.source, entry.host, entry.id, known[-1])
    return record.parse(bucket.read(key), key)
