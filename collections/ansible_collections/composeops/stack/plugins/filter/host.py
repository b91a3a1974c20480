# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filters of the roles baseline and docker_engine: values whose mistakes the host would find too late, or never."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from ipaddress import ip_network
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.host import engine

TIME = re.compile(r"([01]\d|2[0-3]):[0-5]\d\Z")
LOCALE = re.compile(r"(C|POSIX|C\.(UTF-8|utf8)|[a-z]{2,3}_[A-Z]{2}\.(UTF-8|utf8)(@\w+)?)\Z")
AUDIT_RULE = re.compile(r"-[aAw] [^\n]+\Z")
UNITS = "/etc/systemd/system"


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


def time_of_day(value: str, variable: str) -> str:
    """Return a time such as 03:00 as it was given."""
    if not TIME.match(value):
        raise AnsibleFilterError(f"{variable}: {value!r} is no time of day. Write one from 00:00 to 23:59, in quotes.")
    return value


def locale(value: str) -> str:
    """Return the name of a locale as it was given; others than those of UTF-8 are of another century."""
    if not LOCALE.match(value):
        raise AnsibleFilterError(f"baseline_locale: {value!r} is no locale. Write one such as C.UTF-8 or de_DE.UTF-8.")
    return value


def audit_rules(values: Sequence[str]) -> list[str]:
    """Return rules as they were given; one that is none would be left out by auditctl without a word."""
    for value in values:
        if not AUDIT_RULE.match(value):
            raise AnsibleFilterError(
                f"baseline_audit_rules: {value!r} is no rule. Write one line as auditctl takes it, with -a or -w."
            )
    return list(values)


def drop_in_directories(units: Sequence[str]) -> list[dict[str, Any]]:
    """Return where drop-ins of units lie, as the module host_state wants its directories."""
    return [{"path": f"{UNITS}/{unit}.d"} for unit in units]


def drop_in_files(units: Sequence[str], name: str, source: str) -> list[dict[str, Any]]:
    """Return the same drop-in for each of some units, as the module host_state wants its files."""
    return [{"path": f"{UNITS}/{unit}.d/{name}", "source": source} for unit in units]


class FilterModule:
    """What Ansible looks for."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {
            "audit_rules": audit_rules,
            "drop_in_directories": drop_in_directories,
            "drop_in_files": drop_in_files,
            "engine_settings": engine_settings,
            "locale": locale,
            "networks": networks,
            "time_of_day": time_of_day,
        }
