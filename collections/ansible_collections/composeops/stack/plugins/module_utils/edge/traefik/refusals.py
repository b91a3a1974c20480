# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What Traefik has nothing for, refused by its name before it is silently left out."""

from __future__ import annotations

from collections.abc import Iterable

from ansible_collections.composeops.stack.plugins.module_utils.edge import guards
from ansible_collections.composeops.stack.plugins.module_utils.edge.answers import StaticTarget
from ansible_collections.composeops.stack.plugins.module_utils.edge.balancing import ADDRESS, HASH
from ansible_collections.composeops.stack.plugins.module_utils.edge.guards import Guard
from ansible_collections.composeops.stack.plugins.module_utils.edge.model import MAX_BODY_SIZE, Route, Site, is_wildcard
from ansible_collections.composeops.stack.plugins.module_utils.errors import InvalidInput

NGINX = "or set edge_proxy: nginx."


def check(sites: Iterable[Site]) -> None:
    """Raise for the first thing that only nginx does."""
    for site in sites:
        wildcards = [name for name in site.names if is_wildcard(name)]
        if wildcards:
            raise InvalidInput(
                f"edge_sites: site {site.name} has the alias {wildcards[0]}, whose certificate needs challenges over"
                " DNS; with Traefik they are answered over HTTP.",
                f"Declare the names one by one, {NGINX}",
            )
        if site.snippet:
            raise InvalidInput(
                f"edge_sites: site {site.name} has a snippet, which is nginx's language; the edge is Traefik.",
                f"Use headers and routes, {NGINX}",
            )
        if site.client_max_body_size != MAX_BODY_SIZE:
            raise InvalidInput(
                f"edge_sites: site {site.name} sets client_max_body_size, which Traefik can only keep by holding back"
                " whole requests and answers.",
                f"Remove it and let the application limit what it takes, {NGINX}",
            )
        if site.maintenance:
            raise InvalidInput(
                f"edge_sites: site {site.name} sets maintenance; Traefik has no page of its own to answer with.",
                f"Stop the stack instead, {NGINX}",
            )
        _check_guard(f"site {site.name}", site.guard)
        for route in site.routes:
            _check_route(f"site {site.name}, route {route.path}", route)


def _check_route(where: str, route: Route) -> None:
    if isinstance(route.target, StaticTarget):
        raise InvalidInput(
            f"edge_sites: {where} has static, and Traefik serves no files.", f"Let a service serve them, {NGINX}"
        )
    if route.balancing.method == HASH and route.balancing.hash_by != ADDRESS:
        raise InvalidInput(
            f"edge_sites: {where} has hash_by: {route.balancing.hash_by}; Traefik chooses by address alone.",
            f"Write hash_by: address, {NGINX}",
        )
    _check_guard(where, route.guard)


def _check_guard(where: str, guard: Guard) -> None:
    if guard.access.deny:
        raise InvalidInput(
            f"edge_sites: {where} has deny; Traefik knows lists of who is allowed only.", f"Use allow, {NGINX}"
        )
    for user, password_hash in guard.basic_auth.users if guard.basic_auth else ():
        if not guards.is_bcrypt(password_hash):
            raise InvalidInput(
                f"edge_sites: {where}: the hash of {user} in basic_auth is not bcrypt; Traefik knows no other.",
                f"Make one with `htpasswd -nB {user}`, {NGINX}",
            )
