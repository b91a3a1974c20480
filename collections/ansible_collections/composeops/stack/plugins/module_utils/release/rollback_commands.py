# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""``composeops rollback``: back to an earlier release from the console, without Ansible at hand."""

from __future__ import annotations

import argparse
from typing import Any

from ansible_collections.composeops.stack.plugins.module_utils.io.runner import CommandRunner
from ansible_collections.composeops.stack.plugins.module_utils.release.going_back import GoingBack
from ansible_collections.composeops.stack.plugins.module_utils.release.run import PLACES, stack_run
from ansible_collections.composeops.stack.plugins.module_utils.secrets import store
from ansible_collections.composeops.stack.plugins.module_utils.tables import table


def register(subparsers: Any) -> None:
    """Add the command to the program's parser."""
    rollback = subparsers.add_parser("rollback", help="go back to an earlier release of a stack, as a whole")
    rollback.add_argument("stack")
    rollback.add_argument(
        "--release",
        type=int,
        default=0,
        metavar="N",
        help="number of the release (default: the one before)",
    )
    rollback.add_argument("--check", action="store_true", help="say what would be done")
    rollback.add_argument(
        "--wait", type=float, default=0, metavar="SECONDS", help="how long another run may take to end (default: 0)"
    )
    rollback.set_defaults(handler=run_rollback)


def run_rollback(arguments: argparse.Namespace) -> int:
    """Go back, or say what that would do."""
    stack, check = arguments.stack, arguments.check
    store.path(stack)
    options = {"via": "console", "wait": arguments.wait, "places": PLACES, "say": print}
    with stack_run(stack, "rollback", check=check, **options) as work:
        result = GoingBack(stack, arguments.release, CommandRunner(), PLACES).go(work, check=check)
    print("\n".join([*result["plan"], *work.notes]))
    for shown in result["summary"]:
        print(shown["title"])
        print("\n".join(f"  {line}" for line in table(shown["columns"], shown["rows"])))
    return 0
