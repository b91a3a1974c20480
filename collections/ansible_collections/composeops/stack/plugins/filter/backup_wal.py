# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filter of the role backup: which services send the write-ahead log of a PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible_collections.composeops.stack.plugins.module_utils.backup.model import POSTGRES_CLUSTER

ABSENT = "absent"
SETTINGS = "/etc/composeops/backup.json"
UNIT = "/etc/systemd/system/composeops-wal@.service"


def backup_wal_units(sources: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the services as the module host_state wants its units."""
    return [
        {
            "name": f"composeops-wal@{source['name']}.service",
            "enabled": source.get("state") != ABSENT,
            "state": "stopped" if source.get("state") == ABSENT else "started",
            "restart_on": [SETTINGS, UNIT],
        }
        for source in sources
        if source.get("state") == ABSENT or source.get("type") == POSTGRES_CLUSTER
    ]


class FilterModule:
    """What Ansible looks for."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"backup_wal_units": backup_wal_units}
