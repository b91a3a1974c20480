"""What is said to Consul, and what its answers mean. Pure."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import Any

CHECK_INTERVAL = "2s"
CHECK_TIMEOUT = "2s"
# Consul's own minimum: an instance that died without a word is forgotten after so long.
FORGET_AFTER = "1m"


@dataclass(frozen=True)
class Instance:
    """One instance of a service, as the others find it."""

    address: str
    port: int
    version: str


def identifier(service: str, container: str) -> str:
    """Return the id of one instance: containers of one service differ in their host name."""
    return f"{service}-{container}"


def service(name: str, container: str, version: str, address: str, port: int) -> dict[str, Any]:
    """Return what registers an instance, with a check that Consul carries out by itself."""
    return {
        "ID": identifier(name, container),
        "Name": name,
        "Address": address,
        "Port": port,
        "Meta": {"version": version},
        "Check": {
            "HTTP": f"http://{address}:{port}/health",
            "Interval": CHECK_INTERVAL,
            "Timeout": CHECK_TIMEOUT,
            "DeregisterCriticalServiceAfter": FORGET_AFTER,
        },
    }


def instances(health: list[dict[str, Any]]) -> list[Instance]:
    """Return the instances that an answer of /v1/health/service lists; without an own address, that of their node."""
    return [
        Instance(
            address=entry["Service"].get("Address") or entry["Node"]["Address"],
            port=int(entry["Service"]["Port"]),
            version=str((entry["Service"].get("Meta") or {}).get("version", "")),
        )
        for entry in health
    ]


def value(entries: list[dict[str, Any]] | None) -> str | None:
    """Return the value that an answer of /v1/kv has; None where there is no such key."""
    if not entries:
        return None
    try:
        return base64.b64decode(entries[0]["Value"] or "").decode("utf-8", "replace")
    except (binascii.Error, KeyError):
        return None


def next_index(before: int, answered: str) -> int:
    """Return what to wait from; an index that goes back means that Consul started anew, so does the wait."""
    index = int(answered) if answered.isdecimal() else 0
    return index if index >= before else 0
