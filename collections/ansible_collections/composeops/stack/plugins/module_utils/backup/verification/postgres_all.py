# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Proves a backup of every database of a PostgreSQL: all of them are restored into one throw-away server."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ansible_collections.composeops.stack.plugins.module_utils.backup import images
from ansible_collections.composeops.stack.plugins.module_utils.backup.sources import postgres_all
from ansible_collections.composeops.stack.plugins.module_utils.backup.verification import postgres
from ansible_collections.composeops.stack.plugins.module_utils.backup.verification.verifier import Paths, Task, Verifier


def read(task: Task, paths: Paths) -> list[str]:
    """Have pg_restore read every dump to its end."""
    return [f"{name}: {said}" for name, one, its in _each(task, paths) for said in postgres.read(one, its)]


def restore(task: Task, paths: Paths) -> list[str]:
    """Restore each database, compare the rows of its tables, and log in to it as every role that may."""
    proven: list[str] = []
    with postgres.server(_whole(task)) as server:
        for name, one, its in _each(task, paths):
            proven += [f"{name}: {said}" for said in postgres.prove(one, its, server)]
    return proven


def _whole(task: Task) -> Task:
    """What the server is started for: with the libraries that its databases need, and room for all of them."""
    first = postgres_all.manifest_of(task.manifest, postgres_all.databases(task.manifest)[0])
    return replace(task, manifest=replace(first, origin={**first.origin, "bytes": task.manifest.origin["bytes"]}))


def _each(task: Task, paths: Paths) -> Iterator[tuple[str, Task, Paths]]:
    for name in postgres_all.databases(task.manifest):
        source = postgres_all.source_of(task.source, name)
        manifest = postgres_all.manifest_of(task.manifest, name)
        yield name, replace(task, source=source, manifest=manifest), postgres_all.paths_of(paths, name)


VERIFIER = Verifier(read, restore, lambda task: images.name(task.manifest.origin))
