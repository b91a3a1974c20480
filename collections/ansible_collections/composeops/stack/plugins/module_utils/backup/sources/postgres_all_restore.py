# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Restores the databases of a whole server, or the one that is asked for, each as a backup of it alone is restored.

One after the other: each is proven in a new database and swapped in before the next begins. Where one fails, those
before it are restored, it and those after it are as they were. Databases that the backup does not hold stay.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from ansible_collections.composeops.stack.plugins.module_utils.backup.restorer import Job, Outcome, Restorer
from ansible_collections.composeops.stack.plugins.module_utils.backup.sources import postgres_all, postgres_restore
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError


def examine(job: Job) -> list[str]:
    """Refuse what cannot succeed, and say what would be done."""
    return [sentence for _name, one in jobs(job) for sentence in postgres_restore.examine(one)]


def replaced(job: Job) -> str:
    """Say which databases have tables with rows."""
    return "; ".join(said for _name, one in jobs(job) if (said := postgres_restore.replaced(one)))


def apply(job: Job, paths: Mapping[str, str]) -> Outcome:
    """Restore one database after the other."""
    done: dict[str, Outcome] = {}
    for name, one in jobs(job):
        try:
            done[name] = postgres_restore.apply(one, postgres_all.paths_of(paths, name))
        except ComposeOpsError as error:
            error.notes.append(f"Database {name} is as it was. Restored before it: {', '.join(done) or 'none'}.")
            raise
    kept = [outcome for outcome in done.values() if outcome.kept]
    return Outcome(
        kept=", ".join(outcome.kept for outcome in kept),
        removal="; ".join(outcome.removal for outcome in kept),
        notes=tuple(f"{name}: {note}" for name, outcome in done.items() for note in outcome.notes),
    )


def jobs(job: Job) -> Iterator[tuple[str, Job]]:
    """Yield the databases of the backup by name, each as a restore of its own."""
    names = postgres_all.databases(job.manifest)
    ones = {name: postgres_all.manifest_of(job.manifest, name) for name in names}
    for number, name in enumerate(names):
        # What was restored is kept beside what it replaced: there has to be room for this one and all that follow.
        room = sum(int(ones[other].origin["bytes"]) for other in names[number:])
        manifest = replace(ones[name], origin={**ones[name].origin, "bytes": room})
        yield name, replace(job, source=postgres_all.source_of(job.source, name), manifest=manifest)


RESTORER = Restorer(examine, apply, replaced)
