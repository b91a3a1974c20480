# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""``composeops status``, ``logs`` and ``releases``: how the stacks of this host are, without Ansible at hand.

What an operator does about them, ``hold``, ``resume`` and ``audit``, is in ``lock_commands``,
and going back to an earlier release in ``rollback_commands``.
"""

from __future__ import annotations

import argparse
import glob
import json
import os
from dataclasses import asdict
from typing import Any

from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.io.runner import CommandRunner
from ansible_collections.composeops.stack.plugins.module_utils.release import (
    hold,
    lock,
    lock_commands,
    report,
    rollback_commands,
    state,
)
from ansible_collections.composeops.stack.plugins.module_utils.release.history import History
from ansible_collections.composeops.stack.plugins.module_utils.release.holding import describe as describe_holding
from ansible_collections.composeops.stack.plugins.module_utils.release.operations import Operations
from ansible_collections.composeops.stack.plugins.module_utils.tables import table

LINES = 100


def register(subparsers: Any) -> None:
    """Add this domain's commands to the program's parser."""
    status = subparsers.add_parser(
        "status", help="services of the stacks on this host; ends with 1 where one is not as it should be"
    )
    status.add_argument("stack", nargs="*", help="only these stacks")
    status.set_defaults(handler=run_status)
    logs = subparsers.add_parser("logs", help="the last lines that services wrote, known secrets masked")
    logs.add_argument("stack")
    logs.add_argument("service", nargs="*", help="only these services")
    logs.add_argument("--lines", type=int, default=LINES, metavar="N", help="lines per service (default: %(default)s)")
    logs.set_defaults(handler=run_logs)
    releases = subparsers.add_parser("releases", help="what was released on this host, and what became of it")
    releases.add_argument("stack", nargs="*", help="only these stacks")
    releases.add_argument("--json", action="store_true", help="print them as JSON")
    releases.set_defaults(handler=run_releases)
    lock_commands.register(subparsers)
    rollback_commands.register(subparsers)


def run_status(arguments: argparse.Namespace) -> int:
    """Print a table for each stack."""
    good = True
    for stack in arguments.stack or deployed_stacks():
        status = Operations(stack, CommandRunner()).status([])
        if status.record is None and not status.services:
            raise ComposeOpsError(f"Stack {stack} was never deployed on this host.", f"There are: {_names()}.")
        print(f"{stack}: {describe(status.record)}")
        for said in describe_holding(hold.in_force(stack), lock.current(stack)):
            print(f"  {said}")
        summary = report.summary(stack, status.services)
        print("\n".join(f"  {line}" for line in table(summary["columns"], summary["rows"])))
        good = good and all(entry["ok"] for entry in status.services)
    return 0 if good else 1


def run_logs(arguments: argparse.Namespace) -> int:
    """Print the last lines of each service under its name."""
    logs = Operations(arguments.stack, CommandRunner()).logs(arguments.service, arguments.lines)
    for service, lines in logs.items():
        print(f"== {service}")
        print("\n".join(lines))
    return 0


def run_releases(arguments: argparse.Namespace) -> int:
    """Print a table for each stack, its newest release first."""
    found = {}
    for stack in arguments.stack or deployed_stacks():
        record = state.read_state(stack)
        found[stack] = History(stack).settled(record.release if record else 0)
    if arguments.json:
        print(json.dumps({stack: [asdict(release) for release in kept] for stack, kept in found.items()}, indent=2))
        return 0
    for stack, kept in found.items():
        summary = report.releases_summary(stack, kept, state.read_state(stack))
        print(summary["title"])
        print("\n".join(f"  {line}" for line in table(summary["columns"], summary["rows"])))
    return 0


def describe(record: state.StackState | None) -> str:
    """Return in words what the record says."""
    if record is None:
        return "its deployment has not passed its health gate"
    stopped = ", stopped by an operator" if record.stopped else ""
    number = f"{record.release} ({record.revision})" if record.release else record.revision
    warm = f", release {record.warm_release} kept running in {record.warm}" if record.warm else ""
    return f"release {number} since {record.applied_at}{warm}{stopped}"


def deployed_stacks() -> list[str]:
    """Return the names of the stacks that were deployed on this host."""
    return sorted(os.path.basename(os.path.dirname(path)) for path in glob.glob(state.path("*")))


def _names() -> str:
    return ", ".join(deployed_stacks()) or "none yet"
