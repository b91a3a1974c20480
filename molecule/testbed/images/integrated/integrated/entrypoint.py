"""The start of the container (INT-03): what is missing is said before anything runs, and the database is waited for."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

from sample.config import database
from sample.database import ERRORS, Database, describe
from sample.environment import ConfigError, require, text

from integrated import monitoring

REQUIRED = "DB_HOST DB_NAME DB_USER DB_PASSWORD SESSION_SECRET"
LOGS = Path("/var/log/app")
MONITOR = Path("/run/app/monitor.json")
STOPPED = 143


def start(env: Mapping[str, str]) -> int:
    """Become supervisord; return only where that cannot be, and has been said."""
    logs, status = prepare(env)
    if not status:
        sys.stdout.flush()
        argv = ["supervisord", "--nodaemon", "--configuration", "/etc/supervisord.conf"]
        os.execvpe(argv[0], argv, {**env, "LOG_DIRECTORY": str(logs)})  # noqa: S606  # it is the image's own program
    return status


def prepare(env: Mapping[str, str]) -> tuple[Path, int]:
    """Where the logs are, and with which status to end."""
    require(env, REQUIRED)
    monitoring.write(MONITOR, monitoring.settings(env))
    # Each container has a directory of its own on the volume: in a release two of them write at once.
    logs = LOGS / text(env, "HOSTNAME", "app")
    logs.mkdir(exist_ok=True)
    try:
        asyncio.run(_wait(env))
    except asyncio.CancelledError:
        return logs, STOPPED
    except ERRORS as error:
        print(f"app: the database does not answer: {describe(error)}", file=sys.stderr)
        return logs, 1
    return logs, 0


async def _wait(env: Mapping[str, str]) -> None:
    """Until the database answers, at most DB_WAIT (30) seconds."""
    config = database(env)
    if config is None:
        raise ConfigError("DB_HOST: no database is configured")
    # The first process of a container ignores SIGTERM unless it has a handler.
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    print(f"app: waiting for the database at {config.host}, at most {config.wait:g} s", flush=True)
    found = await Database.open(config)
    try:
        await found.wait()
    finally:
        await found.close()
    print("app: the database answers", flush=True)
