# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The backups a bucket holds. No index can be wrong: the listing is the truth, and manifests are the commits."""

from __future__ import annotations

from datetime import datetime, timezone

from ansible_collections.composeops.stack.plugins.module_utils.backup import layout, manifest, plan, records
from ansible_collections.composeops.stack.plugins.module_utils.backup.manifest import Manifest
from ansible_collections.composeops.stack.plugins.module_utils.backup.model import Entry, Source, Store
from ansible_collections.composeops.stack.plugins.module_utils.backup.status import Status
from ansible_collections.composeops.stack.plugins.module_utils.io.s3 import Bucket


def now() -> datetime:
    return datetime.now(timezone.utc)


def open_bucket(store: Store) -> Bucket:
    """Return the bucket that ``store`` describes; nothing is asked of it yet."""
    return Bucket(
        store.bucket,
        access_key=store.access_key,
        secret_key=store.secret_key,
        endpoint=store.endpoint,
        region=store.region,
        ca=store.ca,
        path_style=store.path_style,
    )


def entries(bucket: Bucket, source: str, host: str) -> list[Entry]:
    """Return the backups of a source of a host, oldest first, uncommitted ones included and told as such."""
    return layout.entries(source, host, bucket.objects(layout.prefix(source, host)))


def newest(bucket: Bucket, source: str, host: str) -> Entry | None:
    """Return the newest committed backup of a source of a host, or None where there is none."""
    return plan.newest(entries(bucket, source, host), now())


def read_manifest(bucket: Bucket, entry: Entry) -> Manifest:
    """Return the manifest of a committed backup."""
    key = layout.key(entry.source, entry.host, entry.id, layout.MANIFEST)
    return manifest.parse(bucket.read(key), key)


def abort_stale_uploads(bucket: Bucket, source: str, host: str) -> list[str]:
    """Abort the uploads that killed runs of this source left; return their keys."""
    prefix = layout.prefix(source, host)
    pending = [plan.PendingUpload(*upload) for upload in bucket.uploads(prefix)]
    aborted = plan.stale(pending, prefix, now())
    for upload in aborted:
        bucket.abort(upload.key, upload.upload_id)
    return [upload.key for upload in aborted]


def status(bucket: Bucket, source: Source, host: str, directory: str = records.DIRECTORY) -> Status:
    """Return everything known of the backups of ``source``: the bucket's listing, and this host's last run."""
    return Status(source, tuple(entries(bucket, source.name, host)), records.read(source.name, directory), now())
