# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The commands `composeops backup run`, `list` and `restore` of the on-host program; systemd's timers use the first."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from ansible_collections.composeops.stack.plugins.module_utils.backup import catalogue, report, run, settings, status
from ansible_collections.composeops.stack.plugins.module_utils.backup.encoding import identity
from ansible_collections.composeops.stack.plugins.module_utils.backup.pitr import commands as pitr
from ansible_collections.composeops.stack.plugins.module_utils.backup.pitr import measure
from ansible_collections.composeops.stack.plugins.module_utils.backup.progress import Display
from ansible_collections.composeops.stack.plugins.module_utils.backup.restore import NEWEST, By, Restore
from ansible_collections.composeops.stack.plugins.module_utils.backup.retention import commands as retention
from ansible_collections.composeops.stack.plugins.module_utils.backup.trust import Told
from ansible_collections.composeops.stack.plugins.module_utils.backup.verification import commands as verification
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError, InvalidInput
from ansible_collections.composeops.stack.plugins.module_utils.io.runner import CommandRunner
from ansible_collections.composeops.stack.plugins.module_utils.tables import table


def register(subparsers: Any) -> None:
    """Add the commands."""
    backup = subparsers.add_parser("backup", help="take backups of this host's sources")
    commands = backup.add_subparsers(title="commands", metavar="COMMAND", required=True)

    take = commands.add_parser("run", help="take a backup now", description="Takes a backup of each source now.")
    take.add_argument("sources", nargs="*", metavar="SOURCE", help="a source of /etc/composeops/backup.json")
    take.add_argument("--all", action="store_true", help="every source of this host")
    take.set_defaults(handler=_run)

    retention.register(commands)
    pitr.register(commands)

    listing = subparsers.add_parser(
        "list", help="list the backups in the store", description="Lists committed backups."
    )
    listing.add_argument("sources", nargs="*", metavar="SOURCE", help="only these sources, with every backup")
    listing.set_defaults(handler=_list)

    restore = subparsers.add_parser(
        "restore",
        help="put a backup in the place of the data that serves",
        description="Restores into a new place first, compares with the manifest, then swaps. The old data is kept.",
    )
    restore.add_argument("source", metavar="SOURCE")
    restore.add_argument("--backup", default=NEWEST, metavar="ID", help="an id of `composeops list`")
    restore.add_argument(
        "--target-time",
        default=NEWEST,
        metavar="TIME",
        help="of a postgres_cluster, in ISO 8601 with its zone",
    )
    restore.add_argument("--database", default="", metavar="NAME", help="this one alone, of a source of all of them")
    restore.add_argument("--host", default="", help="the host that made the backup, where it is not this one")
    restore.add_argument(
        "--lock-wait", type=float, default=0, metavar="SECONDS", help="how long a deployment that runs may take to end"
    )
    restore.add_argument(
        "--identity-file",
        metavar="FILE",
        help="identity file of age that opens the backup, or - for the input; the host has that of its newest itself",
    )
    restore.add_argument("--unverified", action="store_true", help="restore it although it is not verified")
    restore.add_argument("--dry-run", action="store_true", help="check what can be checked, say what would be done")
    restore.set_defaults(handler=_restore)

    verification.register(subparsers)


def _run(arguments: argparse.Namespace) -> int:
    if bool(arguments.sources) == arguments.all:
        raise InvalidInput("Which sources?", "Name them, or give --all.")
    configured = settings.require()
    failed = False
    for source in configured.chosen(tuple(arguments.sources)):
        try:
            taken = run.take(configured, source, CommandRunner(), watch=Display(source.name, sys.stdout).watch)
        except ComposeOpsError as error:
            print(f"composeops: backup of {source.name} failed: {error}", file=sys.stderr, flush=True)
            failed = True
            continue
        for note in taken.notes:
            print(note)
        size = report.size(taken.manifest.bytes)
        print(f"Backed up {source.name}: {taken.manifest.id}, {size} in {taken.seconds:.1f} s.", flush=True)
    return 1 if failed else 0


def _list(arguments: argparse.Namespace) -> int:
    configured = settings.require()
    bucket = catalogue.open_bucket(configured.store)
    chosen = configured.chosen(tuple(arguments.sources))
    statuses = [catalogue.status(bucket, source, configured.host) for source in chosen]
    if not arguments.sources:
        shown = status.summary(statuses)[0]
        print("\n".join(table(shown["columns"], shown["rows"])))
    else:
        for one in statuses:
            print("\n".join(table(*status.listing(one))))
    for lags in measure.table(measure.looked_at(configured, chosen, CommandRunner())):
        print("\n".join(["", *table(lags["columns"], lags["rows"])]))
    return 0


def _restore(arguments: argparse.Namespace) -> int:
    configured = settings.require()
    source = configured.source(arguments.source)
    by = By(via="console", lock_wait=arguments.lock_wait, say=print)
    restore = Restore(
        configured,
        source,
        CommandRunner(),
        wanted=arguments.backup,
        host=arguments.host,
        by=by,
        key=identity.given(arguments.identity_file),
        told=Told(unverified=arguments.unverified),
        target_time=arguments.target_time,
        database=arguments.database,
    )
    if arguments.dry_run:
        print("\n".join(restore.plan().steps))
        return 0
    restored = restore.apply()
    print("\n".join([*restored.plan.steps, *restored.notes]))
    print(f"Restored {source.name} from {restored.plan.manifest.id} in {sum(restored.seconds.values()):.1f} s.")
    if restored.outcome.kept:
        print(f"What was there before is kept: {restored.outcome.kept}. To remove it: {restored.outcome.removal}")
    return 0
