# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Limits, lists of addresses, passwords and maintenance, in nginx's language.

All of it is said for the whole server, so that what a snippet adds is protected too; the challenges of the certificate
authority are let through one by one.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable

from ansible_collections.composeops.stack.plugins.module_utils.edge.block import block
from ansible_collections.composeops.stack.plugins.module_utils.edge.guards import Access, BasicAuth, Guard, Limits
from ansible_collections.composeops.stack.plugins.module_utils.edge.model import Site

PASSWORDS = "/etc/nginx/composeops/passwords"
CHALLENGES = "/.well-known/acme-challenge/"
_ZONE = "10m"
"""Room for 160,000 addresses; the oldest are forgotten when it is full."""
_PAGE = (
    "<!doctype html><html lang=en><meta charset=utf-8><title>Maintenance</title>"
    "<h1>Back soon</h1><p>This site is being worked on. Please try again in a few minutes.</p></html>"
)


def password_files(sites: Iterable[Site], directory: str = PASSWORDS) -> dict[str, str]:
    """Return the file of every password list: path to content.

    The name has a digest of the content. So a changed password is another file, the configuration before it still finds
    its own, and hashes appear in no difference that is shown.
    """
    found: dict[str, str] = {}
    for site in sites:
        for guard in (site.guard, *(route.guard for route in site.routes)):
            if guard.basic_auth:
                found[password_file(site.name, guard.basic_auth, directory)] = _content(guard.basic_auth)
    return found


def password_file(name: str, auth: BasicAuth, directory: str = PASSWORDS) -> str:
    """Return the path of the passwords of a site, or of one of its routes."""
    return f"{directory}/{name}-{hashlib.sha256(_content(auth).encode()).hexdigest()[:16]}"


def pages(sites: Iterable[Site]) -> dict[str, str]:
    """Return what visitors read while a site is in maintenance: relative path to content."""
    return {f"pages/{site.name}.html": (site.maintenance.page or _PAGE) + "\n" for site in sites if site.maintenance}


def of_host(site: Site) -> list[str]:
    """Return what has to stand outside the servers of ``site``."""
    counted = [(_zone(site, number), guard.limits) for number, guard in _guards(site)]
    lines = []
    for zone, limits in counted:
        if limits.rate:
            lines.append(f"limit_req_zone $binary_remote_addr zone=rate-{zone}:{_ZONE} rate={limits.rate};")
        if limits.connections is not None:
            lines.append(f"limit_conn_zone $binary_remote_addr zone=connections-{zone}:{_ZONE};")
    if site.maintenance:
        stranger, closed = _variable(site, "stranger"), _variable(site, "closed")
        lines += [
            "# Who sees the site while it is in maintenance. The certificate authority goes on asking meanwhile.",
            *block(f"geo {stranger}", ["default 1;", *(f"{network} 0;" for network in site.maintenance.allow)]),
            *block(
                f'map "{stranger}$uri" {closed}',
                ["default 0;", f"~^1{re.escape(CHALLENGES)} 0;", "~^1 1;"],
            ),
        ]
    return lines


def of_server(site: Site) -> list[str]:
    """Return what holds for every request of a server that answers for ``site``."""
    return [*_guard(site.name, _zone(site, 0), site.guard), *_maintenance(site)]


def of_challenges(site: Site) -> list[str]:
    """Return what lets the certificate authority through, where the server lets not everybody."""
    access, auth = site.guard.access, site.guard.basic_auth
    return [*(["allow all;"] if access != Access() else []), *(["auth_basic off;"] if auth else [])]


def of_route(site: Site, number: int) -> list[str]:
    """Return what a route has of its own, in place of the site's."""
    guard = site.routes[number - 1].guard
    # Whoever logged in here did so with the edge: the service has no use for that password.
    hidden = ['proxy_set_header Authorization "";'] if guard.basic_auth or site.guard.basic_auth else []
    return [*_guard(site.name, _zone(site, number), guard), *hidden]


def _guards(site: Site) -> list[tuple[int, Guard]]:
    return [(0, site.guard), *((number, route.guard) for number, route in enumerate(site.routes, start=1))]


def _guard(name: str, zone: str, guard: Guard) -> list[str]:
    return [*_limits(zone, guard.limits), *_access(guard.access), *_login(name, guard.basic_auth)]


def _limits(zone: str, limits: Limits) -> list[str]:
    burst = f" burst={limits.burst} nodelay" if limits.burst else ""
    return [
        *([f"limit_req zone=rate-{zone}{burst};", "limit_req_status 429;"] if limits.rate else []),
        *(
            [f"limit_conn connections-{zone} {limits.connections};", "limit_conn_status 429;"]
            if limits.connections is not None
            else []
        ),
    ]


def _access(access: Access) -> list[str]:
    return [
        *(f"deny {network};" for network in access.deny),
        *(f"allow {network};" for network in access.allow),
        *(["deny all;"] if access.allow else []),
    ]


def _login(name: str, auth: BasicAuth | None) -> list[str]:
    return [f'auth_basic "{auth.realm}";', f"auth_basic_user_file {password_file(name, auth)};"] if auth else []


def _maintenance(site: Site) -> list[str]:
    if not site.maintenance:
        return []
    return [
        *block(f"if ({_variable(site, 'closed')})", ["return 503;"]),
        "error_page 503 @composeops_maintenance;",
        *block(
            "location @composeops_maintenance",
            [
                "root /etc/nginx/composeops/live/pages;",
                f"try_files /{site.name}.html =503;",
                "default_type text/html;",
                f"add_header Retry-After {site.maintenance.retry_after} always;",
                'add_header Cache-Control "no-store" always;',
                "# Nobody who reads this is kept waiting for by a reload.",
                "keepalive_timeout 0;",
            ],
        ),
    ]


def _zone(site: Site, number: int) -> str:
    return f"{site.name}-{number}" if number else site.name


def _variable(site: Site, purpose: str) -> str:
    """Return a variable of a site; no two sites get the same one, as no label begins or ends with a dash."""
    return f"$composeops_{purpose}_" + site.name.replace("-", "__").replace(".", "_")


def _content(auth: BasicAuth) -> str:
    return "".join(f"{user}:{password_hash}\n" for user, password_hash in auth.users)
