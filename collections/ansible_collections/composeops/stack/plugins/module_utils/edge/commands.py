# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""``composeops edge``: what systemd runs to reload nginx, and apt before and after it upgrades it."""

from __future__ import annotations

import argparse
import os
import sys
from typing import Any

from ansible_collections.composeops.stack.plugins.module_utils.edge import processes, upgrade
from ansible_collections.composeops.stack.plugins.module_utils.edge.nginx import ERROR_LOG, UNIT, Nginx
from ansible_collections.composeops.stack.plugins.module_utils.io.runner import CommandRunner

SIGNAL = ["/usr/sbin/nginx", "-g", "daemon on; master_process on;", "-s", "reload"]
"""As Debian's unit does it."""


def register(subparsers: Any) -> None:
    """Add this domain's commands to the program's parser."""
    parser = subparsers.add_parser("edge", help="nginx of this host")
    actions = parser.add_subparsers(dest="action", required=True)
    reload = actions.add_parser(
        "reload", help="let clients go, up to 30 s, then reload nginx; `systemctl reload nginx` runs this"
    )
    reload.set_defaults(handler=run_reload)
    before = actions.add_parser(
        "before-upgrade", help="keep packages from restarting nginx, and let clients go; apt's hook runs this"
    )
    before.set_defaults(handler=run_before_upgrade)
    after = actions.add_parser("after-upgrade", help="end what before-upgrade began; apt's hook runs this")
    after.set_defaults(handler=run_after_upgrade)


def run_reload(_arguments: argparse.Namespace) -> int:
    """Reload, and keep letting clients go until the new workers are there."""
    runner = CommandRunner()
    with Nginx(runner).drained():
        before = processes.workers()
        runner.run(SIGNAL)
        if not processes.wait_until_replaced(before):
            print(f"nginx started no new workers; {ERROR_LOG} says why", file=sys.stderr)
    return 0


def run_before_upgrade(_arguments: argparse.Namespace) -> int:
    """Act where nginx runs; that its packages are among those to be unpacked was seen by the hook."""
    if processes.master():
        runner = CommandRunner()
        upgrade.begin(runner, upgrade.caller(os.getppid(), upgrade.parents), Nginx(runner).idle_connections)
    return 0


def run_after_upgrade(_arguments: argparse.Namespace) -> int:
    """Restart nginx only where it did not replace its program by itself."""
    runner = CommandRunner()
    upgrade.end(runner)
    if processes.outdated():
        print("nginx still runs the program from before its upgrade and is restarted")
        runner.run(["systemctl", "restart", UNIT])
    return 0
