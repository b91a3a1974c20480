"""The commands of the container: `app start` is its first process, the others are what supervisord runs."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from sample import probe
from sample.environment import ConfigError

BAD_CONFIGURATION = 2
FRONTEND_PORT = 3000


def main(arguments: Sequence[str] | None = None) -> int:
    command = parser().parse_args(arguments).command
    try:
        if command == "healthcheck":
            return healthcheck()
        # Imported one by one: a health check runs often, and needs none of this.
        if command == "start":
            from integrated import entrypoint

            return entrypoint.start(os.environ)
        if command == "backend":
            from integrated import backend

            return backend.serve(os.environ)
        if command == "frontend":
            from integrated import frontend

            return frontend.serve()
        from integrated import logkeeper

        return logkeeper.listen(os.environ)
    except ConfigError as error:
        print(f"app: {error}", file=sys.stderr)
        return BAD_CONFIGURATION


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="app", description="The integrated container; configured by its environment.")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("start", help="check the environment, wait for the database, become supervisord")
    commands.add_parser("backend", help="the API on port 8000")
    commands.add_parser("frontend", help="nginx on port 3000")
    commands.add_parser("logkeeper", help="rotate the logs; speaks supervisord's protocol of event listeners")
    commands.add_parser("healthcheck", help="end with 0 when the API answers through the frontend")
    return top


def healthcheck() -> int:
    """The whole way: nginx, the backend behind it, and the database."""
    reason = probe.failure(FRONTEND_PORT, "/api/health", 5.0)
    if reason:
        print(reason, file=sys.stderr)
    return 1 if reason else 0
