"""Who is compared, and what is required of ours. Pure."""

from __future__ import annotations

from dataclasses import dataclass

SITE = "edge.bench.example.com"
OURS = "ours"
LEAST = 0.95
"""Of the requests/s through a minimal configuration, what ours must not fall below."""


@dataclass(frozen=True)
class Contestant:
    """One proxy in front of the same backend, with the same certificate, on a port of its own of the same host."""

    name: str
    title: str
    port: int
    required: float | None = None
    """The least ratio of our requests/s to its, where the project requires one."""

    @property
    def url(self) -> str:
        return f"https://{SITE}:{self.port}/api/pets"


CONTESTANTS = (
    Contestant(OURS, "composeops.stack, a stack in two colours", 443),
    Contestant("minimal", "nginx by hand, `proxy_pass` alone", 8443, required=LEAST),
    Contestant("minimal-keepalive", "nginx by hand, keep-alive to the backend", 9443, required=LEAST),
    Contestant("traefik", "Traefik by hand", 10443),
)
