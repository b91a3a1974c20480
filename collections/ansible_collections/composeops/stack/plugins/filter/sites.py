# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filters for edge_sites: what the labels of a compose file declare, and what certificates need of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import yaml
from ansible.errors import AnsibleFilterError
from ansible_collections.composeops.stack.plugins.module_utils.edge import labels
from ansible_collections.composeops.stack.plugins.module_utils.edge.model import parse_sites
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.preflight.compose import interpolate
from ansible_collections.composeops.stack.plugins.plugin_utils.compose_files import ComposeLoader


def sites_from_labels(compose: str, stack: str, environment: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the sites that Traefik's labels in a compose file declare, its variables replaced by ``environment``."""
    values = {str(name): str(value) for name, value in environment.items()}
    try:
        document = yaml.load(str(compose), ComposeLoader) or {}  # noqa: S506 (a safe loader with compose's own tags)
        services = {name: {"labels": _labels(entry, values)} for name, entry in document["services"].items()}
        found = labels.sites(services, stack)
        parse_sites(found)
    except ComposeOpsError as error:
        raise AnsibleFilterError(str(error)) from error
    except (yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
        raise AnsibleFilterError(
            f"The labels of stack {stack} cannot be read from its compose file: {error}"
        ) from error
    return found


def _labels(service: Mapping[str, Any], values: Mapping[str, str]) -> Any:
    declared = service.get("labels") or {}
    if isinstance(declared, Mapping):
        return {key: _filled(str(key), value, values) for key, value in declared.items()}
    return [_filled(str(label), label, values) for label in declared]


def _filled(name: str, value: Any, values: Mapping[str, str]) -> Any:
    if not isinstance(value, str):
        return value
    text = interpolate(value, values)
    if text is None:
        raise AnsibleFilterError(f"The label {name} uses a variable that has no value in the stack's environment.")
    return text


ANSWERS = (
    "redirect_to_https",
    "client_max_body_size",
    "headers",
    "snippet",
    "compress",
    "limits",
    "allow",
    "deny",
    "basic_auth",
    "maintenance",
    "maintenance_allow",
    "maintenance_page",
    "maintenance_retry_after",
)
"""What of a site says how it answers, and nothing of its certificate."""


def certified_sites(sites: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the sites with what certificates depend on, so that no hash of a password goes where none is needed.

    Their routes stay, because no site is one without them.
    """
    return [{**_without_answers(site), "routes": [_without_answers(one) for one in site["routes"]]} for site in sites]


def _without_answers(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in entry.items() if key not in ANSWERS}


class FilterModule:
    """What Ansible looks for."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"sites_from_labels": sites_from_labels, "certified_sites": certified_sites}
