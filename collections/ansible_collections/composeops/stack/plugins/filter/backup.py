# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filters of the role backup: from its list of sources to files and units of a host."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.composeops.stack.plugins.module_utils.backup import settings, timers
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError

ABSENT = "absent"

Source = Mapping[str, Any]


def backup_settings(sources: Sequence[Source], store: Mapping[str, Any], host: str) -> str:
    """Return the text of /etc/composeops/backup.json, refused here rather than on the host when it is wrong."""
    wanted = [{key: value for key, value in source.items() if key != "state"} for source in _present(sources)]
    text = json.dumps({"host": host, "store": dict(store), "sources": wanted}, indent=2, sort_keys=True) + "\n"
    try:
        settings.parse(text)
    except ComposeOpsError as error:
        raise AnsibleFilterError(str(error)) from error
    return text


def backup_timer_files(sources: Sequence[Source]) -> list[dict[str, Any]]:
    """Return the timers' files as the module host_state wants them."""
    files: list[dict[str, Any]] = []
    for source in sources:
        path = timers.path(source["name"])
        if source.get("state") == ABSENT:
            files.append({"path": path, "state": ABSENT})
            continue
        files.append({"path": path, "content": timers.text(source["name"], source.get("schedule", "daily"))})
    return files


def backup_timer_units(sources: Sequence[Source]) -> list[dict[str, Any]]:
    """Return the timers as the module host_state wants its units."""
    return [
        {
            "name": timers.name(source["name"]),
            "enabled": source.get("state") != ABSENT,
            "state": "stopped" if source.get("state") == ABSENT else "started",
            "restart_on": [timers.path(source["name"])],
        }
        for source in sources
    ]


def _present(sources: Sequence[Source]) -> list[Source]:
    return [source for source in sources if source.get("state") != ABSENT]


class FilterModule:
    """What Ansible looks for."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {
            "backup_settings": backup_settings,
            "backup_timer_files": backup_timer_files,
            "backup_timer_units": backup_timer_units,
        }
