# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The same gateway as nginx reads it (1.27.3 or newer); pure.

It is for places without Kong. What differs: a limit is a bucket that refills steadily and not a window of time, and an
instance that was left alone gets a request again, where Kong asks for its health first.
"""

from __future__ import annotations

from collections.abc import Iterable

from ansible_collections.composeops.stack.plugins.module_utils.edge.block import block
from ansible_collections.composeops.stack.plugins.module_utils.gateway.model import (
    KEY_HEADER,
    Consumer,
    Cors,
    Gateway,
    RateLimit,
    Service,
)

PORT, STATUS_PORT = 8000, 8002
RUN = "/run/gateway"
"""A directory in memory that nginx may write to."""
_OPEN = f"unix:{RUN}/open.sock"
UNAVAILABLE = "no instance of the service is available"
_LETTER = {"second": "s", "minute": "m"}


def configuration(gateway: Gateway) -> str:
    """Return the content of nginx.conf."""
    http = [
        *COMMON,
        "",
        *(f"set_real_ip_from {network};" for network in gateway.trusted_proxies),
        *(["real_ip_header X-Forwarded-For;"] if gateway.trusted_proxies else []),
        "",
        *_keys(gateway.consumers),
        *(_origins(gateway.cors) if gateway.cors else []),
        *(line for service in gateway.services for line in _upstream(service)),
        *_server(gateway),
        *OPEN_CIRCUIT,
        *STATUS,
    ]
    return "\n".join([*HEAD, *block("http", http)]) + "\n"


def _keys(consumers: Iterable[Consumer]) -> list[str]:
    """Return the map from a key to who it belongs to."""
    return [
        *block(
            f"map $http_{KEY_HEADER} $consumer", ["default '';", *(f'"{each.mark}" {each.name};' for each in consumers)]
        ),
        *block(f"map $http_{KEY_HEADER} $key_problem", ["default Unauthorized;", "'' 'No API key found in request';"]),
        "",
    ]


def _origins(cors: Cors) -> list[str]:
    """Return the maps from the origin of a page to what it is allowed; nginx leaves out a header that is empty."""
    return [
        *block(
            "map $http_origin $cors_origin", ["default '';", *(f'"{origin}" $http_origin;' for origin in cors.origins)]
        ),
        *block(
            'map "$request_method $http_access_control_request_method" $preflight',
            ["default '';", '"~^OPTIONS ." 1;'],
        ),
        *_allowed("methods", ", ".join(cors.methods)),
        *_allowed("headers", ", ".join(cors.headers)),
        *_allowed("age", str(cors.max_age)),
        *block(
            "map $cors_origin $cors_credentials", ["default true;", "'' '';"] if cors.credentials else ["default '';"]
        ),
        "",
    ]


def _allowed(name: str, value: str) -> list[str]:
    """Return the map to what only a preflight of an allowed origin is told."""
    return block(f'map "$preflight$cors_origin" $cors_{name}', ["default '';", f'"~^1." "{value}";'])


def _upstream(service: Service) -> list[str]:
    breaker = service.circuit_breaker
    lines = [
        f"zone {service.name} 64k;",
        "least_conn;",
        f"server {service.name}:{service.port} resolve max_fails={breaker.failures} fail_timeout={breaker.seconds}s;",
        "# When no instance is left.",
        f"server {_OPEN} backup;",
        "keepalive 32;",
    ]
    limit = service.rate_limit
    return [
        *([f"limit_req_zone $binary_remote_addr zone=limit-{service.name}:2m rate={_rate(limit)};"] if limit else []),
        *block(f"upstream {service.name}", lines),
        "",
    ]


def _rate(limit: RateLimit) -> str:
    return f"{limit.requests}r/{_LETTER[limit.per]}"


def _server(gateway: Gateway) -> list[str]:
    routed = {path for service in gateway.services for path in service.paths}
    locations = [
        line
        for service in gateway.services
        for path in service.paths
        for line in ["", *_location(service, path, gateway)]
    ]
    return [
        *block(
            "server",
            [
                f"listen {PORT};",
                *(CORS_HEADERS if gateway.cors else []),
                "error_page 429 @limited;",
                *block("location @limited", [_message(429, "API rate limit exceeded")]),
                "# When the last instance went while a request was looking for one.",
                "error_page 502 = @unavailable;",
                *block("location @unavailable", [_message(503, UNAVAILABLE)]),
                *([] if "/" in routed else block("location /", [_message(404, "no Route matched with those values")])),
                *locations,
            ],
        ),
        "",
    ]


def _location(service: Service, path: str, gateway: Gateway) -> list[str]:
    limit = service.rate_limit
    return block(
        f"location {path}",
        [
            *(block("if ($preflight)", ["return 204;"]) if gateway.cors else []),
            *(
                block("if ($consumer = '')", ["""return 401 '{"message":"$key_problem"}';"""])
                if service.key_required
                else []
            ),
            *([f"limit_req zone=limit-{service.name} burst={limit.requests} nodelay;"] if limit else []),
            f"proxy_connect_timeout {service.connect_timeout}s;",
            f"proxy_read_timeout {service.read_timeout}s;",
            f"proxy_send_timeout {service.read_timeout}s;",
            f"proxy_pass http://{service.name};",
        ],
    )


def _message(status: int, message: str) -> str:
    return f"""return {status} '{{"message":"{message}"}}';"""


HEAD = (
    "# Written by composeops: the gateway of the inventory, for nginx.",
    "worker_processes 2;",
    "error_log /dev/stderr notice;",
    f"pid {RUN}/nginx.pid;",
    "",
    "events {",
    "    worker_connections 4096;",
    "}",
    "",
)

COMMON = (
    "default_type application/json;",
    "server_tokens off;",
    "access_log off;",
    *(f"{kind}_temp_path {RUN}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")),
    "# The edge before it has a limit for each site.",
    "client_max_body_size 0;",
    "map_hash_bucket_size 256;",
    "limit_req_status 429;",
    "",
    "# The engine's own name server; who comes and goes is seen within two seconds.",
    "resolver 127.0.0.11 valid=2s ipv6=off;",
    "resolver_timeout 2s;",
    "",
    "proxy_http_version 1.1;",
    "# A refused connection, no answer in time, or the word of a proxy that its service is away: another instance.",
    "proxy_next_upstream error timeout http_502 http_503 http_504;",
    "proxy_set_header Host $host;",
    "proxy_set_header X-Real-IP $remote_addr;",
    "proxy_set_header X-Forwarded-For $remote_addr;",
    "proxy_set_header X-Forwarded-Proto $http_x_forwarded_proto;",
    "proxy_set_header X-Consumer-Username $consumer;",
    "# The key is between the client and the gateway.",
    f'proxy_set_header {KEY_HEADER} "";',
    "proxy_set_header Upgrade $http_upgrade;",
    "proxy_set_header Connection $upgrade_or_keep;",
    *block("map $http_upgrade $upgrade_or_keep", ["default upgrade;", "'' '';"]),
)

CORS_HEADERS = (
    "add_header Access-Control-Allow-Origin $cors_origin always;",
    "add_header Access-Control-Allow-Credentials $cors_credentials always;",
    "add_header Access-Control-Allow-Methods $cors_methods always;",
    "add_header Access-Control-Allow-Headers $cors_headers always;",
    "add_header Access-Control-Max-Age $cors_age always;",
    "add_header Vary Origin always;",
)

OPEN_CIRCUIT = (
    *block("server", [f"listen {_OPEN};", _message(503, UNAVAILABLE)]),
    "",
)

STATUS = tuple(block("server", [f"listen {STATUS_PORT};", *block("location = /status", ["stub_status;"])]))
