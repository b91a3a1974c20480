# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The host name and live kernel parameters."""

from __future__ import annotations

from collections.abc import Mapping

from ansible_collections.composeops.stack.plugins.module_utils.host.model import (
    Change,
    SetHostname,
    SetKernelParameter,
)


def plan_hostname(wanted: str | None, found: str) -> list[Change]:
    if wanted is None or wanted == found:
        return []
    return [
        Change("host name", f"name the host {wanted} (was {found})", f"{found}\n", f"{wanted}\n", SetHostname(wanted))
    ]


def plan_kernel(wanted: Mapping[str, str], found: Mapping[str, str | None]) -> list[Change]:
    changes = []
    for key, value in sorted(wanted.items()):
        current = found.get(key)
        if current == value:
            continue
        sentence = f"set kernel parameter {key} to {value}"
        before = "" if current is None else f"{current}\n"
        changes.append(
            Change(f"kernel parameter {key}", sentence, before, f"{value}\n", SetKernelParameter(key, value))
        )
    return changes
