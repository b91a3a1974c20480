# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The command of the on-host program about the host itself; systemd runs it when nobody confirmed a change."""

from __future__ import annotations

import argparse

from ansible_collections.composeops.stack.plugins.module_utils.host.unconfirmed import Unconfirmed
from ansible_collections.composeops.stack.plugins.module_utils.io.runner import CommandRunner
from ansible_collections.composeops.stack.plugins.module_utils.io.systemd import Systemd


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the commands of this domain."""
    parser = subparsers.add_parser(
        "undo-unconfirmed",
        help="undo a change of sshd or the firewall that nobody confirmed",
        description="Puts back what was there before a change of sshd or the firewall that nobody confirmed.",
    )
    parser.set_defaults(handler=undo)


def undo(_arguments: argparse.Namespace) -> int:
    runner = CommandRunner()
    unconfirmed = Unconfirmed(runner, Systemd(runner))
    if not unconfirmed.exists:
        print("No change waits for its confirmation.")
        return 0
    for change in unconfirmed.undo():
        print(f"undone, as nobody confirmed it: {change.sentence}")
    return 0
