# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The dynamic configuration of Traefik as text: the same sites and endpoints as for nginx in, file name to content out.

``sites.yml`` has what leads from names and paths to services. Each stack has a file of its own with these services
and the release that answers, because a release rewrites that one (``release/traefik_file.py``).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.composeops.stack.plugins.module_utils.edge.model import (
    LEAST_CONNECTIONS,
    MAX_BODY_SIZE,
    Route,
    ServiceTarget,
    Site,
    service_targets,
)
from ansible_collections.composeops.stack.plugins.module_utils.edge.render import COMPRESSED_TYPES, Endpoints
from ansible_collections.composeops.stack.plugins.module_utils.errors import InvalidInput
from ansible_collections.composeops.stack.plugins.module_utils.release import traefik_file
from ansible_collections.composeops.stack.plugins.module_utils.release.traefik_file import Choice

SITES = "sites.yml"
RESOLVER = "composeops"
"""The one that the static configuration has."""
HSTS_SECONDS = 63072000
IDLE = "4s"
"""Below the 5 s after which Node.js and Uvicorn close idle connections, so that no request meets a closing one."""
NOTHING = "noop@internal"
REDIRECT, COMPRESS, RETRY = "composeops-redirect", "composeops-compress", "composeops-retry"

CIPHERS = (
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
)
CURVES = ("X25519MLKEM768", "X25519", "CurveP256", "CurveP384")


@dataclass(frozen=True)
class Host:
    """What of the host the text depends on."""

    endpoints: Endpoints
    choices: Mapping[str, Choice] = field(default_factory=dict)
    """Stack to the release that it has chosen; those that are routed no more keep theirs."""
    hsts: Collection[str] = ()
    """Sites whose visitors are told to insist on HTTPS."""


def check(sites: Iterable[Site]) -> None:
    """Raise for what Traefik has nothing for, before it is silently left out."""
    for site in sites:
        if site.snippet:
            raise InvalidInput(
                f"edge_sites: site {site.name} has a snippet, which is nginx's language; the edge is Traefik.",
                "Use headers and routes, or set edge_proxy: nginx.",
            )
        if site.client_max_body_size != MAX_BODY_SIZE:
            raise InvalidInput(
                f"edge_sites: site {site.name} sets client_max_body_size, which Traefik can only keep by holding back"
                " whole requests and answers.",
                "Remove it and let the application limit what it takes, or set edge_proxy: nginx.",
            )


def render(sites: Sequence[Site], host: Host) -> dict[str, str]:
    """Return every file of the directory that Traefik watches."""
    check(sites)
    files = {SITES: traefik_file.file(SITES, _sites(sites, host), "Names and paths. Written by composeops.")}
    for stack in sorted({*(target.stack for target in service_targets(sites)), *host.choices}):
        http = _stack(stack, sites, host.endpoints)
        files[traefik_file.name(stack)] = traefik_file.render(stack, host.choices.get(stack, Choice()), http)
    return files


def _sites(sites: Sequence[Site], host: Host) -> dict[str, Any]:
    http: dict[str, Any] = {"middlewares": _shared_middlewares()}
    for site in sites:
        own = _headers(site, hsts=site.name in host.hsts)
        chain = [COMPRESS, RETRY]
        if own:
            http["middlewares"][f"{site.name}-headers"] = {"headers": own}
            chain = [f"{site.name}-headers", *chain]
        for number, route in enumerate(site.routes, start=1):
            name = f"{site.name}-{number}"
            if route.headers:
                http["middlewares"][f"{name}-headers"] = {"headers": {"customResponseHeaders": dict(route.headers)}}
            router = {
                "rule": f"({_hosts(site)}) && PathPrefix(`{route.path}`)",
                # As nginx has it: the longest path wins.
                "priority": len(route.path),
                "service": _service_name(route),
                # The first speaks last, so that a route's header takes the place of the site's.
                "middlewares": [f"{name}-headers", *chain] if route.headers else chain,
            }
            secure = {"certResolver": RESOLVER, "domains": [_domain(site)]}
            _add(http, "routers", name, {**router, "entryPoints": ["websecure"], "tls": secure})
            if not site.redirect_to_https:
                _add(http, "routers", f"{name}-plain", {**router, "entryPoints": ["web"]})
            if not isinstance(route.target, ServiceTarget):
                _add(
                    http,
                    "services",
                    _service_name(route),
                    _balanced(route.target.addresses, [route], _transport([route])),
                )
                _add(http, "serversTransports", _transport([route]), _transport_of([route]))
        if site.redirect_to_https:
            redirect = {"rule": _hosts(site), "middlewares": [REDIRECT], "service": NOTHING, "entryPoints": ["web"]}
            _add(http, "routers", f"{site.name}-redirect", redirect)
    return {"http": http, "tls": {"options": {"default": _tls()}}}


def _stack(stack: str, sites: Sequence[Site], endpoints: Endpoints) -> dict[str, Any]:
    """Return the services of a stack; which colour answers is chosen when the file is rendered."""
    http: dict[str, Any] = {}
    for target in service_targets(sites):
        if target.stack != stack:
            continue
        routes = [route for site in sites for route in site.routes if route.target == target]
        transport = _transport(routes)
        _add(http, "serversTransports", transport, _transport_of(routes))
        places = endpoints[target] or {"": ()}
        for colour, addresses in places.items():
            _add(http, "services", target.upstream_in(colour), _balanced(addresses, routes, transport))
        coloured = sorted(colour for colour in places if colour)
        if coloured:
            members = [{"name": target.upstream_in(colour), "weight": 0} for colour in coloured]
            _add(http, "services", target.upstream, {"weighted": {"services": members}})
    return http


def _balanced(addresses: Sequence[str], routes: Sequence[Route], transport: str) -> dict[str, Any]:
    least = routes[0].balance == LEAST_CONNECTIONS
    return {
        "loadBalancer": {
            "servers": [{"url": f"http://{address}"} for address in addresses],
            # The less busy of two that are drawn, which is Traefik's answer to least connections.
            **({"strategy": "p2c"} if least else {}),
            "serversTransport": transport,
        }
    }


def _transport(routes: Sequence[Route]) -> str:
    """Return the name of the time-outs: a service has one set of them, so the longest of its routes count."""
    return f"{_service_name(routes[0])}-timeouts"


def _transport_of(routes: Sequence[Route]) -> dict[str, Any]:
    return {
        "forwardingTimeouts": {
            "dialTimeout": f"{max(route.connect_timeout for route in routes)}s",
            "responseHeaderTimeout": f"{max(route.read_timeout for route in routes)}s",
            "idleConnTimeout": IDLE,
        }
    }


def _service_name(route: Route) -> str:
    return route.target.upstream


def _hosts(site: Site) -> str:
    return " || ".join(f"Host(`{name}`)" for name in site.names)


def _domain(site: Site) -> dict[str, Any]:
    return {"main": site.name, **({"sans": list(site.aliases)} if site.aliases else {})}


def _headers(site: Site, *, hsts: bool) -> dict[str, Any]:
    return {
        **({"customResponseHeaders": dict(site.headers)} if site.headers else {}),
        **({"stsSeconds": HSTS_SECONDS, "stsIncludeSubdomains": True} if hsts else {}),
    }


def _shared_middlewares() -> dict[str, Any]:
    return {
        REDIRECT: {"redirectScheme": {"scheme": "https", "permanent": True}},
        COMPRESS: {
            "compress": {
                "includedContentTypes": ["text/html", *COMPRESSED_TYPES],
                "minResponseBodyBytes": 1024,
                "encodings": ["gzip"],
            }
        },
        # Of a server that does not take the connection; a request that was sent is not sent again.
        RETRY: {"retry": {"attempts": 3}},
    }


def _tls() -> dict[str, Any]:
    """Return Mozilla's intermediate profile. Names that no site has get no certificate to look at."""
    return {
        "minVersion": "VersionTLS12",
        "cipherSuites": list(CIPHERS),
        "curvePreferences": list(CURVES),
        "sniStrict": True,
    }


def _add(http: dict[str, Any], kind: str, name: str, definition: Mapping[str, Any]) -> None:
    http.setdefault(kind, {})[name] = dict(definition)
