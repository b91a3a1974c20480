# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The command `composeops backup wal` of the on-host program, which `composeops-wal@SOURCE.service` runs."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from ansible_collections.composeops.stack.plugins.module_utils.backup import settings
from ansible_collections.composeops.stack.plugins.module_utils.backup.interruption import Interrupted, interruptible
from ansible_collections.composeops.stack.plugins.module_utils.backup.model import POSTGRES_CLUSTER
from ansible_collections.composeops.stack.plugins.module_utils.backup.pitr import measure, spool
from ansible_collections.composeops.stack.plugins.module_utils.backup.pitr.service import Service
from ansible_collections.composeops.stack.plugins.module_utils.backup.plan import duration
from ansible_collections.composeops.stack.plugins.module_utils.errors import InvalidInput
from ansible_collections.composeops.stack.plugins.module_utils.io.files import exclusive
from ansible_collections.composeops.stack.plugins.module_utils.io.runner import CommandRunner


def register(commands: Any) -> None:
    """Add the command."""
    wal = commands.add_parser(
        "wal",
        help="send the write-ahead log of a postgres_cluster as it is written",
        description="Sends the log until it is stopped; systemd runs it. With --lag, says how far the store is behind.",
    )
    wal.add_argument("source", metavar="SOURCE")
    wal.add_argument("--lag", action="store_true", help="say how far the store is behind the server, and end")
    wal.add_argument("--within", default="60s", metavar="DURATION", help="with --lag, how much is still well (60s)")
    wal.set_defaults(handler=_wal)


def _wal(arguments: argparse.Namespace) -> int:
    configured = settings.require()
    source = configured.source(arguments.source)
    if source.type != POSTGRES_CLUSTER:
        raise InvalidInput(f"{source.name} is of type {source.type}.", f"Only {POSTGRES_CLUSTER} has a log.")
    if arguments.lag:
        limit = duration(arguments.within)
        lag = measure.measure(configured, source, CommandRunner())
        print(f"{source.name}: {lag}")
        return 0 if lag.within(limit) else 1
    with exclusive(f"{spool.DIRECTORY}/{source.name}.lock", f"composeops-wal of {source.name}"):
        try:
            with interruptible():
                Service(configured, source, CommandRunner(), say=_say).run()
        except Interrupted:
            return 0
    return 0


def _say(text: str) -> None:
    print(text, file=sys.stdout, flush=True)
