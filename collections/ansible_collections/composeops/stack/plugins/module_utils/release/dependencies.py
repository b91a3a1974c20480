# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Some services of a compose file, with those that they cannot start without; pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from ansible_collections.composeops.stack.plugins.module_utils.errors import InvalidInput


def with_dependencies(compose: Mapping[str, Any], only: Collection[str]) -> dict[str, Any]:
    """Return a canonical compose file with the services ``only``, and those that they cannot start without."""
    services = compose["services"]
    unknown = sorted(set(only) - set(services))
    if unknown:
        raise InvalidInput(
            f"The compose file has no service {', '.join(unknown)}; it has {', '.join(sorted(services))}.",
            "Correct the services of backup_sources.",
        )
    wanted: set[str] = set()
    pending = list(only)
    while pending:
        name = pending.pop()
        if name not in wanted:
            wanted.add(name)
            pending += _needed(services[name])
    return {**compose, "services": {name: entry for name, entry in services.items() if name in wanted}}


def _needed(service: Mapping[str, Any]) -> list[str]:
    namespaces = [str(service.get(key) or "") for key in ("network_mode", "ipc", "pid")]
    shared = [entry.removeprefix("service:") for entry in namespaces if entry.startswith("service:")]
    mounted = [str(entry) for entry in service.get("volumes_from") or []]
    mounted = [entry.split(":")[0] for entry in mounted if not entry.startswith("container:")]
    return [*(service.get("depends_on") or {}), *shared, *mounted]
