# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The nginx configuration of a host as text: sites and endpoints in, relative path to content out.

It is rendered on the host, in Python, and not from a template on the controller: the text depends on the versions of
nginx and OpenSSL, on IPv6 and on the host ports of the stacks, which only the host knows, and hosts have no Jinja2.
Each function returns the lines of one thing; ``block`` gives them braces and indentation.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ansible_collections.composeops.stack.plugins.module_utils.edge import (
    balancing,
    choice,
    draining,
    locations,
    policy,
    protection,
    response_headers,
)
from ansible_collections.composeops.stack.plugins.module_utils.edge.balancing import Balancing
from ansible_collections.composeops.stack.plugins.module_utils.edge.block import block
from ansible_collections.composeops.stack.plugins.module_utils.edge.capabilities import Capabilities
from ansible_collections.composeops.stack.plugins.module_utils.edge.locations import Endpoints
from ansible_collections.composeops.stack.plugins.module_utils.edge.model import (
    AddressTarget,
    ServiceTarget,
    Site,
    balances,
    service_targets,
)
from ansible_collections.composeops.stack.plugins.module_utils.edge.settings import Settings

TLS_DIRECTORY = "/etc/nginx/composeops/tls"
WEBROOT = "/var/www/composeops-acme"
STATUS_HOST = "composeops.invalid"
"""Names the server that tells this host, and nobody else, what nginx has loaded; .invalid never resolves (RFC 2606)."""

DEFAULT_SETTINGS = Settings()
IN_TURN = Balancing()

DRAINING = "snippets/draining.conf"
"""In the tree where nginx cannot spare idle connections by itself."""

HEADER = "# Written by composeops.stack.nginx_sites; a change made here is undone by its next run."


def render(
    sites: Sequence[Site],
    endpoints: Endpoints,
    capabilities: Capabilities,
    settings: Settings = DEFAULT_SETTINGS,
    *,
    webroot: str = WEBROOT,
) -> dict[str, str]:
    """Return the whole tree below ``/etc/nginx/composeops/live``."""
    tree = {
        "policy.conf": _file("What holds for every site.", policy.lines(capabilities, settings)),
        "default.conf": _file("What answers names that no site has.", default_servers(capabilities, settings)),
        "snippets/proxy.conf": _file("Included by every proxied location.", PROXY),
    }
    if not capabilities.keepalive_min_timeout:
        tree[DRAINING] = _file(
            "What closes connections with their answers before a reload.", draining.of_server(choice.SPECIAL)
        )
    caches = locations.caches(sites)
    if caches:
        tree["static.conf"] = _file("How long browsers keep files.", caches)
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
            tree[f"snippets/canary-{stack}.conf"] = _file(
                f"Which release of stack {stack} serves while a canary runs.", choice.of_canary(stack)
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
            f"Site {site.name}.", site_servers(site, endpoints, capabilities, settings, webroot)
        )
    return {**tree, **protection.pages(sites)}


def default_servers(capabilities: Capabilities, settings: Settings) -> list[str]:
    """Return the servers that answer unknown names, and the status that only this host may read."""
    # Without reuseport, packets of a connection would reach a worker that knows nothing of it.
    quic = _listen(443, capabilities, parameters="quic reuseport default_server") if settings.http3 else []
    unknown = [
        *_listen(80, capabilities, parameters="default_server"),
        "server_name _;",
        "# Closes the connection without an answer.",
        "return 444;",
    ]
    unknown_secure = [
        *_listen(443, capabilities, parameters="ssl default_server"),
        *quic,
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
    counters = [
        "# For an exporter of metrics. The other one is for the runs that publish sites.",
        f"listen 127.0.0.1:{settings.status_port};",
        f"server_name {STATUS_HOST};",
        "access_log off;",
        *block("location = /status", ["stub_status;"]),
        *block("location /", ["return 404;"]),
    ]
    servers = [unknown, unknown_secure, status, *([counters] if settings.status_port else [])]
    return _spaced(block("server", lines) for lines in servers)


def _coloured_stacks(site: Site, endpoints: Endpoints) -> list[str]:
    """Return the stacks that a site leads to and that have a release beside the one that serves."""
    stacks = sorted({route.target.stack for route in site.routes if isinstance(route.target, ServiceTarget)})
    return [stack for stack in stacks if _coloured(stack, endpoints)]


def _coloured(stack: str, endpoints: Endpoints) -> list[str]:
    """Return the upstreams of a stack that are in a colour."""
    own = [(target, colour) for target, places in endpoints.items() if target.stack == stack for colour in places]
    return sorted(target.upstream_in(colour) for target, colour in own if colour)


def upstream(name: str, addresses: Sequence[str], balance: Balancing = IN_TURN) -> list[str]:
    """Return one group of servers with connections kept open to them.

    They stay open for less than the 5 s after which Node.js and Uvicorn close idle ones: were the service first, a
    request would meet a closing connection.
    """
    fails = "" if balance.max_fails is None else f" max_fails={balance.max_fails}"
    seconds = "" if balance.fail_timeout is None else f" fail_timeout={balance.fail_timeout}s"
    return block(
        f"upstream {name}",
        [
            *(SHARED.format(name=name).splitlines() if balance != IN_TURN else []),
            *_method(balance),
            *(f"server {address}{fails}{seconds};" for address in addresses),
            *([] if addresses else ["# known after the first deployment"]),
            "keepalive 32;",
            "keepalive_timeout 4s;",
        ],
    )


def _method(balance: Balancing) -> list[str]:
    if balance.method == balancing.HASH:
        keys = {balancing.URI: "$request_uri", balancing.ADDRESS: "$remote_addr"}
        key = keys.get(balance.hash_by, f"$cookie_{balance.cookie}")
        return [
            "# Consistent: another server takes its share of the keys and leaves the others where they were.",
            f"hash {key} consistent;",
        ]
    return ["least_conn;"] if balance.method == balancing.LEAST_CONNECTIONS else []


def site_servers(
    site: Site, endpoints: Endpoints, capabilities: Capabilities, settings: Settings, webroot: str
) -> list[str]:
    """Return what only this site has outside its servers, its HTTP server and its HTTPS server."""
    own = [
        upstream(route.target.upstream, route.target.addresses, route.balancing)
        for route in site.routes
        if isinstance(route.target, AddressTarget)
    ]
    around = protection.of_host(site)
    return _spaced(
        [
            *own,
            *([around] if around else []),
            _plain_server(site, endpoints, capabilities, settings, webroot),
            _secure_server(site, endpoints, capabilities, settings),
        ]
    )


def _plain_server(
    site: Site, endpoints: Endpoints, capabilities: Capabilities, settings: Settings, webroot: str
) -> list[str]:
    challenge = block(
        "location ^~ /.well-known/acme-challenge/",
        [
            *([] if site.redirect_to_https else protection.of_challenges(site)),
            f"root {webroot};",
            choice.NO_MEMORY,
            "default_type text/plain;",
            "try_files $uri =404;",
        ],
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
            *(redirect if site.redirect_to_https else _answered(site, endpoints, capabilities, settings)),
            *_end(site, endpoints, capabilities, answers=not site.redirect_to_https),
        ],
    )


def _secure_server(site: Site, endpoints: Endpoints, capabilities: Capabilities, settings: Settings) -> list[str]:
    bundle = f"{TLS_DIRECTORY}/{site.name}/current"
    hsts = f"include {bundle}/hsts.conf;"
    # How browsers learn of it: they come over TCP the first time.
    http3 = ["add_header Alt-Svc 'h3=\":443\"; ma=86400' always;"] if settings.http3 else []
    return block(
        "server",
        [
            *_listen(443, capabilities, parameters="ssl" if capabilities.http2_directive else "ssl http2"),
            *(_listen(443, capabilities, parameters="quic") if settings.http3 else []),
            f"server_name {' '.join(site.names)};",
            "",
            f"ssl_certificate     {bundle}/fullchain.pem;",
            f"ssl_certificate_key {bundle}/privkey.pem;",
            "# Empty unless the certificate beside it is trusted: browsers would remember HSTS and lock visitors out.",
            hsts,
            *http3,
            "",
            *_answered(site, endpoints, capabilities, settings, hsts, *http3),
            *(["", "# From the site's option snippet.", *site.snippet.splitlines()] if site.snippet else []),
            *_end(site, endpoints, capabilities),
        ],
    )


def _end(site: Site, endpoints: Endpoints, capabilities: Capabilities, *, answers: bool = True) -> list[str]:
    """Return the end of every server: what follows a rewrite is skipped, and the choice of a colour must not be."""
    coloured = _coloured_stacks(site, endpoints) if answers else []
    special = [
        "",
        "# No canary runs, and nobody is let go: nothing more to decide.",
        *block(f'if ({choice.SPECIAL} = "")', ["break;"]),
        *(f"include composeops/live/snippets/canary-{stack}.conf;" for stack in coloured),
    ]
    return [
        *([] if capabilities.keepalive_min_timeout else ["", f"include composeops/live/{DRAINING};"]),
        *(special if coloured else []),
        *([] if capabilities.keepalive_min_timeout else draining.of_request()),
    ]


def _answered(
    site: Site, endpoints: Endpoints, capabilities: Capabilities, settings: Settings, *included: str
) -> list[str]:
    coloured = _coloured_stacks(site, endpoints)
    cookies = [choice.cookie_line(stack) for stack in coloured]
    return [
        f"client_max_body_size {site.client_max_body_size};",
        *([] if site.compress else ["gzip off;", *(["brotli off;"] if settings.brotli else [])]),
        *response_headers.of_site(site),
        *protection.of_server(site),
        *([f'set {choice.SPECIAL} "";'] if coloured else []),
        *(f"include composeops/live/snippets/colour-{stack}.conf;" for stack in coloured),
        "",
        *_spaced(
            locations.of_route(
                site,
                number,
                endpoints,
                capabilities,
                [*included, *response_headers.of_site(site, without=(name for name, _ in route.headers)), *cookies],
            )
            for number, route in enumerate(site.routes, start=1)
        ),
    ]


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


SHARED = """\
# Shared memory: all worker processes count the same connections, and know alike which server failed.
zone {name} 64k;
"""

PROXY = (
    "proxy_http_version 1.1;",
    "proxy_set_header Host $host;",
    "proxy_set_header X-Real-IP $remote_addr;",
    "# Replaced, not extended: this is the first hop that can be trusted, and what a client sends here is a claim.",
    "proxy_set_header X-Forwarded-For $remote_addr;",
    "proxy_set_header X-Forwarded-Proto $scheme;",
)
