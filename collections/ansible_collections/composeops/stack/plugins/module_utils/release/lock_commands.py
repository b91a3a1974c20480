# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""``composeops hold``, ``resume`` and ``audit``: who may change a stack, and who did."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from typing import Any

from ansible_collections.composeops.stack.plugins.module_utils.errors import InvalidInput
from ansible_collections.composeops.stack.plugins.module_utils.release import audit, lock
from ansible_collections.composeops.stack.plugins.module_utils.release.hold import DEFAULT_DURATION
from ansible_collections.composeops.stack.plugins.module_utils.release.holding import Change, Holding
from ansible_collections.composeops.stack.plugins.module_utils.release.run import PLACES, Places
from ansible_collections.composeops.stack.plugins.module_utils.secrets import store
from ansible_collections.composeops.stack.plugins.module_utils.tables import table

LINES = 20


def register(subparsers: Any) -> None:
    """Add these commands to the program's parser."""
    hold = subparsers.add_parser("hold", help="keep every deployment, rollback, stop and restore away from a stack")
    hold.add_argument("stack")
    hold.add_argument("--reason", required=True, help="what others have to know")
    hold.add_argument(
        "--for",
        dest="duration",
        default=DEFAULT_DURATION,
        metavar="TIME",
        help="how long, such as 45m, 2h or 1d (default: %(default)s); again extends it",
    )
    hold.set_defaults(handler=run_hold)
    resume = subparsers.add_parser("resume", help="release a stack that is held")
    resume.add_argument("stack")
    resume.set_defaults(handler=run_resume)
    log = subparsers.add_parser("audit", help="who changed which stack, when, and how that ended; the newest last")
    log.add_argument("stack", nargs="*", help="only these stacks")
    log.add_argument("--lines", type=int, default=LINES, metavar="N", help="how many runs (default: %(default)s)")
    log.add_argument("--json", action="store_true", help="print them as JSON")
    log.set_defaults(handler=run_audit)


def run_hold(arguments: argparse.Namespace) -> int:
    """Hold a stack, or hold it longer."""
    change = _holding(arguments.stack).hold(arguments.reason, arguments.duration, check=False, extend=True)
    print("\n".join([f"Stack {arguments.stack} is held by {change.after}.", *change.notes]))
    return 0


def run_resume(arguments: argparse.Namespace) -> int:
    """Release a stack."""
    change = _holding(arguments.stack).release(check=False)
    print("\n".join([_released(arguments.stack, change), *change.notes]))
    return 0


def run_audit(arguments: argparse.Namespace) -> int:
    """Print the newest runs."""
    if arguments.lines < 1:
        raise InvalidInput(f"--lines {arguments.lines} shows nothing.", "Give a number from 1 on.")
    shown = [run for run in _runs(PLACES) if not arguments.stack or run.stack in arguments.stack][-arguments.lines :]
    if arguments.json:
        print(json.dumps([_as_json(entry) for entry in shown], indent=2, ensure_ascii=False))
    else:
        print("\n".join(table(audit.COLUMNS, [audit.row(entry) for entry in shown])))
    return 0


def _holding(stack: str) -> Holding:
    store.path(stack)
    return Holding(stack, "", via="console", places=PLACES)


def _released(stack: str, change: Change) -> str:
    if not change.changed:
        return f"Nobody holds stack {stack}."
    return f"Stack {stack} is released. It was held by {change.before}." if change.before else change.sentences[0]


def _runs(places: Places) -> list[audit.Entry]:
    """Return every run of the log, and which of them are at work."""
    known = list(audit.read(places.audit))
    holders = [lock.current(stack, places.locks) for stack in {entry.stack for entry in known}]
    # Read again: a run may have ended just before its lock was looked at, and was not killed.
    names = {entry.run for entry in known}
    entries = [entry for entry in audit.read(places.audit) if entry.run in names]
    return audit.runs(entries, {holder.run for holder in holders if holder})


def _as_json(entry: audit.Entry) -> dict[str, Any]:
    return {name: value for name, value in asdict(entry).items() if name not in ("event", "run")}
