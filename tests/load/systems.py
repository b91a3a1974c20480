"""The systems that load is put on: what their services are asked, by name.

A system is loaded by four kinds of request and WebSockets; those that it has no answer for are left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Target:
    """One service, by a request whose answer names the version that gave it."""

    service: str
    host: str
    path: str
    version_in_body: bool = False
    """Static files have no X-App-Version; the version is the whole body then."""


@dataclass(frozen=True)
class System:
    """What clients ask of a system, through its edge."""

    targets: tuple[Target, ...]
    """Quick reads: on kept connections and on fresh ones."""
    write: Target | None = None
    """Takes ``POST {name, species, request_id}`` and answers the id; lists and counts what it stored."""
    slow: Target | None = None
    """Takes five seconds to answer."""
    socket: Target | None = None
    """A WebSocket that says its version first and then echoes."""

    @property
    def hosts(self) -> frozenset[str]:
        """Every virtual host that requests on kept connections go to."""
        asked = [*self.targets, *([self.write] if self.write else [])]
        return frozenset(target.host for target in asked)


PETCARE = System(
    targets=(
        Target("backend", "app.petcare.com", "/api/version"),
        Target("frontend", "app.petcare.com", "/version.txt", version_in_body=True),
        Target("mobile-backend", "mobile-api.petcare.com", "/version"),
        Target("customer-portal", "customer.petcare.com", "/version"),
    ),
    write=Target("backend", "app.petcare.com", "/api/pets"),
    slow=Target("backend", "app.petcare.com", "/api/slow?seconds=5"),
    socket=Target("mobile-backend", "mobile-api.petcare.com", "/ws?hello=1"),
)

INTEGRATED = System(
    targets=(
        Target("backend", "integrated.example.com", "/api/version"),
        Target("frontend", "integrated.example.com", "/version.txt", version_in_body=True),
    ),
    write=Target("backend", "integrated.example.com", "/api/pets"),
    slow=Target("backend", "integrated.example.com", "/api/slow?seconds=5"),
    socket=Target("backend", "integrated.example.com", "/ws?hello=1"),
)

# Payments and administration want a key, which these clients have not.
ZVIEWER = System(
    targets=(
        Target("main-server", "api.zviewer.com", "/api/version"),
        Target("media-service", "api.zviewer.com", "/api/media/version"),
        Target("comments-service", "api.zviewer.com", "/api/comments/version"),
    ),
    write=Target("main-server", "api.zviewer.com", "/api/pets"),
    slow=Target("main-server", "api.zviewer.com", "/api/slow?seconds=5"),
    socket=Target("main-server", "api.zviewer.com", "/api/ws?hello=1"),
)

# One container answers all of it, frontend and backend each at a port of its own.
REFLEXAPP = System(
    targets=(Target("app", "www.jackcwf.com", "/version"),),
    write=Target("app", "www.jackcwf.com", "/pets"),
    slow=Target("app", "www.jackcwf.com", "/slow?seconds=5"),
    socket=Target("app", "www.jackcwf.com", "/_event?hello=1"),
)

# Its documents are written by the tests themselves: they are no pets.
SAGACITY = System(
    targets=(
        Target("backend", "sagacity.example.com", "/api/version"),
        Target("frontend", "sagacity.example.com", "/version.txt", version_in_body=True),
    ),
    slow=Target("backend", "sagacity.example.com", "/api/slow?seconds=5"),
    socket=Target("backend", "sagacity.example.com", "/api/ws?hello=1"),
)

SYSTEMS: Mapping[str, System] = {
    "petcare": PETCARE,
    "integrated": INTEGRATED,
    "zviewer": ZVIEWER,
    "reflexapp": REFLEXAPP,
    "sagacity": SAGACITY,
}
"""By the name of their inventory."""
