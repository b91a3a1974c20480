# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""``composeops certificates``: what certbot's hook and timer run, and what an operator looks at on the host."""

from __future__ import annotations

import argparse
import sys
from datetime import datetime, timezone
from typing import Any

from ansible_collections.composeops.stack.plugins.module_utils.certificates import report, settings
from ansible_collections.composeops.stack.plugins.module_utils.certificates.deploy import Deployment
from ansible_collections.composeops.stack.plugins.module_utils.edge.nginx import Nginx
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.io.runner import CommandRunner
from ansible_collections.composeops.stack.plugins.module_utils.tables import table


def register(subparsers: Any) -> None:
    """Add this domain's commands to the program's parser."""
    parser = subparsers.add_parser("certificates", help="certificates of the sites on this host")
    actions = parser.add_subparsers(dest="action", required=True)
    deploy = actions.add_parser(
        "deploy", help="hand renewed certificates to nginx and check that they are served; certbot's hook runs this"
    )
    deploy.set_defaults(handler=run_deploy)
    show = actions.add_parser("list", help="names, authority, end and what is served, for every site")
    show.set_defaults(handler=run_list)


def run_deploy(_arguments: argparse.Namespace) -> int:
    """Deploy what differs, site by site; one that fails does not keep the others from theirs."""
    deployment, status = _deployment(), 0
    for wanted in settings.read():
        try:
            reasons = deployment.deploy(wanted)
        except ComposeOpsError as error:
            print(error, file=sys.stderr)
            status = 1
        else:
            print(f"{wanted.site}: deployed, {'; '.join(reasons)}" if reasons else f"{wanted.site}: up to date")
    return status


def run_list(_arguments: argparse.Namespace) -> int:
    """Print the certificates as a table."""
    deployment, now = _deployment(), datetime.now(timezone.utc)
    rows = [report.describe(wanted, deployment.observe(wanted.site), now) for wanted in settings.read()]
    print("\n".join(table(report.COLUMNS, report.rows(rows))))
    return 0


def _deployment() -> Deployment:
    runner = CommandRunner()
    return Deployment(runner, Nginx(runner))
