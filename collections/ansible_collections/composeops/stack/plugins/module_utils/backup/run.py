# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Takes one backup: producer, upload, and the manifest last. Whatever fails before it, nothing is committed."""

from __future__ import annotations

import contextlib
import os
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from ansible_collections.composeops.stack.plugins.module_utils.backup import (
    archive,
    catalogue,
    layout,
    manifest,
    mongo,
    plan,
    postgres,
    records,
    redis,
    redis_swap,
)
from ansible_collections.composeops.stack.plugins.module_utils.backup.interruption import interruptible
from ansible_collections.composeops.stack.plugins.module_utils.backup.manifest import Manifest
from ansible_collections.composeops.stack.plugins.module_utils.backup.model import (
    FILES,
    MONGO,
    POSTGRES,
    REDIS,
    Settings,
    Source,
)
from ansible_collections.composeops.stack.plugins.module_utils.backup.producer import Producer, Production
from ansible_collections.composeops.stack.plugins.module_utils.backup.upload import Upload
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.io.files import exclusive
from ansible_collections.composeops.stack.plugins.module_utils.io.runner import Runner
from ansible_collections.composeops.stack.plugins.module_utils.io.s3 import Bucket

PRODUCERS: dict[str, Producer] = {
    POSTGRES: postgres.produce,
    REDIS: redis.produce,
    MONGO: mongo.produce,
    FILES: archive.produce,
}

SECOND = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(frozen=True)
class Taken:
    """A backup that was committed, and what else its run did."""

    manifest: Manifest
    seconds: float
    notes: tuple[str, ...] = ()


def take(settings: Settings, source: Source, runner: Runner, *, directory: str = records.DIRECTORY) -> Taken:
    """Back up ``source`` now. One run of a source at a time; the run is recorded however it ends."""
    os.makedirs(directory, mode=0o700, exist_ok=True)
    with interruptible(), exclusive(records.lock_path(source.name, directory), f"backup of {source.name}"):
        began = time.monotonic()
        started = catalogue.now()
        identifier = layout.backup_id(started, secrets.token_hex(4))
        record = records.Record(
            source=source.name,
            id=identifier,
            outcome=records.RUNNING,
            started=started.strftime(SECOND),
            process=records.process(os.getpid()),
        )
        records.write(record, directory)
        try:
            notes = redis_swap.recover(source, runner, directory) if source.type == REDIS else []
            bucket = catalogue.open_bucket(settings.store)
            notes += [
                f"Aborted the upload of {key}, which a killed run had left."
                for key in catalogue.abort_stale_uploads(bucket, source.name, settings.host)
            ]
            with PRODUCERS[source.type](source, runner, began + source.timeout) as production:
                committed = _transfer(
                    bucket, settings.host, source, production, identifier=identifier, started=record.started
                )
        except BaseException as error:
            said = str(error) if isinstance(error, ComposeOpsError) else f"{type(error).__name__}: {error}"
            records.write(replace(record, outcome=records.FAILED, finished=_second(), error=said), directory)
            raise
        records.write(replace(record, outcome=records.COMMITTED, finished=committed.finished), directory)
        return Taken(committed, time.monotonic() - began, tuple(notes))


def _transfer(
    bucket: Bucket, host: str, source: Source, production: Production, *, identifier: str, started: str
) -> Manifest:
    """Send every stream whole before any becomes an object, and write the manifest after all have."""
    uploads: dict[str, Upload] = {}
    with contextlib.ExitStack() as on_failure:
        for stream in production.streams:
            key = layout.key(source.name, host, identifier, stream.name)
            upload = uploads[stream.name] = Upload(bucket, key, plan.part_size(stream.estimate))
            on_failure.callback(_quietly, upload.abort)
            with contextlib.closing(stream.open()) as chunks:
                upload.send(chunks)
        for upload in uploads.values():
            upload.complete()
        committed = Manifest(
            id=identifier,
            source=source.name,
            host=host,
            type=source.type,
            started=started,
            finished=_second(),
            objects=tuple(upload.stored(name) for name, upload in uploads.items()),
            origin=production.origin,
            invariants=production.invariants(),
        )
        bucket.write(layout.key(source.name, host, identifier, layout.MANIFEST), manifest.serialise(committed))
        on_failure.pop_all()
        return committed


def _quietly(abort: Callable[[], None]) -> None:
    """Clean up without hiding why; what a store that is gone keeps is cleared by a later run."""
    with contextlib.suppress(ComposeOpsError):
        abort()


def _second() -> str:
    return catalogue.now().strftime(SECOND)
