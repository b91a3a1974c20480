# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Limits, lists of addresses and passwords as middlewares of Traefik."""

from __future__ import annotations

from typing import Any

from ansible_collections.composeops.stack.plugins.module_utils.edge.guards import Access, BasicAuth, Limits
from ansible_collections.composeops.stack.plugins.module_utils.edge.model import Route, Site
from ansible_collections.composeops.stack.plugins.module_utils.edge.protection import password_file

PASSWORDS = "/etc/traefik/passwords"
_PERIODS = {"s": "1s", "m": "1m"}


def middlewares(site: Site, route: Route, name: str) -> dict[str, dict[str, Any]]:
    """Return what stands before a route, by name, in the order in which nginx asks."""
    of_site, own = site.guard, route.guard
    limits = Limits(
        own.limits.rate or of_site.limits.rate,
        own.limits.burst if own.limits.rate else of_site.limits.burst,
        of_site.limits.connections if own.limits.connections is None else own.limits.connections,
    )
    access = own.access if own.access != Access() else of_site.access
    auth = own.basic_auth or of_site.basic_auth
    found: dict[str, dict[str, Any]] = {}
    if limits.rate:
        found[f"{name}-rate"] = {"rateLimit": _rate(limits)}
    if limits.connections is not None:
        found[f"{name}-connections"] = {"inFlightReq": {"amount": limits.connections, "sourceCriterion": _BY_ADDRESS}}
    if access.allow:
        found[f"{name}-access"] = {"ipAllowList": {"sourceRange": list(access.allow)}}
    if auth:
        found[f"{name}-login"] = {"basicAuth": _login(site, auth)}
    return found


_BY_ADDRESS: dict[str, Any] = {"ipStrategy": {"depth": 0}}


def _rate(limits: Limits) -> dict[str, Any]:
    number, unit = limits.rate.split("r/")
    period = _PERIODS[unit]
    return {"average": int(number), "period": period, "burst": limits.burst + 1, "sourceCriterion": _BY_ADDRESS}


def _login(site: Site, auth: BasicAuth) -> dict[str, Any]:
    path = password_file(site.name, auth, PASSWORDS)
    return {"usersFile": path, "realm": auth.realm, "removeHeader": True}
