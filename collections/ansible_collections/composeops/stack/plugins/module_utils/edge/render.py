# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The nginx configuration of a host as text: sites and endpoints in, relative path to content out.

It is rendered on the host, in Python, and not from a template on the controller: the text depends on the versions of
nginx and OpenSSL, on IPv6 and on the host ports of the stacks, which only the host knows, and hosts have no Jinja2.
Each function returns the lines of one thing; ``block`` gives them braces and indentation.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from ansible_collections.composeops.stack.plugins.module_utils.edge import choice, draining
from ansible_collections.composeops.stack.plugins.module_utils.edge.block import block
from ansible_collections.composeops.stack.plugins.module_utils.edge.capabilities import Capabilities
from ansible_collections.composeops.stack.plugins.module_utils.edge.model import (
    LEAST_CONNECTIONS,
    ROUND_ROBIN,
    AddressTarget,
    Route,
    ServiceTarget,
    Site,
    balances,
    service_targets,
)

TLS_DIRECTORY = "/etc/nginx/composeops/tls"
WEBROOT = "/var/www/composeops-acme"
STATUS_HOST = "composeops.invalid"
"""Names the server that tells this host, and nobody else, what nginx has loaded; .invalid never resolves (RFC 2606)."""

DRAINING = "snippets/draining.conf"
"""In the tree where nginx cannot spare idle connections by itself."""

HEADER = "# Written by composeops.stack.nginx_sites; a change made here is undone by its next run."

Endpoints = Mapping[ServiceTarget, Mapping[str, Sequence[str]]]
"""Each service target with the addresses (host:port) where this host reaches it, by colour; in place, that is empty."""


def render(
    sites: Sequence[Site], endpoints: Endpoints, capabilities: Capabilities, *, webroot: str = WEBROOT
) -> dict[str, str]:
    """Return the whole tree below ``/etc/nginx/composeops/live``."""
    tree = {
        "policy.conf": _file("What holds for every site.", policy(capabilities)),
        "default.conf": _file("What answers names that no site has.", default_servers(capabilities)),
        "snippets/proxy.conf": _file("Included by every proxied location.", PROXY),
    }
    if not capabilities.keepalive_min_timeout:
        tree[DRAINING] = _file("What closes connections with their answers before a reload.", draining.of_server())
    targets = service_targets(sites)
    balance = balances(sites)
    for stack in sorted({target.stack for target in targets}):
        blocks = [
            upstream(target.upstream_in(colour), addresses, balance[target])
            for target in targets
            if target.stack == stack
            for colour, addresses in (endpoints[target] or {"": ()}).items()
        ]
        coloured = _coloured(stack, endpoints)
        if coloured:
            tree[f"snippets/colour-{stack}.conf"] = _file(
                f"Which release of stack {stack} serves.", choice.of_request(stack)
            )
            tree[f"canary-{stack}.conf"] = _file(
                f"What a canary of stack {stack} gets, and how it is measured.", choice.of_host(stack, coloured)
            )
        tree[f"upstreams/{stack}.conf"] = _file(
            f"Where the routed services of stack {stack} listen; a release changes nothing here.",
            [
                "# keepalive_timeout is below the 5 s after which Node.js and Uvicorn close idle connections: were",
                "# they first, a request would meet a closing connection.",
                "",
                *_spaced(blocks),
            ],
        )
    for site in sites:
        tree[f"sites/{site.name}.conf"] = _file(
            f"Site {site.name}.", site_servers(site, endpoints, capabilities, webroot)
        )
    return tree


def policy(capabilities: Capabilities) -> list[str]:
    """Return TLS, compression and connection settings: Mozilla's intermediate profile, for the versions found."""
    groups = "X25519:prime256v1:secp384r1"
    return [
        "# Mozilla intermediate 6.0. Set here and not in the sites: a handshake begins before the site is known, so",
        "# nginx takes these from the default server of the port.",
        "ssl_protocols TLSv1.2 TLSv1.3;",
        "ssl_ciphers " + ":".join(CIPHERS) + ";",
        "ssl_prefer_server_ciphers off;",
        f"ssl_ecdh_curve {'X25519MLKEM768:' if capabilities.post_quantum else ''}{groups};",
        "ssl_session_timeout 1d;",
        "ssl_session_cache shared:composeops:10m;",
        "# Ticket keys live as long as nginx; whoever gets one could read every recorded TLS 1.2 session.",
        "ssl_session_tickets off;",
        "# No OCSP stapling: certificates no longer name a responder.",
        *(["http2 on;"] if capabilities.http2_directive else []),
        *(
            [
                "",
                "# A reload closes idle connections only after this long, so that a request under way still arrives.",
                "keepalive_min_timeout 5s;",
            ]
            if capabilities.keepalive_min_timeout
            else ["", *draining.POLICY]
        ),
        "",
        "# Room for host names longer than the default's.",
        "server_names_hash_bucket_size 128;",
        "",
        "gzip on;",
        "gzip_vary on;",
        "gzip_proxied any;",
        "gzip_min_length 1024;",
        "gzip_types " + " ".join(COMPRESSED_TYPES) + ";",
        "",
        "# Room for the variables of stacks with long names.",
        "variables_hash_bucket_size 256;",
        "variables_hash_max_size 4096;",
        "",
        "# Without an upgrade the header stays empty: that keeps connections to the services open for reuse.",
        *block("map $http_upgrade $composeops_connection", ["default upgrade;", "''      '';"]),
        "",
        *choice.CLIENT,
    ]


def default_servers(capabilities: Capabilities) -> list[str]:
    """Return the servers that answer unknown names, and the status that only this host may read."""
    unknown = [
        *_listen(80, capabilities, parameters="default_server"),
        "server_name _;",
        "# Closes the connection without an answer.",
        "return 444;",
    ]
    unknown_secure = [
        *_listen(443, capabilities, parameters="ssl default_server"),
        "server_name _;",
        "# Refuses the handshake, so that no certificate tells which sites live here.",
        "ssl_reject_handshake on;",
    ]
    status = [
        *_listen(80, capabilities),
        f"server_name {STATUS_HOST};",
        "access_log off;",
        *block(
            "location = /status",
            [
                "allow 127.0.0.1;",
                "allow ::1;",
                "deny all;",
                "stub_status;",
                "# What is loaded, which can be older than what is on disk.",
                "add_header X-Composeops-Generation $composeops_generation always;",
            ],
        ),
        *block("location /", ["return 444;"]),
    ]
    return _spaced([block("server", unknown), block("server", unknown_secure), block("server", status)])


def _coloured(stack: str, endpoints: Endpoints) -> list[str]:
    """Return the upstreams of a stack that are in a colour."""
    own = [(target, colour) for target, places in endpoints.items() if target.stack == stack for colour in places]
    return sorted(target.upstream_in(colour) for target, colour in own if colour)


def upstream(name: str, addresses: Sequence[str], balance: str = ROUND_ROBIN) -> list[str]:
    """Return one group of servers with connections kept open to them.

    They stay open for less than the 5 s after which Node.js and Uvicorn close idle ones: were the service first, a
    request would meet a closing connection.
    """
    return block(
        f"upstream {name}",
        [
            *(LEAST_BUSY.format(name=name).splitlines() if balance == LEAST_CONNECTIONS else []),
            *(f"server {address};" for address in addresses),
            *([] if addresses else ["# known after the first deployment"]),
            "keepalive 32;",
            "keepalive_timeout 4s;",
        ],
    )


def site_servers(site: Site, endpoints: Endpoints, capabilities: Capabilities, webroot: str) -> list[str]:
    """Return the upstreams that only this site has, its HTTP server and its HTTPS server."""
    own = [
        upstream(route.target.upstream, route.target.addresses, route.balance)
        for route in site.routes
        if isinstance(route.target, AddressTarget)
    ]
    return _spaced(
        [*own, _plain_server(site, endpoints, capabilities, webroot), _secure_server(site, endpoints, capabilities)]
    )


def _plain_server(site: Site, endpoints: Endpoints, capabilities: Capabilities, webroot: str) -> list[str]:
    challenge = block(
        "location ^~ /.well-known/acme-challenge/",
        [f"root {webroot};", "default_type text/plain;", "try_files $uri =404;"],
    )
    redirect = block("location /", ["return 301 https://$host$request_uri;"])
    return block(
        "server",
        [
            *_listen(80, capabilities),
            f"server_name {' '.join(site.names)};",
            "",
            "# Not redirected: the certificate authority asks here while no trusted certificate serves yet.",
            *challenge,
            "",
            *(redirect if site.redirect_to_https else _answered(site, endpoints, capabilities)),
            *_draining(capabilities),
        ],
    )


def _secure_server(site: Site, endpoints: Endpoints, capabilities: Capabilities) -> list[str]:
    bundle = f"{TLS_DIRECTORY}/{site.name}/current"
    hsts = f"include {bundle}/hsts.conf;"
    return block(
        "server",
        [
            *_listen(443, capabilities, parameters="ssl" if capabilities.http2_directive else "ssl http2"),
            f"server_name {' '.join(site.names)};",
            "",
            f"ssl_certificate     {bundle}/fullchain.pem;",
            f"ssl_certificate_key {bundle}/privkey.pem;",
            "# Empty unless the certificate beside it is trusted: browsers would remember HSTS and lock visitors out.",
            hsts,
            "",
            *_answered(site, endpoints, capabilities, hsts),
            *(["", "# From the site's option snippet.", *site.snippet.splitlines()] if site.snippet else []),
            *_draining(capabilities),
        ],
    )


def _draining(capabilities: Capabilities) -> list[str]:
    """Return the end of every server: what follows a rewrite is skipped, and the choice of a colour must not be."""
    return [] if capabilities.keepalive_min_timeout else ["", f"include composeops/live/{DRAINING};"]


def _answered(site: Site, endpoints: Endpoints, capabilities: Capabilities, *included: str) -> list[str]:
    stacks = sorted({route.target.stack for route in site.routes if isinstance(route.target, ServiceTarget)})
    return [
        f"client_max_body_size {site.client_max_body_size};",
        *(f'add_header {name} "{value}" always;' for name, value in site.headers),
        *(f"include composeops/live/snippets/colour-{stack}.conf;" for stack in stacks if _coloured(stack, endpoints)),
        "",
        *_spaced(location(route, endpoints, capabilities, [*included, *_added(site, route)]) for route in site.routes),
    ]


def _upstream_of(route: Route, endpoints: Endpoints) -> str:
    target = route.target
    if isinstance(target, ServiceTarget) and any(endpoints[target]):
        return f"{target.upstream}-{choice.colour_variable(target.stack)}"
    return target.upstream


def _added(site: Site, route: Route) -> list[str]:
    """Return the site's headers that a route with headers of its own has to repeat: nginx then inherits none."""
    own = {name.lower() for name, _ in route.headers}
    return [f'add_header {name} "{value}" always;' for name, value in site.headers if name.lower() not in own]


def location(
    route: Route, endpoints: Endpoints, capabilities: Capabilities, inherited: Sequence[str] = ()
) -> list[str]:
    """Return the location that hands a route's requests to its upstream, path unchanged."""
    raw = "" if capabilities.keepalive_min_timeout else draining.RAW
    connection = (
        ["proxy_set_header Upgrade $http_upgrade;", "proxy_set_header Connection $composeops_connection;"]
        if route.websocket
        else ['proxy_set_header Connection "";']
    )
    return block(
        f"location {route.path}",
        [
            f"# {route.target}",
            f"proxy_pass http://{_upstream_of(route, endpoints)}{raw};",
            "include composeops/live/snippets/proxy.conf;",
            *connection,
            f"proxy_connect_timeout {route.connect_timeout}s;",
            f"proxy_send_timeout {route.send_timeout}s;",
            f"proxy_read_timeout {route.read_timeout}s;",
            *(inherited if route.headers else []),
            *(f"proxy_hide_header {name};" for name, _ in route.headers),
            *(f'add_header {name} "{value}" always;' for name, value in route.headers),
        ],
    )


def _listen(port: int, capabilities: Capabilities, *, parameters: str = "") -> list[str]:
    suffix = f" {parameters}" if parameters else ""
    return [f"listen {port}{suffix};", *([f"listen [::]:{port}{suffix};"] if capabilities.ipv6 else [])]


def _spaced(blocks: Iterable[Sequence[str]]) -> list[str]:
    lines: list[str] = []
    for part in blocks:
        lines += ["", *part] if lines else part
    return lines


def _file(purpose: str, lines: Iterable[str]) -> str:
    return "\n".join([f"# {purpose}", HEADER, "", *lines]) + "\n"


CIPHERS = (
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-CHACHA20-POLY1305",
    "ECDHE-RSA-CHACHA20-POLY1305",
)

COMPRESSED_TYPES = (
    "application/javascript",
    "application/json",
    "application/manifest+json",
    "application/xml",
    "image/svg+xml",
    "text/css",
    "text/javascript",
    "text/plain",
    "text/xml",
)

LEAST_BUSY = """\
# Shared memory: all worker processes count the same connections, and know alike which server failed.
zone {name} 64k;
least_conn;
"""

PROXY = (
    "proxy_http_version 1.1;",
    "proxy_set_header Host $host;",
    "proxy_set_header X-Real-IP $remote_addr;",
    "# Replaced, not extended: this is the first hop that can be trusted, and what a client sends here is a claim.",
    "proxy_set_header X-Forwarded-For $remote_addr;",
    "proxy_set_header X-Forwarded-Proto $scheme;",
)
