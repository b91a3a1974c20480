# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filters of the roles baseline and docker_engine: values whose mistakes the host would find too late, or never."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from ipaddress import ip_network
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.host import engine


def networks(values: Sequence[str], variable: str) -> list[str]:
    """Return networks and addresses as they were given, in their usual form; ``variable`` is where they are from."""
    return [_network(value, variable) for value in values]


def _network(value: str, variable: str) -> str:
    try:
        return str(ip_network(value, strict=True))
    except ValueError as error:
        raise AnsibleFilterError(
            f"{variable}: {value!r} is no network: {error}. Write one such as 192.0.2.0/24, 192.0.2.7 or 2001:db8::/32."
        ) from error


def engine_settings(settings: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the content of daemon.json as it was given, refused here where it would open the host."""
    try:
        engine.check(settings)
    except ComposeOpsError as error:
        raise AnsibleFilterError(str(error)) from error
    return settings


class FilterModule:
    """What Ansible looks for."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"engine_settings": engine_settings, "networks": networks}
