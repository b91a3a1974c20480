# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""`composeops check`: the checks of this host, without Ansible."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from ansible_collections.composeops.stack.plugins.module_utils.checks import report
from ansible_collections.composeops.stack.plugins.module_utils.checks.declaration import parse
from ansible_collections.composeops.stack.plugins.module_utils.checks.host import LocalHost
from ansible_collections.composeops.stack.plugins.module_utils.checks.model import Check
from ansible_collections.composeops.stack.plugins.module_utils.checks.probes import Prober
from ansible_collections.composeops.stack.plugins.module_utils.checks.run import run_checks
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError, InvalidInput
from ansible_collections.composeops.stack.plugins.module_utils.io import files
from ansible_collections.composeops.stack.plugins.module_utils.io.runner import CommandRunner
from ansible_collections.composeops.stack.plugins.module_utils.tables import table

PATH = "/etc/composeops/checks.json"
"""Written by the role `verify`: {"checks": [...], "ca": "PEM"}."""


def register(subparsers: Any) -> None:
    """Add the subcommand."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "check", help="carry out the declared checks; exit with 1 when one fails"
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="only these checks (default: all)")
    parser.add_argument("--json", action="store_true", help="print the results as JSON")
    parser.set_defaults(handler=check)


def check(arguments: argparse.Namespace) -> int:
    """Carry out the checks and print the results."""
    checks, ca = declared(PATH)
    results = run_checks(chosen(checks, arguments.names), Prober(LocalHost(CommandRunner()), ca).probe)
    if arguments.json:
        print(json.dumps(report.records(results), indent=2))
    else:
        print("\n".join(table(report.COLUMNS, report.rows(results))))
    failure = report.failure(results)
    if failure:
        print(f"\n{failure}", file=sys.stderr)
    return 1 if failure else 0


def declared(path: str) -> tuple[tuple[Check, ...], str]:
    """Return the checks of this host and the authorities they trust beside the system's."""
    text = files.read_text(path)
    if text is None:
        raise ComposeOpsError(f"This host has no checks: {path} is missing.", "Run playbooks/verify.yml first.")
    try:
        content = json.loads(text)
        return parse(content["checks"]), str(content.get("ca", ""))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ComposeOpsError(
            f"{path} is not a list of checks: {error}.", "Run playbooks/verify.yml, which writes it anew."
        ) from error


def chosen(checks: tuple[Check, ...], names: list[str]) -> tuple[Check, ...]:
    """Return the checks of these names, or all."""
    unknown = sorted(set(names) - {check.name for check in checks})
    if unknown:
        known = ", ".join(check.name for check in checks) or "none"
        raise InvalidInput(f"No check is called {', '.join(unknown)}.", f"There are: {known}.")
    return tuple(check for check in checks if not names or check.name in names)
