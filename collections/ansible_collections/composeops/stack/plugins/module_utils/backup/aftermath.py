# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What follows a run, committed or not: metrics, and the word to a dead-man's switch outside of this host.

Nothing here can fail a backup: what goes wrong is a note.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ansible_collections.composeops.stack.plugins.module_utils.backup import metrics
from ansible_collections.composeops.stack.plugins.module_utils.backup.manifest import Manifest
from ansible_collections.composeops.stack.plugins.module_utils.backup.model import Settings, Source
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.io import http

TIMEOUT = 10.0
REFUSED = 300
"""The first status that is no success; a switch that redirects was not reached."""


def committed(settings: Settings, source: Source, manifest: Manifest, seconds: float, directory: str) -> list[str]:
    """Tell of a backup that is committed; return what could not be told."""
    plain = [stored.plain_bytes for stored in manifest.objects]
    measured: dict[str, metrics.Number] = {
        "last_run_duration_seconds": round(seconds, 1),
        "last_committed_timestamp_seconds": metrics.timestamp(manifest.started),
        "last_committed_stored_bytes": manifest.bytes,
    }
    if all(count is not None for count in plain):
        measured["last_committed_plain_bytes"] = sum(count or 0 for count in plain)
    metrics.committed(settings, source, measured, directory)
    said = {"source": source.name, "host": settings.host, "backup": manifest.id, "bytes": manifest.bytes}
    return heartbeat(source.heartbeat_url, "backup", {**said, "seconds": round(seconds, 1)})


def failed(settings: Settings, source: Source, error: str, seconds: float, directory: str) -> list[str]:
    """Tell of a run that committed nothing; return what could not be told."""
    metrics.run_failed(settings, source, seconds, directory)
    said = {"source": source.name, "host": settings.host, "error": error}
    return heartbeat(source.heartbeat_url, "backup", said, success=False)


def heartbeat(url: str, what: str, said: Mapping[str, Any], *, success: bool = True) -> list[str]:
    """Post to a dead-man's switch, `/fail` below it for a failure; the URL is a secret and in no note."""
    if not url:
        return []
    target = url if success else f"{url.rstrip('/')}/fail"
    body = (json.dumps(dict(said), sort_keys=True) + "\n").encode()
    note = f"The heartbeat of this {what} was not received"
    try:
        answer = http.request(
            target, method="POST", headers={"Content-Type": "application/json"}, body=body, timeout=TIMEOUT
        )
    except ComposeOpsError as error:
        return [f"{note}: {error.message}"]
    return [] if answer.status < REFUSED else [f"{note}: the answer was {answer.status}."]
