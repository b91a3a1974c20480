# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The filter for API gateways: from one declaration to the configuration of the gateway that serves it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import yaml
from ansible.errors import AnsibleFilterError
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.gateway import kong, nginx
from ansible_collections.composeops.stack.plugins.module_utils.gateway.model import Gateway, parse


def _kong(gateway: Gateway) -> str:
    return yaml.safe_dump(kong.document(gateway), sort_keys=False, width=110)


KINDS: Mapping[str, Callable[[Gateway], str]] = {"kong": _kong, "nginx": nginx.configuration}


def gateway_configuration(declared: Mapping[str, Any], kind: str) -> str:
    """Return the text of the gateway's configuration file; ``kind`` is kong or nginx."""
    if kind not in KINDS:
        raise AnsibleFilterError(f"There is no gateway {kind!r}. Write {' or '.join(KINDS)}.")
    try:
        return KINDS[kind](parse(_plain(declared)))
    except ComposeOpsError as error:
        raise AnsibleFilterError(str(error)) from error


def _plain(value: Any) -> Any:
    """Return a copy made of plain values; those that Ansible hands out hold templates until they are read."""
    if isinstance(value, Mapping):
        return {str(name): _plain(member) for name, member in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(member) for member in value]
    for kind in (bool, int, str):
        if isinstance(value, kind):
            return value if kind is bool else kind(value)
    return value


class FilterModule:
    """Makes the filter known to Ansible."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"gateway_configuration": gateway_configuration}
