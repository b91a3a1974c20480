"""What the health monitor is told (INT-04), from the environment. Pure, but for the writing of the file."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sample.environment import ConfigError, number, port, text

FORMATS = ("slack", "discord", "json")


def settings(env: Mapping[str, str]) -> dict[str, Any]:
    """The content of its configuration file; docs/monitoring.md says what each member means."""
    form = text(env, "ALERT_WEBHOOK_FORMAT", "slack")
    if form not in FORMATS:
        raise ConfigError(f"ALERT_WEBHOOK_FORMAT: {form!r} is unknown, write one of {', '.join(FORMATS)}")
    # The URL stays in its file: whoever knows it can write there.
    url_file = text(env, "ALERT_WEBHOOK_URL_FILE")
    timeout = number(env, "MONITOR_TIMEOUT", 10.0)
    database = {"type": "tcp", "host": text(env, "DB_HOST"), "port": port(text(env, "DB_PORT", "5432"), "DB_PORT")}
    return {
        "host": text(env, "MONITOR_NAME", "integrated"),
        "checks": [
            {"name": "database", "timeout": timeout, **database},
            {"name": "backend", "type": "http", "url": "http://127.0.0.1:8000/health", "timeout": timeout},
            {"name": "frontend", "type": "http", "url": "http://127.0.0.1:3000/", "timeout": timeout},
        ],
        "rules": [
            # A backend without its database is not healthy, and no restart would make it so.
            {"check": "backend", "restart": "supervisor", "program": "backend", "needs": ["database"]},
            {"check": "frontend", "restart": "supervisor", "program": "frontend"},
        ],
        "webhooks": [{"name": "alerts", "format": form, "url_file": url_file}] if url_file else [],
        "thresholds": {**percentages(env), "disks": ["/var/log/app"]},
        "interval": number(env, "MONITOR_INTERVAL", 30.0),
        "retry_interval": number(env, "MONITOR_RETRY_INTERVAL", 0.0),
        "start_delay": number(env, "MONITOR_START_DELAY", 30.0),
        "grace": number(env, "MONITOR_GRACE", 60.0),
        "state_directory": "/run/app/monitor",
        "metrics_file": "/run/app/monitor/monitor.prom",
    }


def percentages(env: Mapping[str, str]) -> dict[str, float]:
    """Use of the machine that raises an alert; 0 watches nothing."""
    return {name: number(env, f"MONITOR_{name.upper()}_PERCENT", 90.0) for name in ("cpu", "memory", "disk")}


def write(path: Path, content: Mapping[str, Any]) -> None:
    """Readable by its owner alone."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as stream:
        json.dump(content, stream, indent=2)
