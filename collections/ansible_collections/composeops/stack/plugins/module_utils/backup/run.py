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
from functools import partial

from ansible_collections.composeops.stack.plugins.module_utils.backup import (
    aftermath,
    catalogue,
    file_swap,
    layout,
    manifest,
    plan,
    records,
)
from ansible_collections.composeops.stack.plugins.module_utils.backup.bandwidth import Pace
from ansible_collections.composeops.stack.plugins.module_utils.backup.encoding import identity, programs
from ansible_collections.composeops.stack.plugins.module_utils.backup.encoding.encode import Encoded
from ansible_collections.composeops.stack.plugins.module_utils.backup.interruption import interruptible
from ansible_collections.composeops.stack.plugins.module_utils.backup.manifest import Manifest, StoredObject
from ansible_collections.composeops.stack.plugins.module_utils.backup.model import (
    FILES,
    MONGO,
    POSTGRES,
    POSTGRES_ALL,
    POSTGRES_CLUSTER,
    REDIS,
    Settings,
    Source,
)
from ansible_collections.composeops.stack.plugins.module_utils.backup.pitr import base
from ansible_collections.composeops.stack.plugins.module_utils.backup.producer import Producer, Production
from ansible_collections.composeops.stack.plugins.module_utils.backup.progress import Watch, unwatched
from ansible_collections.composeops.stack.plugins.module_utils.backup.sources import (
    archive,
    mongo,
    postgres,
    postgres_all,
    redis,
)
from ansible_collections.composeops.stack.plugins.module_utils.backup.upload import Upload
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.io.files import exclusive
from ansible_collections.composeops.stack.plugins.module_utils.io.runner import Runner
from ansible_collections.composeops.stack.plugins.module_utils.io.s3 import Bucket

PRODUCERS: dict[str, Producer] = {
    POSTGRES: postgres.produce,
    POSTGRES_ALL: postgres_all.produce,
    POSTGRES_CLUSTER: base.produce,
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


@dataclass(frozen=True)
class Way:
    """How streams get to the bucket: until when, with room for parts where, and watched by whom."""

    deadline: float
    directory: str
    watch: Watch


def take(
    settings: Settings,
    source: Source,
    runner: Runner,
    *,
    directory: str = records.DIRECTORY,
    watch: Watch = unwatched,
) -> Taken:
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
            notes = file_swap.recover(source, runner, directory) if source.type in (REDIS, POSTGRES_CLUSTER) else []
            bucket = catalogue.open_bucket(settings.store)
            if settings.bandwidth:
                bucket.pace(Pace(settings.bandwidth).wait)
            notes += [
                f"Aborted the upload of {key}, which a killed run had left."
                for key in catalogue.abort_stale_uploads(bucket, source.name, settings.host)
            ]
            own = identity.generate(runner) if settings.recipients else None
            recipients = (*settings.recipients, own.recipient) if own else ()
            before = _databases_before(bucket, settings, source) if source.kind == POSTGRES_ALL else None
            deadline = began + source.timeout
            beginning = Manifest(
                identifier, source.name, settings.host, source.kind, record.started, "", (), recipients=recipients
            )
            with PRODUCERS[source.kind](source, runner, deadline) as production:
                committed = _transfer(bucket, beginning, production, Way(deadline, directory, watch))
            notes += _remember(source, identifier, own, directory) if own else []
            notes += postgres_all.changes(before, committed) if before else []
        except BaseException as error:
            said = str(error) if isinstance(error, ComposeOpsError) else f"{type(error).__name__}: {error}"
            records.write(replace(record, outcome=records.FAILED, finished=_second(), error=said), directory)
            untold = aftermath.failed(settings, source, said, time.monotonic() - began, directory)
            if isinstance(error, ComposeOpsError):
                error.notes += untold
            raise
        records.write(replace(record, outcome=records.COMMITTED, finished=committed.finished), directory)
    seconds = time.monotonic() - began
    notes += aftermath.committed(settings, source, committed, seconds, directory)
    return Taken(committed, seconds, tuple(notes))


def _databases_before(bucket: Bucket, settings: Settings, source: Source) -> Manifest | None:
    """Return the backup before, to say which databases came and went; that is worth no failure of this one."""
    with contextlib.suppress(ComposeOpsError):
        newest = catalogue.newest(bucket, source.name, settings.host)
        return catalogue.read_manifest(bucket, newest) if newest else None
    return None


def _transfer(bucket: Bucket, beginning: Manifest, production: Production, way: Way) -> Manifest:
    """Send every stream whole before any becomes an object, and write the manifest after all have."""
    encoding = programs.steps(beginning.recipients)
    place = (beginning.source, beginning.host, beginning.id)
    uploads: list[tuple[Upload, Callable[[], StoredObject]]] = []
    with contextlib.ExitStack() as on_failure:
        for stream in production.streams:
            key = layout.key(*place, layout.file_name(stream.name, encoding))
            upload = Upload(bucket, key, plan.part_size(stream.estimate), way.directory)
            on_failure.callback(_quietly, upload.abort)
            encoded = Encoded(stream, encoding, beginning.recipients, way.deadline)
            watched = way.watch(stream.name, partial(getattr, encoded, "plain_bytes"), partial(getattr, upload, "sent"))
            with watched, contextlib.closing(encoded.chunks()) as chunks:
                upload.send(chunks)
            uploads.append((upload, partial(upload.stored, stream.name, encoding, encoded.plain_bytes)))
        invariants = production.invariants()
        for upload, _ in uploads:
            upload.complete()
        committed = replace(
            beginning,
            finished=_second(),
            objects=tuple(stored() for _, stored in uploads),
            origin=production.origin,
            invariants=invariants,
        )
        # A store that fails now may have it nevertheless: from here on nothing that it names is taken away.
        on_failure.pop_all()
    bucket.write(layout.key(*place, layout.MANIFEST), manifest.serialise(committed))
    return committed


def _remember(source: Source, identifier: str, own: identity.Identity, directory: str) -> list[str]:
    """Keep the key of what is committed now; without it the operator's opens the backup as well."""
    try:
        identity.remember(source.name, identifier, own, directory)
    except OSError as error:
        return [f"The key of this backup was not kept ({error.strerror}): its restore needs the operator's identity."]
    return []


def _quietly(abort: Callable[[], None]) -> None:
    """Clean up without hiding why; what a store that is gone keeps is cleared by a later run."""
    with contextlib.suppress(ComposeOpsError):
        abort()


def _second() -> str:
    return catalogue.now().strftime(SECOND)
