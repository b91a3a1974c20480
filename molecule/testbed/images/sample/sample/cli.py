"""The command line: `sample [serve | migrate | work | healthcheck | alive]`."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence

from sample import faults, probe
from sample.config import Config, from_environment, listen_ports, path_prefix
from sample.environment import ConfigError, number

BAD_CONFIGURATION = 2
CANCELLED = 143


def main(arguments: Sequence[str] | None = None) -> int:
    parsed = parser().parse_args(arguments)
    try:
        if parsed.command == "healthcheck":
            return healthcheck(parsed.path, parsed.timeout)
        if parsed.command == "alive":
            return alive()
        config = from_environment(os.environ)
        return {"migrate": migrate, "work": work}.get(parsed.command, serve)(config)
    except (ConfigError, faults.FaultError) as error:
        print(f"sample: {error}", file=sys.stderr)
        return BAD_CONFIGURATION


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="sample", description="The sample application; configured by its environment.")
    commands = top.add_subparsers(dest="command", metavar="COMMAND")
    commands.add_parser("serve", help="answer requests until SIGTERM (the default)")
    commands.add_parser("migrate", help="apply the database schema and end")
    commands.add_parser("work", help="take items out of a queue until SIGTERM")
    commands.add_parser("alive", help="end with 0 when the worker of this container works")
    check = commands.add_parser("healthcheck", help="end with 0 when /health of this container answers 200")
    check.add_argument("--path", help="another path than /health")
    check.add_argument("--timeout", type=float, default=5.0, help="seconds (default: %(default)g)")
    return top


def serve(config: Config) -> int:
    # Imported here: a health check runs often, and needs none of the drivers.
    from sample import logs, server

    logs.start(config)
    return asyncio.run(
        server.serve(config, faults.from_environment(os.environ), number(os.environ, "SAMPLE_FAULT_AFTER", 0.0))
    )


def work(config: Config) -> int:
    from sample import logs, worker

    logs.start(config)
    return asyncio.run(worker.work(config))


def alive() -> int:
    from sample import worker

    reason = worker.failure()
    if reason:
        print(reason, file=sys.stderr)
    return 1 if reason else 0


def migrate(config: Config) -> int:
    from sample import logs
    from sample import migrate as migration

    logs.start(config)
    try:
        applied = asyncio.run(migration.migrate(config, faults.from_environment(os.environ).fail_migration))
    except migration.MigrationError as error:
        print(f"sample: migration failed: {error}", file=sys.stderr)
        return 1
    except asyncio.CancelledError:
        print("sample: migration stopped by SIGTERM, nothing of it was applied", file=sys.stderr)
        return CANCELLED
    print(f"applied: {', '.join(map(str, applied)) or 'nothing, the schema is up to date'}")
    return 0


def healthcheck(path: str | None, timeout: float) -> int:
    reason = probe.failure(listen_ports(os.environ)[0], path or f"{path_prefix(os.environ)}/health", timeout)
    if reason:
        print(reason, file=sys.stderr)
    return 1 if reason else 0
