# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The command line `composeops` on the host: a second shell over the domains, for timers, hooks and operators.

A domain has commands when it has a file ``commands.py`` with ``register(subparsers)``, which adds its parsers and sets
``handler`` on each: a function of the parsed arguments that returns an exit status.
"""

from __future__ import annotations

import argparse
import importlib
import os
import platform
import sys
from collections.abc import Sequence

from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.version import VERSION

DOMAINS = {
    "release": ("status", "logs", "releases", "hold", "resume", "audit", "rollback"),
    "checks": ("check",),
    "certificates": ("certificates",),
    "edge": ("edge",),
    "backup": ("backup", "list", "restore", "drill"),
    "monitor": ("monitor", "alert"),
    "host": ("undo-unconfirmed",),
}
"""The domains and their commands, in the order in which the help shows them."""

PACKAGE = "ansible_collections.composeops.stack.plugins.module_utils"
FAILED = 1
INTERRUPTED = 130


def parser(command: str = "") -> argparse.ArgumentParser:
    """Return the parser of the domain that has ``command``, and of every domain where none has it.

    The others are not even imported: that would take longer than what most timers do.
    """
    owners = [domain for domain, commands in DOMAINS.items() if command in commands]
    top = argparse.ArgumentParser(
        prog="composeops",
        description="Looks after the stacks, certificates and backups of this host, as its playbooks set them up.",
        epilog="Each command has its own help: composeops COMMAND --help. Run it as root.",
    )
    top.add_argument(
        "--version", action="version", version=f"composeops {VERSION} (Python {platform.python_version()})"
    )
    subparsers = top.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for domain in owners or DOMAINS:
        importlib.import_module(f"{PACKAGE}.{domain}.commands").register(subparsers)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status; an error is one line on standard error."""
    words = sys.argv[1:] if argv is None else argv
    arguments = parser(next(iter(words), "")).parse_args(words)
    try:
        return int(arguments.handler(arguments))
    except ComposeOpsError as error:
        print(f"composeops: {error}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read the output has read enough; nothing may be written to it on the way out.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
