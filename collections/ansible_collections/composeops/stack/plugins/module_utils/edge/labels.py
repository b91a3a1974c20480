# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Traefik's labels in a compose file, read as sites and routes; pure.

Traefik itself never sees them: a release runs two of a service for a while, both with the same labels, and has to
decide which of them answers. What the labels say is therefore declared to the edge like any other site. What they say
beyond that is refused by its name, and nothing is left out in silence.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.composeops.stack.plugins.module_utils.errors import InvalidInput

_PREFIX = "traefik."
_PLAIN, _SECURE = {"http", "web"}, {"https", "websecure"}
_ROUTER = re.compile(r"traefik\.http\.routers\.(?P<name>[^.]+)\.(?P<option>.+)")
_SERVICE = re.compile(r"traefik\.http\.services\.(?P<name>[^.]+)\.loadbalancer\.server\.(?P<option>port|scheme)")
_MIDDLEWARE = re.compile(r"traefik\.http\.middlewares\.(?P<name>[^.]+)\.(?P<option>.+)")
_HOST = re.compile(r"Host\((?P<names>\s*`[^`]+`(?:\s*,\s*`[^`]+`)*\s*)\)")
_PATH = re.compile(r"PathPrefix\(\s*`(?P<path>[^`]+)`\s*\)")
_RESPONSE_HEADER = "headers.customresponseheaders."
_ROUTER_OPTIONS = {
    "rule",
    "service",
    "priority",
    "entrypoints",
    "middlewares",
    # Every site has TLS, with a certificate of the authority that the inventory names.
    "tls",
    "tls.certresolver",
}


@dataclass
class _Router:
    name: str
    rule: str = ""
    service: str = ""
    priority: int = 0
    entry_points: set[str] = field(default_factory=set)
    middlewares: tuple[str, ...] = ()


@dataclass
class _Labels:
    """The labels of one service, sorted."""

    service: str
    routers: dict[str, _Router] = field(default_factory=dict)
    ports: dict[str, int] = field(default_factory=dict)
    redirects: set[str] = field(default_factory=set)
    headers: dict[str, dict[str, str]] = field(default_factory=dict)
    middlewares: set[str] = field(default_factory=set)
    enabled: bool = True


@dataclass
class _Host:
    """What is said of one host name."""

    routes: dict[str, dict[str, Any]] = field(default_factory=dict)
    priorities: dict[str, int] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    plain: bool = False
    redirected: bool = False


def sites(services: Mapping[str, Mapping[str, Any]], stack: str) -> list[dict[str, Any]]:
    """Return the sites that the labels of a stack's services declare, as ``edge_sites`` takes them."""
    hosts: dict[str, _Host] = {}
    for name, definition in services.items():
        labels = _read(name, _pairs(definition.get("labels") or {}))
        if labels.enabled:
            for router in labels.routers.values():
                _add(hosts, labels, router, stack)
    found: list[dict[str, Any]] = []
    for name, host in hosts.items():
        _check(name, host)
        site = {
            "routes": list(host.routes.values()),
            "redirect_to_https": host.redirected or not host.plain,
            "headers": host.headers,
        }
        alike = next((other for other in found if {**other, "name": "", "aliases": []} == {**_NAMELESS, **site}), None)
        if alike:
            alike["aliases"].append(name)
        else:
            found.append({"name": name, "aliases": [], **site})
    return found


_NAMELESS: dict[str, Any] = {"name": "", "aliases": []}


def _pairs(labels: Mapping[str, Any] | Iterable[str]) -> dict[str, str]:
    if isinstance(labels, Mapping):
        return {str(key): _text(value) for key, value in labels.items()}
    return {key: value for key, _, value in (str(label).partition("=") for label in labels)}


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _read(service: str, pairs: Mapping[str, str]) -> _Labels:
    found = _Labels(service)
    for label, value in pairs.items():
        key = label.lower()
        if not key.startswith(_PREFIX):
            continue
        if key == "traefik.enable":
            found.enabled = value.lower() == "true"
        elif matched := _SERVICE.fullmatch(key):
            _read_service(found, matched["name"], matched["option"], value)
        elif (matched := _ROUTER.fullmatch(key)) and matched["option"] in _ROUTER_OPTIONS:
            _read_router(found.routers.setdefault(matched["name"], _Router(matched["name"])), matched["option"], value)
        elif matched := _MIDDLEWARE.fullmatch(key):
            _read_middleware(found, matched["name"], label[matched.start("option") :], value)
        else:
            raise _unknown(service, label)
    return found


def _read_service(found: _Labels, name: str, option: str, value: str) -> None:
    if option == "port":
        found.ports[name] = int(value)
    elif value != "http":
        raise _unknown(found.service, f"scheme {value} of service {name}")


def _read_router(router: _Router, option: str, value: str) -> None:
    if option == "entrypoints":
        router.entry_points = {item.strip().lower() for item in value.split(",")}
    elif option == "middlewares":
        router.middlewares = tuple(item.strip().lower() for item in value.split(","))
    elif option == "priority":
        router.priority = int(value)
    elif option in ("rule", "service"):
        setattr(router, option, value if option == "rule" else value.lower())


def _read_middleware(found: _Labels, name: str, option: str, value: str) -> None:
    lower = option.lower()
    found.middlewares.add(name)
    if lower == "redirectscheme.scheme" and value == "https":
        found.redirects.add(name)
    elif lower.startswith(_RESPONSE_HEADER):
        found.headers.setdefault(name, {})[option[len(_RESPONSE_HEADER) :]] = value
    elif lower == "redirectscheme.permanent" or (lower == "compress" and value.lower() == "true"):
        # A redirect to HTTPS is permanent, and answers are compressed, in any case.
        return
    else:
        raise _unknown(found.service, f"traefik.http.middlewares.{name}.{option}")


def _add(hosts: dict[str, _Host], labels: _Labels, router: _Router, stack: str) -> None:
    where = f"service {labels.service}, router {router.name}"
    names, path = _rule(router.rule, where)
    unknown = [name for name in router.middlewares if name not in labels.middlewares]
    if unknown:
        raise InvalidInput(f"Labels of {where}: no label says what the middleware {unknown[0]} is.")
    strange = router.entry_points - _PLAIN - _SECURE
    if strange:
        raise InvalidInput(
            f"Labels of {where}: there is no entry point {sorted(strange)[0]}.",
            "Use http (or web) for port 80, https (or websecure) for port 443.",
        )
    only_plain = bool(router.entry_points) and not router.entry_points & _SECURE
    redirects = any(name in labels.redirects for name in router.middlewares)
    for name in names:
        host = hosts.setdefault(name, _Host())
        host.plain = host.plain or bool(router.entry_points & _PLAIN and not redirects)
        host.redirected = host.redirected or redirects
        for middleware in router.middlewares:
            host.headers.update(labels.headers.get(middleware, {}))
        if only_plain:
            continue
        if path in host.routes:
            raise InvalidInput(f"Labels of {where}: {name}{path} is routed by another router already.")
        # Traefik lets every connection be upgraded.
        route = {"path": path, "stack": stack, "service": labels.service, "port": _port(labels, router, where)}
        host.routes[path] = {**route, "websocket": True}
        host.priorities[path] = router.priority


def _port(labels: _Labels, router: _Router, where: str) -> int:
    wanted = router.service or (router.name if router.name in labels.ports else "")
    if not wanted and len(labels.ports) == 1:
        return next(iter(labels.ports.values()))
    if wanted not in labels.ports:
        raise InvalidInput(
            f"Labels of {where}: no label says at which port {wanted or 'its service'} listens.",
            f"Add traefik.http.services.{wanted or router.name}.loadbalancer.server.port.",
        )
    return labels.ports[wanted]


def _rule(rule: str, where: str) -> tuple[list[str], str]:
    """Return the host names and the path prefix of a rule; raise for one that says anything else."""
    names: list[str] = []
    paths: list[str] = []
    for part in (part.strip() for part in rule.split("&&")):
        if matched := _PATH.fullmatch(part):
            paths.append(matched["path"])
            continue
        inner = part[1:-1] if part.startswith("(") and part.endswith(")") else part
        hosts = [_HOST.fullmatch(host.strip()) for host in inner.split("||")]
        if names or not all(hosts):
            raise InvalidInput(
                f"Labels of {where}: the rule {rule!r} is more than host names and a path prefix.",
                "Write it like Host(`app.example.com`) && PathPrefix(`/api`).",
            )
        names = [name for host in hosts if host for name in re.findall(r"`([^`]+)`", host["names"])]
    if not names or len(paths) > 1:
        raise InvalidInput(f"Labels of {where}: the rule {rule!r} names no host, or several paths.")
    return names, paths[0] if paths else "/"


def _check(name: str, host: _Host) -> None:
    """Raise where priorities say something else than that the longest path wins, which is what the edge does.

    A router without one has none here. Traefik would take the length of its rule, which is more than the 20 that the
    systems' own labels give to a longer path, and would send nothing there.
    """
    if not host.routes:
        raise InvalidInput(f"Labels: {name} has no router for HTTPS.", "Add one with the entry point https.")
    for short, low in host.priorities.items():
        for long, high in host.priorities.items():
            if long != short and long.startswith(short) and 0 < high <= low:
                raise InvalidInput(
                    f"Labels: {name}{long} has priority {high} and {name}{short} has {low}, so nobody would reach it.",
                    "Give the longer path the higher priority, or none to either.",
                )


def _unknown(service: str, label: str) -> InvalidInput:
    return InvalidInput(
        f"Labels of service {service}: {label} is not understood.",
        "Declare the site in edge_sites, or leave the label out.",
    )
