# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filters of the role backup: from its list of sources to files and units of a host."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.composeops.stack.plugins.module_utils.backup import settings, timers
from ansible_collections.composeops.stack.plugins.module_utils.backup.encoding import recipient
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError

ABSENT = "absent"
CPU_LIMIT = "/etc/systemd/system/composeops-backup@.service.d/cpu.conf"
QUOTA = re.compile(r"[1-9]\d*%\Z")

Source = Mapping[str, Any]


def backup_settings(
    sources: Sequence[Source],
    store: Mapping[str, Any],
    host: str,
    *,
    recipients: Sequence[str] = (),
    encrypt: bool = True,
    bandwidth: str = "0",
) -> str:
    """Return the text of /etc/composeops/backup.json, refused here rather than on the host when it is wrong."""
    wanted = [{key: value for key, value in source.items() if key != "state"} for source in _present(sources)]
    if encrypt and wanted and not recipients:
        raise AnsibleFilterError(f"{recipient.NOBODY} {recipient.NOBODY_REMEDY}")
    if recipients and not encrypt:
        raise AnsibleFilterError("backup_recipients is of no use with `backup_encrypt: false`. Leave one of them out.")
    content = {
        "host": host,
        "store": dict(store),
        "sources": wanted,
        "recipients": list(recipients),
        "bandwidth": bandwidth,
    }
    text = json.dumps(content, indent=2, sort_keys=True) + "\n"
    try:
        settings.parse(text)
    except ComposeOpsError as error:
        raise AnsibleFilterError(str(error)) from error
    return text


def backup_cpu_file(quota: str) -> dict[str, Any]:
    """Return the drop-in that limits the processors of a backup as the module host_state wants it."""
    if not quota:
        return {"path": CPU_LIMIT, "state": ABSENT}
    if not QUOTA.match(quota):
        raise AnsibleFilterError(f"backup_cpu_quota {quota!r} is no share of a processor. Write one such as 50%.")
    return {"path": CPU_LIMIT, "content": f"# Written by the role backup.\n[Service]\nCPUQuota={quota}\n"}


def backup_timer_files(sources: Sequence[Source]) -> list[dict[str, Any]]:
    """Return the timers' files as the module host_state wants them."""
    files: list[dict[str, Any]] = []
    for source in sources:
        name = source["name"]
        backup, drill = source.get("schedule", "daily"), source.get("drill", "weekly")
        gone = source.get("state") == ABSENT
        for path, absent, text in (
            (timers.path(name), gone, timers.text(name, backup)),
            (timers.drill_path(name), gone or drill == timers.NEVER, timers.drill_text(name, drill)),
        ):
            files.append({"path": path, "state": ABSENT} if absent else {"path": path, "content": text})
    return files


def backup_timer_units(sources: Sequence[Source]) -> list[dict[str, Any]]:
    """Return the timers as the module host_state wants its units."""
    units = []
    for source in sources:
        gone = source.get("state") == ABSENT
        undrilled = gone or source.get("drill", "weekly") == timers.NEVER
        units.append(_timer(timers.name(source["name"]), timers.path(source["name"]), wanted=not gone))
        units.append(_timer(timers.drill_name(source["name"]), timers.drill_path(source["name"]), wanted=not undrilled))
    return units


def backup_services(sources: Sequence[Source]) -> dict[str, list[str]]:
    """Return the services that keep the data of the sources, by stack."""
    found: dict[str, list[str]] = {}
    for source in _present(sources):
        service = source.get("service")
        if service and service not in found.setdefault(source["stack"], []):
            found[source["stack"]].append(service)
    return found


def _timer(name: str, path: str, *, wanted: bool) -> dict[str, Any]:
    return {"name": name, "enabled": wanted, "state": "started" if wanted else "stopped", "restart_on": [path]}


def _present(sources: Sequence[Source]) -> list[Source]:
    return [source for source in sources if source.get("state") != ABSENT]


class FilterModule:
    """What Ansible looks for."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {
            "backup_settings": backup_settings,
            "backup_cpu_file": backup_cpu_file,
            "backup_services": backup_services,
            "backup_timer_files": backup_timer_files,
            "backup_timer_units": backup_timer_units,
        }
