# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Sites, routes and upstreams: what an operator declares in ``edge_sites``, checked and typed."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.composeops.stack.plugins.module_utils.edge import answers, balancing, guards
from ansible_collections.composeops.stack.plugins.module_utils.edge.answers import RedirectTarget, StaticTarget
from ansible_collections.composeops.stack.plugins.module_utils.edge.balancing import Balancing
from ansible_collections.composeops.stack.plugins.module_utils.edge.guards import Guard, Maintenance
from ansible_collections.composeops.stack.plugins.module_utils.errors import InvalidInput

CONNECT_TIMEOUT = 5
TRANSFER_TIMEOUT = 60
WEBSOCKET_TIMEOUT = 3600
"""Seconds a WebSocket may be silent; nginx would cut it after 60."""
MAX_BODY_SIZE = "10m"

_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_HOST_NAME = re.compile(rf"^(?=.{{1,253}}$){_LABEL}(\.{_LABEL})+$")
_WORD = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")
_PATH = re.compile(r"^/[A-Za-z0-9._~!*+,=:@%/-]*$")
_SIZE = re.compile(r"^\d+[kKmMgG]?$")
_ADDRESS = re.compile(r"^(?P<v4>[0-9.]+|\[(?P<v6>[0-9A-Fa-f:.]+)\]):(?P<port>\d{1,5})$")
_HEADER_NAME = re.compile(r"^[A-Za-z0-9-]+$")
_MAX_PORT = 65535


@dataclass(frozen=True)
class ServiceTarget:
    """A routed service of a stack; where it listens is known on the host only, after its deployment."""

    stack: str
    service: str
    port: int

    @property
    def upstream(self) -> str:
        return f"{self.stack}-{self.service}-{self.port}"

    def upstream_in(self, colour: str) -> str:
        """Return the name of its upstream in a colour, or in place."""
        return f"{self.upstream}-{colour}" if colour else self.upstream

    def __str__(self) -> str:
        return f"{self.stack}/{self.service}:{self.port}"


@dataclass(frozen=True)
class AddressTarget:
    """Servers given by address, for what no stack on this host provides."""

    upstream: str
    addresses: tuple[str, ...]

    def __str__(self) -> str:
        return ", ".join(self.addresses)


Target = ServiceTarget | AddressTarget | StaticTarget | RedirectTarget


@dataclass(frozen=True)
class Route:
    """A path prefix of a site and what answers it."""

    path: str
    target: Target
    websocket: bool = False
    balancing: Balancing = field(default_factory=Balancing)
    connect_timeout: int = CONNECT_TIMEOUT
    send_timeout: int = TRANSFER_TIMEOUT
    read_timeout: int = TRANSFER_TIMEOUT
    headers: tuple[tuple[str, str], ...] = ()
    """Sent in place of what the service says in headers of these names, and of the site's."""
    guard: Guard = field(default_factory=Guard)
    """In place of the site's, as far as it says something."""


@dataclass(frozen=True)
class Site:
    """One virtual host with all its names."""

    name: str
    routes: tuple[Route, ...]
    aliases: tuple[str, ...] = ()
    redirect_to_https: bool = True
    client_max_body_size: str = MAX_BODY_SIZE
    headers: tuple[tuple[str, str], ...] = ()
    snippet: str = ""
    compress: bool = True
    guard: Guard = field(default_factory=Guard)
    maintenance: Maintenance | None = None

    @property
    def names(self) -> tuple[str, ...]:
        return (self.name, *self.aliases)


def parse_sites(declared: Iterable[Mapping[str, Any]]) -> tuple[Site, ...]:
    """Return the declared sites, or raise naming the first site and value that cannot be served."""
    sites = tuple(_site(entry) for entry in declared)
    owners: dict[str, str] = {}
    for site in sites:
        for name in site.names:
            if name in owners:
                raise InvalidInput(
                    f"edge_sites: {name} is a name of site {owners[name]} and again of site {site.name}.",
                    "Give every name to one site.",
                )
            owners[name] = site.name
    balances(sites)
    return sites


def balances(sites: Iterable[Site]) -> dict[ServiceTarget, Balancing]:
    """Return how each service is balanced; its routes share its upstream, so they have to agree."""
    found: dict[ServiceTarget, tuple[Balancing, str]] = {}
    for site in sites:
        for route in site.routes:
            if not isinstance(route.target, ServiceTarget):
                continue
            where = f"site {site.name}, route {route.path}"
            other, first = found.setdefault(route.target, (route.balancing, where))
            if other != route.balancing:
                raise InvalidInput(
                    f"edge_sites: {where} balances {route.target} by {route.balancing}, and {first} by {other}.",
                    "Give the same balance to every route of one port of a service.",
                )
    return {target: other for target, (other, _) in found.items()}


def service_targets(sites: Iterable[Site]) -> tuple[ServiceTarget, ...]:
    """Return each service that some route of ``sites`` leads to, once, sorted."""
    targets = {route.target for site in sites for route in site.routes if isinstance(route.target, ServiceTarget)}
    return tuple(sorted(targets, key=lambda target: (target.stack, target.service, target.port)))


def check_host_name(name: str, where: str) -> str:
    """Return ``name`` when a certificate authority could validate it over HTTP; raise otherwise."""
    if not _HOST_NAME.match(name):
        raise InvalidInput(
            f"{where}: {name!r} is not a full host name in lower case.",
            "Write it like app.example.com; addresses and single labels cannot be certified, and a wildcard is an alias"
            " of a site.",
        )
    return name


def is_wildcard(name: str) -> bool:
    """Whether ``name`` stands for all names one label below another."""
    return name.startswith("*.")


def check_alias(name: str, where: str) -> str:
    """Return ``name`` when it is a host name, or a wildcard below one; raise otherwise."""
    check_host_name(name.removeprefix("*."), where)
    return name


def _site(entry: Mapping[str, Any]) -> Site:
    name = check_host_name(str(entry["name"]), "edge_sites")
    where = f"edge_sites: site {name}"
    routes = tuple(_route(route, number, name) for number, route in enumerate(entry.get("routes") or [], start=1))
    if not routes:
        raise InvalidInput(f"{where} has no routes.", "Declare at least one, usually for path /.")
    paths = [route.path for route in routes]
    repeated = sorted({path for path in paths if paths.count(path) > 1})
    if repeated:
        raise InvalidInput(f"{where} routes {repeated[0]} more than once.", "Keep one route for each path.")
    return Site(
        name=name,
        aliases=tuple(check_alias(str(alias), f"{where}, aliases") for alias in entry.get("aliases") or []),
        routes=routes,
        redirect_to_https=entry.get("redirect_to_https") is not False,
        client_max_body_size=_size(str(entry.get("client_max_body_size") or MAX_BODY_SIZE), where),
        headers=_headers(entry, where),
        snippet=str(entry.get("snippet") or "").strip("\n"),
        compress=entry.get("compress") is not False,
        guard=guards.parse(entry, where),
        maintenance=guards.maintenance(entry, where),
    )


def _route(entry: Mapping[str, Any], number: int, site: str) -> Route:
    path = str(entry.get("path") or "")
    where = f"edge_sites: site {site}, route {path or number}"
    if not _PATH.match(path):
        raise InvalidInput(f"{where}: path {path!r} cannot be routed.", "Write a path prefix like / or /api/.")
    if path.startswith("/.well-known/acme-challenge"):
        raise InvalidInput(
            f"{where}: the certificate authority's challenges are answered there.", "Route another path."
        )
    websocket = bool(entry.get("websocket"))
    transfer = WEBSOCKET_TIMEOUT if websocket else TRANSFER_TIMEOUT
    return Route(
        path=path,
        target=_target(entry, f"{site}-route-{number}", where),
        websocket=websocket,
        balancing=balancing.parse(entry, where),
        connect_timeout=_seconds(entry, "connect_timeout", CONNECT_TIMEOUT, where),
        send_timeout=_seconds(entry, "send_timeout", transfer, where),
        read_timeout=_seconds(entry, "read_timeout", transfer, where),
        headers=_headers(entry, where),
        guard=guards.parse(entry, where),
    )


def _target(entry: Mapping[str, Any], upstream: str, where: str) -> Target:
    of_stack = [key for key in ("stack", "service", "port") if entry.get(key) is not None]
    others = [key for key in ("upstream", "static", "redirect") if entry.get(key)]
    if len(others) > 1 or (others and of_stack) or (not others and len(of_stack) != len(("stack", "service", "port"))):
        raise InvalidInput(
            f"{where} must name either stack, service and port, or upstream with a list of addresses, or static, or "
            f"redirect; it has {', '.join([*of_stack, *others]) or 'neither'}."
        )
    if entry.get("upstream"):
        return AddressTarget(upstream, tuple(_address(str(address), where) for address in entry["upstream"]))
    if entry.get("static"):
        return answers.static(entry["static"], where)
    if entry.get("redirect"):
        return answers.redirect(entry["redirect"], where)
    for key in ("stack", "service"):
        if not _WORD.match(str(entry[key])):
            raise InvalidInput(f"{where}: {key} {entry[key]!r} is not a name that compose allows.")
    return ServiceTarget(str(entry["stack"]), str(entry["service"]), _port(entry["port"], where))


def _address(address: str, where: str) -> str:
    """Return ``address`` when it is an IP address and a port.

    Names are refused: nginx resolves them when it starts, and one that does not resolve keeps every site down.
    """
    matched = _ADDRESS.match(address)
    if not matched or not _is_ip(matched["v6"] or matched["v4"]):
        raise InvalidInput(
            f"{where}: upstream {address!r} is not an IP address and a port.", "Write it like 10.0.0.5:8080."
        )
    _port(matched["port"], where)
    return address


def _is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _port(value: Any, where: str) -> int:
    port = int(value)
    if not 1 <= port <= _MAX_PORT:
        raise InvalidInput(f"{where}: {port} is not a port (1 to {_MAX_PORT}).")
    return port


def _seconds(entry: Mapping[str, Any], key: str, default: int, where: str) -> int:
    value = default if entry.get(key) is None else int(entry[key])
    if value < 1:
        raise InvalidInput(f"{where}: {key} is {value}; it must be at least 1 second.")
    return value


def _size(value: str, where: str) -> str:
    if not _SIZE.match(value):
        raise InvalidInput(f"{where}: client_max_body_size {value!r} is not a size.", "Write it like 10m or 512k.")
    return value


def _headers(entry: Mapping[str, Any], where: str) -> tuple[tuple[str, str], ...]:
    return tuple(_header(str(key), str(value), where) for key, value in (entry.get("headers") or {}).items())


def _header(name: str, value: str, where: str) -> tuple[str, str]:
    if not _HEADER_NAME.match(name):
        raise InvalidInput(f"{where}: {name!r} is not the name of an HTTP header.")
    if name.lower() == "strict-transport-security":
        raise InvalidInput(
            f"{where}: Strict-Transport-Security is sent by the option hsts, and only with a trusted certificate.",
            "Remove it from headers and set hsts.",
        )
    if any(character in value for character in '\r\n"\\$'):
        raise InvalidInput(f"{where}: the value of header {name} holds a quote, backslash, $ or line break.")
    return name, value
