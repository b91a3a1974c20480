# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The dynamic configuration of Traefik as text: the same sites and endpoints as for nginx in, file name to content out.

``sites.yml`` has what leads from names and paths to services. Each stack has a file of its own with these services
and the release that answers, because a release rewrites that one (``release/traefik_file.py``).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.composeops.stack.plugins.module_utils.edge.answers import RedirectTarget
from ansible_collections.composeops.stack.plugins.module_utils.edge.balancing import (
    ADDRESS,
    HASH,
    LEAST_CONNECTIONS,
    Balancing,
)
from ansible_collections.composeops.stack.plugins.module_utils.edge.locations import Endpoints
from ansible_collections.composeops.stack.plugins.module_utils.edge.model import (
    AddressTarget,
    Route,
    ServiceTarget,
    Site,
    service_targets,
)
from ansible_collections.composeops.stack.plugins.module_utils.edge.policy import COMPRESSED_TYPES
from ansible_collections.composeops.stack.plugins.module_utils.edge.settings import INTERMEDIATE, MODERN
from ansible_collections.composeops.stack.plugins.module_utils.edge.traefik import guards, refusals
from ansible_collections.composeops.stack.plugins.module_utils.release import traefik_file
from ansible_collections.composeops.stack.plugins.module_utils.release.traefik_file import Choice

SITES = "sites.yml"
RESOLVER = "composeops"
"""The one that the static configuration has."""
HSTS_SECONDS = 63072000
IDLE = "4s"
"""Below the 5 s after which Node.js and Uvicorn close idle connections, so that no request meets a closing one."""
NOTHING = "noop@internal"
NOSNIFF = ("X-Content-Type-Options", "nosniff")
FAIL_TIMEOUT = 10
"""Seconds, as nginx has it."""
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
    tls_policy: str = INTERMEDIATE


def render(sites: Sequence[Site], host: Host) -> dict[str, str]:
    """Return every file of the directory that Traefik watches."""
    refusals.check(sites)
    files = {SITES: traefik_file.file(SITES, _sites(sites, host), "Names and paths. Written by composeops.")}
    for stack in sorted({*(target.stack for target in service_targets(sites)), *host.choices}):
        http = _stack(stack, sites, host.endpoints)
        files[traefik_file.name(stack)] = traefik_file.render(stack, host.choices.get(stack, Choice()), http)
    return files


def _sites(sites: Sequence[Site], host: Host) -> dict[str, Any]:
    http: dict[str, Any] = {"middlewares": _shared_middlewares()}
    for site in sites:
        http["middlewares"][f"{site.name}-headers"] = {"headers": _headers(site, hsts=site.name in host.hsts)}
        answering = [*([COMPRESS] if site.compress else []), RETRY]
        for number, route in enumerate(site.routes, start=1):
            name = f"{site.name}-{number}"
            guarding = guards.middlewares(site, route, name)
            http["middlewares"].update(guarding)
            if route.headers:
                http["middlewares"][f"{name}-headers"] = {"headers": {"customResponseHeaders": dict(route.headers)}}
            if isinstance(route.target, RedirectTarget):
                http["middlewares"][f"{name}-redirect"] = _redirect(route.target)
                guarding = {f"{name}-redirect": {}}
            router = {
                "rule": f"({_hosts(site)}) && PathPrefix(`{route.path}`)",
                # As nginx has it: the longest path wins.
                "priority": len(route.path),
                "service": _service_name(route),
                # The first speaks last, so that a route's header takes the place of the site's.
                "middlewares": [
                    *([f"{name}-headers"] if route.headers else []),
                    f"{site.name}-headers",
                    *guarding,
                    *answering,
                ],
            }
            secure = {"certResolver": RESOLVER, "domains": [_domain(site)]}
            _add(http, "routers", name, {**router, "entryPoints": ["websecure"], "tls": secure})
            if not site.redirect_to_https:
                _add(http, "routers", f"{name}-plain", {**router, "entryPoints": ["web"]})
            if isinstance(route.target, AddressTarget):
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
    return {"http": http, "tls": {"options": {"default": _tls(host.tls_policy)}}}


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
    return {
        "loadBalancer": {
            "servers": [{"url": f"http://{address}"} for address in addresses],
            **_strategy(routes[0].balancing),
            "serversTransport": transport,
        }
    }


def _strategy(balance: Balancing) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if balance.method == LEAST_CONNECTIONS:
        # The less busy of two that are drawn, which is Traefik's answer to least connections.
        found["strategy"] = "p2c"
    if balance.method == HASH and balance.hash_by == ADDRESS:
        found["strategy"] = "hrw"
    if balance.max_fails:
        found["passiveHealthCheck"] = {
            "maxFailedAttempts": balance.max_fails,
            "failureWindow": f"{balance.fail_timeout or FAIL_TIMEOUT}s",
        }
    return found


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
    return NOTHING if not isinstance(route.target, ServiceTarget | AddressTarget) else route.target.upstream


def _redirect(target: RedirectTarget) -> dict[str, Any]:
    # One regular expression that takes every address apart. Traefik keeps the method of what is no GET in any case.
    return {
        "redirectRegex": {
            "regex": "^https?://[^/]+(.*)$",
            "replacement": target.to + ("${1}" if target.keep_path else ""),
            "permanent": target.code in (301, 308),
        }
    }


def _hosts(site: Site) -> str:
    return " || ".join(f"Host(`{name}`)" for name in site.names)


def _domain(site: Site) -> dict[str, Any]:
    return {"main": site.name, **({"sans": list(site.aliases)} if site.aliases else {})}


def _headers(site: Site, *, hsts: bool) -> dict[str, Any]:
    # Of nginx's defaults, the one that has one value only: Traefik would replace what a service says in the others.
    careful = [NOSNIFF] if NOSNIFF[0].lower() not in {name.lower() for name, _ in site.headers} else []
    return {
        "customResponseHeaders": dict([*careful, *site.headers]),
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


def _tls(policy: str) -> dict[str, Any]:
    """Return Mozilla's profile. Names that no site has get no certificate to look at."""
    return {
        **(
            {"minVersion": "VersionTLS13"}
            if policy == MODERN
            else {"minVersion": "VersionTLS12", "cipherSuites": list(CIPHERS)}
        ),
        "curvePreferences": list(CURVES),
        "sniStrict": True,
    }


def _add(http: dict[str, Any], kind: str, name: str, definition: Mapping[str, Any]) -> None:
    http.setdefault(kind, {})[name] = dict(definition)
