"""The health document, the same in every role. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone

CONNECTED = "connected"
DISCONNECTED = "disconnected"
NOT_CONFIGURED = "not configured"


def is_healthy(database: str, schema_ready: bool, told_unhealthy: bool) -> bool:
    if told_unhealthy or database == DISCONNECTED:
        return False
    return database == NOT_CONFIGURED or schema_ready


def document(
    *,
    healthy: bool,
    now: datetime,
    service: str,
    environment: str,
    database: str,
    git_commit: str,
    version: str,
    others: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """`others` are further stores and their states; only what uses them names them."""
    return {
        **(others or {}),
        "status": "healthy" if healthy else "unhealthy",
        "timestamp": now.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "service": service,
        "environment": environment,
        "database": database,
        "git_commit": git_commit,
        "version": version,
    }
