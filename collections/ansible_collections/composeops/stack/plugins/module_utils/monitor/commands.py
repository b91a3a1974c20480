# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""`composeops monitor`: watches what the host's configuration says, restarts what fails and tells people."""

from __future__ import annotations

import argparse
import asyncio
import functools
import os
import signal
import sys
import time
from typing import Any

from ansible_collections.composeops.stack.plugins.module_utils.checks.host import LocalHost
from ansible_collections.composeops.stack.plugins.module_utils.checks.probes import Prober
from ansible_collections.composeops.stack.plugins.module_utils.io import files
from ansible_collections.composeops.stack.plugins.module_utils.io.runner import CommandRunner
from ansible_collections.composeops.stack.plugins.module_utils.monitor import memory, settings, unit_alert, webhooks
from ansible_collections.composeops.stack.plugins.module_utils.monitor.model import Settings
from ansible_collections.composeops.stack.plugins.module_utils.monitor.notify import notify
from ansible_collections.composeops.stack.plugins.module_utils.monitor.restart import Restarter
from ansible_collections.composeops.stack.plugins.module_utils.monitor.service import Monitor, Tools
from ansible_collections.composeops.stack.plugins.module_utils.monitor.usage import Usage
from ansible_collections.composeops.stack.plugins.module_utils.tables import table


def register(subparsers: Any) -> None:
    """Add the subcommand."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "monitor", help="watch the declared checks, restart what fails and tell people; runs until it is stopped"
    )
    parser.add_argument("--config", metavar="FILE", default=settings.PATH, help="configuration (default: %(default)s)")
    only = parser.add_mutually_exclusive_group()
    only.add_argument(
        "--once", action="store_true", help="one round with everything that follows; exit with 1 when a check fails"
    )
    only.add_argument("--validate", action="store_true", help="only say whether the configuration is right")
    parser.set_defaults(handler=monitor)

    telling: argparse.ArgumentParser = subparsers.add_parser(
        "alert",
        help="tell people that a unit of systemd failed, through the monitor's webhooks",
        description="Posts the unit's last lines to every webhook of the monitor, once. Units name it as OnFailure=.",
    )
    telling.add_argument("unit", metavar="UNIT")
    telling.add_argument(
        "--config", metavar="FILE", default=settings.PATH, help="the monitor's configuration (default: %(default)s)"
    )
    telling.set_defaults(handler=alert)


def monitor(arguments: argparse.Namespace) -> int:
    """Run the monitor."""
    wanted = settings.load(arguments.config)
    if arguments.validate:
        return 0
    os.makedirs(wanted.state_directory, mode=0o700, exist_ok=True)
    with files.exclusive(memory.lock_path(wanted.state_directory), "the monitor"):
        state, forgotten = memory.read(wanted.state_directory)
        if forgotten:
            say(forgotten)
        one = Monitor(wanted, state, tools(wanted), sys.argv[0])
        if arguments.once:
            return _once(one, wanted)
        say(f"watching {len(wanted.rules)} checks, every {wanted.interval:g} s, after {wanted.start_delay:g} s")
        asyncio.run(_watch(one))
    if one.replaced:
        # The same process goes on with the new program, so that for its manager nothing failed and nothing ended.
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 (it is this very program)
    return 0


def alert(arguments: argparse.Namespace) -> int:
    """Tell of a unit that failed; a host without a monitor has nobody to tell."""
    if not os.path.exists(arguments.config):
        say(f"{arguments.unit} failed; there is no {arguments.config}, so that nobody is told.")
        return 0
    wanted = settings.load(arguments.config)
    told = unit_alert.tell(
        wanted, arguments.unit, CommandRunner(), functools.partial(webhooks.post, ca=wanted.webhook_ca)
    )
    for line in told.problems:
        say(line)
    return 1 if told.problems else 0


def tools(wanted: Settings) -> Tools:
    """Return what acts on this machine."""
    runner = CommandRunner()
    restarter = Restarter(runner, wanted.supervisor_url)
    return Tools(
        probe=Prober(LocalHost(runner), wanted.ca).probe,
        obstacle=restarter.obstacle,
        restart=restarter.restart,
        post=functools.partial(webhooks.post, ca=wanted.webhook_ca),
        sample=Usage(wanted.thresholds).sample,
        notify=notify,
        say=say,
    )


def say(text: str) -> None:
    """Write a line to the log; the journal adds the time, other logs do not."""
    line = " ".join(text.split())
    stamp = "" if os.environ.get("JOURNAL_STREAM") else f"{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())} "
    print(f"{stamp}{line}", flush=True)


async def _watch(one: Monitor) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await one.watch(stop)


def _once(one: Monitor, wanted: Settings) -> int:
    asyncio.run(one.once())
    rows = [
        [
            name,
            "ok" if one.runs[name].ok else "FAILED",
            f"{one.state.checks[name].failures} of {rule.failures}" if not one.runs[name].ok else "-",
            rule.target.name if rule.target else "-",
            one.reasons.get(name, ""),
        ]
        for name, rule in wanted.rules.items()
    ]
    print("\n".join(table(["check", "result", "failures", "restarts", "reason"], rows)))
    return 0 if all(run.ok for run in one.runs.values()) else 1
