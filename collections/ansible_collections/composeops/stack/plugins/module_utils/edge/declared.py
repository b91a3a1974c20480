# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the modules of both edges share: how sites are declared, and where their services are on this host."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

from ansible_collections.composeops.stack.plugins.module_utils.edge.answers import (
    MOVED,
    REDIRECTS,
    StaticTarget,
)
from ansible_collections.composeops.stack.plugins.module_utils.edge.balancing import HASHED, METHODS, ROUND_ROBIN
from ansible_collections.composeops.stack.plugins.module_utils.edge.guards import REALM, RETRY_AFTER
from ansible_collections.composeops.stack.plugins.module_utils.edge.locations import Endpoints
from ansible_collections.composeops.stack.plugins.module_utils.edge.model import (
    CONNECT_TIMEOUT,
    MAX_BODY_SIZE,
    AddressTarget,
    ServiceTarget,
    Site,
    Target,
)
from ansible_collections.composeops.stack.plugins.module_utils.release import state

GUARD_OPTIONS: dict[str, Any] = {
    "limits": {
        "type": "dict",
        "options": {
            "rate": {"type": "str", "default": ""},
            "burst": {"type": "int", "default": 0},
            "connections": {"type": "int"},
        },
    },
    "allow": {"type": "list", "elements": "str", "default": []},
    "deny": {"type": "list", "elements": "str", "default": []},
    "basic_auth": {
        "type": "dict",
        "options": {
            "realm": {"type": "str", "default": REALM},
            "users": {"type": "dict", "required": True, "no_log": True},
        },
    },
}
"""What protects a site, or a route."""
ROUTE_OPTIONS: dict[str, Any] = {
    "path": {"type": "str", "required": True},
    "stack": {"type": "str"},
    "service": {"type": "str"},
    "port": {"type": "int"},
    "upstream": {"type": "list", "elements": "str"},
    "static": {
        "type": "dict",
        "options": {
            "directory": {"type": "str", "required": True},
            "cache": {"type": "str", "default": ""},
            "fallback": {"type": "str", "default": ""},
        },
    },
    "redirect": {
        "type": "dict",
        "options": {
            "to": {"type": "str", "required": True},
            "code": {"type": "int", "choices": list(REDIRECTS), "default": MOVED},
            "keep_path": {"type": "bool", "default": False},
        },
    },
    "websocket": {"type": "bool", "default": False},
    "balance": {"type": "str", "choices": list(METHODS), "default": ROUND_ROBIN},
    "hash_by": {"type": "str", "choices": list(HASHED)},
    "hash_cookie": {"type": "str"},
    "max_fails": {"type": "int"},
    "fail_timeout": {"type": "int"},
    "connect_timeout": {"type": "int", "default": CONNECT_TIMEOUT},
    "send_timeout": {"type": "int"},
    "read_timeout": {"type": "int"},
    "headers": {"type": "dict", "default": {}},
    **GUARD_OPTIONS,
}
SITE_OPTIONS: dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "aliases": {"type": "list", "elements": "str", "default": []},
    "routes": {"type": "list", "elements": "dict", "required": True, "options": ROUTE_OPTIONS},
    "redirect_to_https": {"type": "bool", "default": True},
    "hsts": {"type": "str", "choices": ["auto", "always", "never"]},
    "certificate": {
        "type": "dict",
        "options": {
            "source": {"type": "str", "choices": ["provided", "private_ca"], "default": "provided"},
            "certificate": {"type": "str", "default": ""},
            "key": {"type": "str", "default": "", "no_log": True},
        },
    },
    "client_max_body_size": {"type": "str", "default": MAX_BODY_SIZE},
    "headers": {"type": "dict", "default": {}},
    "snippet": {"type": "str", "default": ""},
    "compress": {"type": "bool", "default": True},
    **GUARD_OPTIONS,
    "maintenance": {"type": "bool", "default": False},
    "maintenance_allow": {"type": "list", "elements": "str", "default": []},
    "maintenance_page": {"type": "str", "default": ""},
    "maintenance_retry_after": {"type": "int", "default": RETRY_AFTER},
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


def missing_directories(sites: Iterable[Site]) -> list[str]:
    """Say which directories of files are not there; they may come later, and nginx answers 404 meanwhile."""
    targets = {route.target for site in sites for route in site.routes}
    wanted = sorted(target.directory for target in targets if isinstance(target, StaticTarget))
    return [f"edge: there is no directory {path} to serve files from" for path in wanted if not os.path.isdir(path)]


def reported(sites: Iterable[Site], endpoints: Endpoints) -> dict[str, Any]:
    """Return the routes as values and as a table."""
    routes = [
        {
            "site": site.name,
            "path": route.path,
            "target": str(route.target),
            "addresses": _addresses(route.target, endpoints),
        }
        for site in sites
        for route in site.routes
    ]
    rows = [[route["site"], route["path"], route["target"], ", ".join(route["addresses"])] for route in routes]
    return {
        "routes": routes,
        "summary": [{"title": "Routes", "columns": ["site", "path", "leads to", "reached at"], "rows": rows}],
    }


def _addresses(target: Target, endpoints: Endpoints) -> list[str]:
    """Return where a target is reached; what the edge answers itself is nowhere else."""
    if isinstance(target, AddressTarget):
        return list(target.addresses)
    if isinstance(target, ServiceTarget):
        return [address for places in endpoints[target].values() for address in places]
    return []
