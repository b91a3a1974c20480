# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filters of the role baseline: values whose mistakes would be found by nobody on the host, or too late."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from ipaddress import ip_network
from typing import Any

from ansible.errors import AnsibleFilterError


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


class FilterModule:
    """What Ansible looks for."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"networks": networks}
