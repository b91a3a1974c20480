# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What an operator chooses for the whole of nginx, beside its sites."""

from __future__ import annotations

from dataclasses import dataclass

from ansible_collections.composeops.stack.plugins.module_utils.edge.capabilities import Capabilities
from ansible_collections.composeops.stack.plugins.module_utils.errors import InvalidInput

INTERMEDIATE, MODERN = "intermediate", "modern"
TLS_POLICIES = (INTERMEDIATE, MODERN)
"""Mozilla's profiles; modern is TLS 1.3 alone."""
_LAST_PORT = 65535


@dataclass(frozen=True)
class Settings:
    """One value for all sites: TLS and what listens are decided before the site is known."""

    tls_policy: str = INTERMEDIATE
    http3: bool = False
    brotli: bool = False
    status_port: int = 0
    """Port on 127.0.0.1 with nginx's counters, for an exporter; 0 for none."""


def check(settings: Settings, capabilities: Capabilities) -> None:
    """Raise for what was asked of an nginx that does not have it."""
    version = ".".join(map(str, capabilities.nginx))
    if settings.http3 and not capabilities.http3:
        raise InvalidInput(
            f"http3: nginx {version} of this host was built without HTTP/3.",
            "Set edge_http3: false for it. Debian 13 is the first whose nginx has it.",
        )
    if settings.brotli and not capabilities.brotli:
        raise InvalidInput(
            "brotli: nginx on this host has no module for brotli.",
            "Set edge_brotli, with which the role edge installs libnginx-mod-http-brotli-filter.",
        )
    if not 0 <= settings.status_port <= _LAST_PORT or settings.status_port in (80, 443):
        raise InvalidInput(f"status_port: {settings.status_port} is no free port.", "Write 0, or one like 8081.")
