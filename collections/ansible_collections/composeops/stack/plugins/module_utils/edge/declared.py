# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the modules of both edges share: how sites are declared, and where their services are on this host."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ansible_collections.composeops.stack.plugins.module_utils.edge.model import (
    BALANCES,
    CONNECT_TIMEOUT,
    MAX_BODY_SIZE,
    ROUND_ROBIN,
    AddressTarget,
    ServiceTarget,
    Site,
)
from ansible_collections.composeops.stack.plugins.module_utils.edge.render import Endpoints
from ansible_collections.composeops.stack.plugins.module_utils.release import state

ROUTE_OPTIONS: dict[str, Any] = {
    "path": {"type": "str", "required": True},
    "stack": {"type": "str"},
    "service": {"type": "str"},
    "port": {"type": "int"},
    "upstream": {"type": "list", "elements": "str"},
    "websocket": {"type": "bool", "default": False},
    "balance": {"type": "str", "choices": list(BALANCES), "default": ROUND_ROBIN},
    "connect_timeout": {"type": "int", "default": CONNECT_TIMEOUT},
    "send_timeout": {"type": "int"},
    "read_timeout": {"type": "int"},
    "headers": {"type": "dict", "default": {}},
}
SITE_OPTIONS: dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "aliases": {"type": "list", "elements": "str", "default": []},
    "routes": {"type": "list", "elements": "dict", "required": True, "options": ROUTE_OPTIONS},
    "redirect_to_https": {"type": "bool", "default": True},
    "hsts": {"type": "str", "choices": ["auto", "always", "never"]},
    "client_max_body_size": {"type": "str", "default": MAX_BODY_SIZE},
    "headers": {"type": "dict", "default": {}},
    "snippet": {"type": "str", "default": ""},
}


def known_endpoints(targets: Iterable[ServiceTarget]) -> Endpoints:
    """Return where each target listens on this host, by the records of the stacks; empty where it does not."""
    recorded = {name: state.endpoints(name) for name in {target.stack for target in targets}}
    result: dict[ServiceTarget, dict[str, list[str]]] = {}
    for target in targets:
        places = result.setdefault(target, {})
        for endpoint in recorded[target.stack]:
            if (endpoint.service, endpoint.port) == (target.service, target.port):
                places.setdefault(endpoint.colour, []).append(f"{endpoint.address}:{endpoint.host_port}")
    return result


def waiting_for_services(targets: Iterable[ServiceTarget], endpoints: Endpoints) -> list[str]:
    """Say in check mode which services must be deployed before a real run gets through."""
    return [
        f"needs the deployment of {target}, which is not on this host yet"
        for target in targets
        if not endpoints[target]
    ]


def reported(sites: Iterable[Site], endpoints: Endpoints) -> dict[str, Any]:
    """Return the routes as values and as a table."""
    routes = [
        {
            "site": site.name,
            "path": route.path,
            "target": str(route.target),
            "addresses": list(
                route.target.addresses
                if isinstance(route.target, AddressTarget)
                else [address for places in endpoints[route.target].values() for address in places]
            ),
        }
        for site in sites
        for route in site.routes
    ]
    rows = [[route["site"], route["path"], route["target"], ", ".join(route["addresses"])] for route in routes]
    return {
        "routes": routes,
        "summary": [{"title": "Routes", "columns": ["site", "path", "leads to", "reached at"], "rows": rows}],
    }
