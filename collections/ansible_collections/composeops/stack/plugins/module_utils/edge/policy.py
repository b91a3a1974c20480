# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What holds for every site: TLS, compression, connections, and variables that all of them use."""

from __future__ import annotations

from ansible_collections.composeops.stack.plugins.module_utils.edge import choice, draining, response_headers
from ansible_collections.composeops.stack.plugins.module_utils.edge.block import block
from ansible_collections.composeops.stack.plugins.module_utils.edge.capabilities import Capabilities
from ansible_collections.composeops.stack.plugins.module_utils.edge.settings import MODERN, Settings

GROUPS = "X25519:prime256v1:secp384r1"

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


def lines(capabilities: Capabilities, settings: Settings) -> list[str]:
    """Return the settings for the versions that were found."""
    return [
        *_tls(capabilities, settings),
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
        *(_brotli() if settings.brotli else []),
        "",
        "# Room for the variables of stacks with long names.",
        "variables_hash_bucket_size 256;",
        "variables_hash_max_size 4096;",
        "",
        "# Without an upgrade the header stays empty: that keeps connections to the services open for reuse.",
        *block("map $http_upgrade $composeops_connection", ["default upgrade;", "''      '';"]),
        "",
        *response_headers.of_host(),
        "",
        *choice.MEMORY,
        "",
        *choice.CLIENT,
    ]


def _tls(capabilities: Capabilities, settings: Settings) -> list[str]:
    versions = (
        ["ssl_protocols TLSv1.3;"]
        if settings.tls_policy == MODERN
        else ["ssl_protocols TLSv1.2 TLSv1.3;", "ssl_ciphers " + ":".join(CIPHERS) + ";"]
    )
    return [
        f"# Mozilla {settings.tls_policy} 6.0. Set here and not in the sites: a handshake begins before the site is",
        "# known, so nginx takes these from the default server of the port.",
        *versions,
        "ssl_prefer_server_ciphers off;",
        f"ssl_ecdh_curve {'X25519MLKEM768:' if capabilities.post_quantum else ''}{GROUPS};",
        "ssl_session_timeout 1d;",
        "ssl_session_cache shared:composeops:10m;",
        "# Ticket keys live as long as nginx; whoever gets one could read every recorded TLS 1.2 session.",
        "ssl_session_tickets off;",
        "# No OCSP stapling: certificates no longer name a responder.",
    ]


def _brotli() -> list[str]:
    return [
        "# Preferred where a client takes both: the module comes before gzip in nginx's chain.",
        "brotli on;",
        "brotli_min_length 1024;",
        "brotli_types " + " ".join(COMPRESSED_TYPES) + ";",
    ]
