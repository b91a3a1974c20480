# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The command `composeops drill`: proves backups by restoring them into a place that is thrown away."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from ansible_collections.composeops.stack.plugins.module_utils.backup import settings
from ansible_collections.composeops.stack.plugins.module_utils.backup.encoding import identity
from ansible_collections.composeops.stack.plugins.module_utils.backup.verification import plan
from ansible_collections.composeops.stack.plugins.module_utils.backup.verification.record import Verification
from ansible_collections.composeops.stack.plugins.module_utils.backup.verification.run import NEWEST, Verifying, Wanted
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError, InvalidInput
from ansible_collections.composeops.stack.plugins.module_utils.io.runner import CommandRunner


def register(subparsers: Any) -> None:
    """Add the command."""
    drill = subparsers.add_parser(
        "drill",
        help="prove backups by restoring them into a place that is thrown away",
        description="Fetches a backup, reads all of it, restores it into a throw-away container of the same image "
        "without network, compares it with what was counted when it was made, and records what was found in the store. "
        "Exits with 1 where a backup is bad, or could not be judged.",
    )
    drill.add_argument("sources", nargs="*", metavar="SOURCE", help="a source of /etc/composeops/backup.json")
    drill.add_argument("--all", action="store_true", help="every source of this host")
    drill.add_argument(
        "--level",
        type=int,
        metavar="N",
        help="how far: 1 compares checksums, 2 reads everything, 3 restores (default: as far as the source can go)",
    )
    drill.add_argument("--backup", default=NEWEST, metavar="ID", help="an id of `composeops list`")
    drill.add_argument("--host", default="", help="the host that made the backup, where it is not this one")
    drill.add_argument(
        "--identity-file",
        metavar="FILE",
        help="identity file of age, or - for the input, for a backup that is not this host's newest",
    )
    drill.set_defaults(handler=_drill)


def _drill(arguments: argparse.Namespace) -> int:
    if bool(arguments.sources) == arguments.all:
        raise InvalidInput("Which sources?", "Name them, or give --all.")
    if arguments.backup != NEWEST and len(arguments.sources) != 1:
        raise InvalidInput("A backup is of one source.", "Name its source alone.")
    wanted = Wanted(
        backup=arguments.backup,
        host=arguments.host,
        level=None if arguments.level is None else plan.level(arguments.level),
        identity=identity.given(arguments.identity_file),
    )
    configured = settings.require()
    failed = False
    for source in configured.chosen(tuple(arguments.sources)):
        try:
            found = Verifying(configured, source, CommandRunner(), wanted).run()
        except ComposeOpsError as error:
            said = [f"composeops: drill of {source.name} could not be made: {error}", *error.notes]
            print("\n".join(said), file=sys.stderr, flush=True)
            failed = True
            continue
        failed = failed or not found.passed
        _say(found)
    return 1 if failed else 0


def _say(found: Verification) -> None:
    for sentence in (*found.proven, *found.notes):
        print(sentence)
    if not found.passed:
        said = f"composeops: backup {found.backup} of {found.source} is bad: {found.error}"
        print(said, file=sys.stderr, flush=True)
        return
    steps = ", ".join(f"{step} {seconds:.1f} s" for step, seconds in found.seconds.items())
    rto = f" Restoring it takes about {found.rto_seconds:.0f} s." if found.rto_seconds is not None else ""
    reached = f"level {found.level.value}, {plan.WORDS[found.level]}"
    print(f"Backup {found.backup} of {found.source}: {reached} ({steps}).{rto}", flush=True)
