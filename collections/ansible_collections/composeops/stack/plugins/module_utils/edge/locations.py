# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The locations of a site, in nginx's language: one for each route, whatever answers it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from ansible_collections.composeops.stack.plugins.module_utils.edge import (
    choice,
    draining,
    protection,
    response_headers,
)
from ansible_collections.composeops.stack.plugins.module_utils.edge.answers import RedirectTarget, StaticTarget
from ansible_collections.composeops.stack.plugins.module_utils.edge.block import block
from ansible_collections.composeops.stack.plugins.module_utils.edge.capabilities import Capabilities
from ansible_collections.composeops.stack.plugins.module_utils.edge.model import (
    AddressTarget,
    Route,
    ServiceTarget,
    Site,
)

Endpoints = Mapping[ServiceTarget, Mapping[str, Sequence[str]]]
"""Each service target with the addresses (host:port) where this host reaches it, by colour; in place, that is empty."""


def of_route(
    site: Site, number: int, endpoints: Endpoints, capabilities: Capabilities, inherited: Sequence[str] = ()
) -> list[str]:
    """Return the location of a route; ``inherited`` are headers of the server, which one with its own has to repeat."""
    route = site.routes[number - 1]
    answer = (
        _redirect(route.target)
        if isinstance(route.target, RedirectTarget)
        else _files(route.target)
        if isinstance(route.target, StaticTarget)
        else _proxied(site, route, route.target, endpoints, capabilities)
    )
    guards = [] if isinstance(route.target, RedirectTarget) else protection.of_route(site, number)
    if isinstance(route.target, StaticTarget):
        guards = [line for line in guards if not line.startswith("proxy_")]
    return block(
        f"location {route.path}",
        [
            *(() if isinstance(route.target, RedirectTarget) else (f"# {route.target}",)),
            *guards,
            *answer,
            *(inherited if route.headers else []),
            *(f'add_header {name} "{value}" always;' for name, value in route.headers),
        ],
    )


def caches(sites: Iterable[Site]) -> list[str]:
    """Return how long browsers keep files, for each duration that some route names."""
    targets = [route.target for site in sites for route in site.routes]
    durations = sorted({target.cache for target in targets if isinstance(target, StaticTarget) and target.cache})
    return [
        line
        for duration in durations
        for line in block(
            f"map $sent_http_content_type {_cache_variable(duration)}",
            [
                "# Pages name the files of a release, and are asked for every time.",
                "~^text/html -1;",
                f"default {duration};",
            ],
        )
    ]


def _redirect(target: RedirectTarget) -> list[str]:
    return [f"return {target.code} {target.to}{'$request_uri' if target.keep_path else ''};"]


def _files(target: StaticTarget) -> list[str]:
    return [
        f"root {target.directory};",
        choice.NO_MEMORY,
        f"try_files $uri $uri/ {target.fallback or '=404'};",
        f"expires {_cache_variable(target.cache) if target.cache else '-1'};",
        "# Hidden files are of those who made the others (.git, .env).",
        *block(r"location ~ /\.(?!well-known/)", ["return 404;"]),
    ]


def _proxied(
    site: Site,
    route: Route,
    target: ServiceTarget | AddressTarget,
    endpoints: Endpoints,
    capabilities: Capabilities,
) -> list[str]:
    """Return what hands a route's requests to its upstream, path unchanged."""
    raw = "" if capabilities.keepalive_min_timeout else draining.RAW
    connection = (
        ["proxy_set_header Upgrade $http_upgrade;", "proxy_set_header Connection $composeops_connection;"]
        if route.websocket
        else ['proxy_set_header Connection "";']
    )
    return [
        f"proxy_pass http://{_upstream_of(target, endpoints)}{raw};",
        "include composeops/live/snippets/proxy.conf;",
        *connection,
        f"proxy_connect_timeout {route.connect_timeout}s;",
        f"proxy_send_timeout {route.send_timeout}s;",
        f"proxy_read_timeout {route.read_timeout}s;",
        *(f"proxy_hide_header {name};" for name in response_headers.replaced(site, route)),
    ]


def _upstream_of(target: ServiceTarget | AddressTarget, endpoints: Endpoints) -> str:
    if isinstance(target, ServiceTarget) and any(endpoints[target]):
        return f"{target.upstream}-{choice.colour_variable(target.stack)}"
    return target.upstream


def _cache_variable(duration: str) -> str:
    return f"$composeops_cache_{duration}"
