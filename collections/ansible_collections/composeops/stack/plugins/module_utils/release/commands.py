# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""`composeops releases`: what was released on this host, without Ansible."""

from __future__ import annotations

import argparse
import glob
import json
import os
from dataclasses import asdict
from typing import Any

from ansible_collections.composeops.stack.plugins.module_utils.release import report, state
from ansible_collections.composeops.stack.plugins.module_utils.release.history import History
from ansible_collections.composeops.stack.plugins.module_utils.tables import table


def register(subparsers: Any) -> None:
    """Add the subcommand."""
    parser: argparse.ArgumentParser = subparsers.add_parser("releases", help="list the releases of the stacks")
    parser.add_argument("stack", nargs="?", help="only this stack (default: all)")
    parser.add_argument("--json", action="store_true", help="print them as JSON")
    parser.set_defaults(handler=releases)


def releases(arguments: argparse.Namespace, root: str = state.DIRECTORY) -> int:
    """Print the releases of one stack, or of all, the newest first."""
    names = [arguments.stack] if arguments.stack else stacks(root)
    found = {name: listed(name, root) for name in names}
    if arguments.json:
        print(json.dumps({name: [asdict(release) for release in kept] for name, kept in found.items()}, indent=2))
        return 0
    for name, kept in found.items():
        shown = report.releases_summary(name, kept)
        print("\n".join([shown["title"], "", *table(shown["columns"], shown["rows"]), ""]))
    return 0


def stacks(root: str) -> list[str]:
    """Return the stacks that have been deployed here."""
    return sorted(os.path.basename(os.path.dirname(path)) for path in glob.glob(state.path("*", root)))


def listed(stack: str, root: str) -> list[Any]:
    """Return the releases of a stack, with what an interrupted run could not record."""
    record = state.read_state(stack, root)
    return History(stack, root).settled(record.release if record else 0)
