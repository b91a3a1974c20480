# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Checks of single values that several options share; each raises naming the place and the value."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any

from ansible_collections.composeops.stack.plugins.module_utils.errors import InvalidInput


def number(entry: Mapping[str, Any], key: str, where: str, *, least: int = 1) -> int | None:
    """Return a whole number that is at least ``least``, or None where none is given."""
    if entry.get(key) is None:
        return None
    value = int(entry[key])
    if value < least:
        raise InvalidInput(f"{where}: {key} is {value}; it must be at least {least}.")
    return value


def networks(entry: Mapping[str, Any], key: str, where: str) -> tuple[str, ...]:
    """Return addresses and networks as nginx and Traefik write them."""
    found = []
    for text in entry.get(key) or []:
        try:
            found.append(str(ipaddress.ip_network(str(text))))
        except ValueError as error:
            raise InvalidInput(
                f"{where}: {key} has {text!r}, which is neither an address nor a network.",
                "Write it like 192.0.2.7, 10.0.0.0/8 or 2001:db8::/32, with no bits set behind the prefix.",
            ) from error
    return tuple(found)
