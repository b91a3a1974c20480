# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The filter of the role monitor: from its variables to the configuration on the host."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.monitor import settings

REMEDY = "Correct the monitor_* variables or verify_checks."


def monitor_settings(content: Mapping[str, Any]) -> str:
    """Return the text of /etc/composeops/monitor.json, refused here rather than on the host when it is wrong."""
    try:
        plain = checked(content)
    except ComposeOpsError as error:
        raise AnsibleFilterError(f"{error.message} {REMEDY}") from error
    return json.dumps(plain, indent=2, sort_keys=True) + "\n"


def checked(content: Mapping[str, Any]) -> Any:
    """Return a configuration as plain data, or raise what the monitor would say of it."""
    plain = _plain(content)
    settings.parse(plain, read=_elsewhere)
    return plain


def _plain(value: Any) -> Any:
    """Return a copy made of dictionaries and lists; those that Ansible hands out hold templates until they are read."""
    if isinstance(value, Mapping):
        return {str(name): _plain(member) for name, member in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(member) for member in value]
    return value


def _elsewhere(_path: str) -> str:
    """Stand for the content of a file that is on the host alone."""
    return "https://on-the-host.invalid/"


class FilterModule:
    """Makes the filter known to Ansible."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"monitor_settings": monitor_settings}
