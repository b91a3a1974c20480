# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The command `composeops backup pin`. What removes anything is no command of a host: its key must not be able to."""

from __future__ import annotations

import argparse
from typing import Any

from ansible_collections.composeops.stack.plugins.module_utils.backup import catalogue, settings
from ansible_collections.composeops.stack.plugins.module_utils.backup.retention.pin import pin
from ansible_collections.composeops.stack.plugins.module_utils.release import operators


def register(commands: Any) -> None:
    """Add the command to those of `backup`."""
    command = commands.add_parser(
        "pin",
        help="keep a backup from every retention",
        description="Keeps a backup from every retention, until playbooks/prune.yml takes the pin back (-e unpin=ID).",
    )
    command.add_argument("source", metavar="SOURCE")
    command.add_argument("backup", metavar="ID", help="an id of `composeops list SOURCE`")
    command.add_argument("--reason", required=True, metavar="TEXT", help="why, for whoever asks later")
    command.set_defaults(handler=_pin)


def _pin(arguments: argparse.Namespace) -> int:
    configured = settings.require()
    source = configured.source(arguments.source)
    bucket = catalogue.open_bucket(configured.store)
    entries = catalogue.entries(bucket, source.name, configured.host)
    pinned = pin(
        bucket,
        entries,
        arguments.backup,
        reason=arguments.reason,
        operator=operators.operator(""),
        now=catalogue.now(),
    )
    print(f"{arguments.backup} of {source.name} {'is pinned' if pinned else 'was pinned already, and stays so'}.")
    return 0
