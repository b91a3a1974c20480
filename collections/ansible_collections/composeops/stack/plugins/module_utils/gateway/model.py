# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""An API gateway as it is declared: routes, limits, circuit breakers, CORS and keys, checked and typed; pure."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.composeops.stack.plugins.module_utils.errors import InvalidInput

PERIODS = ("second", "minute")
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
KEY_HEADER = "apikey"

_NAME = re.compile(r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")
_PATH = re.compile(r"^/[A-Za-z0-9._~/-]*$")
_SECRET = re.compile(r"^[A-Z][A-Z0-9_]*$")
_ORIGIN = re.compile(r"^https?://[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:\d{1,5})?$")
_HEADER = re.compile(r"^[A-Za-z0-9-]+$")
_MAX_PORT = 65535
_REMEDY = "docs/gateway.md lists what can be declared."


@dataclass(frozen=True)
class RateLimit:
    """How many requests of one client a service takes; each instance of the gateway counts by itself."""

    requests: int
    per: str = "second"


@dataclass(frozen=True)
class CircuitBreaker:
    """After so many failures an instance gets no requests for so many seconds; without any instance left it is 503."""

    failures: int = 3
    seconds: int = 10


@dataclass(frozen=True)
class Service:
    """A service behind the gateway: its name in the compose file, where it listens, and what leads to it."""

    name: str
    port: int
    paths: tuple[str, ...]
    key_required: bool = False
    rate_limit: RateLimit | None = None
    circuit_breaker: CircuitBreaker = CircuitBreaker()
    health_path: str = "/health"
    """What an instance is asked to find out whether it can get requests again."""
    connect_timeout: int = 1
    read_timeout: int = 60


@dataclass(frozen=True)
class Cors:
    """Which pages of other origins may use the services."""

    origins: tuple[str, ...]
    methods: tuple[str, ...] = METHODS
    headers: tuple[str, ...] = ("Accept", "Authorization", "Content-Type", KEY_HEADER)
    credentials: bool = False
    max_age: int = 3600


@dataclass(frozen=True)
class Consumer:
    """Who may use services that want a key, and the stack's secret that is this key."""

    name: str
    secret: str

    @property
    def mark(self) -> str:
        """What stands for the key until the gateway starts: a declaration travels and is logged, a key is not."""
        return f"@{self.secret}@"


@dataclass(frozen=True)
class Gateway:
    """Everything that one gateway does."""

    services: tuple[Service, ...]
    cors: Cors | None = None
    consumers: tuple[Consumer, ...] = ()
    trusted_proxies: tuple[str, ...] = ()
    """Networks from which X-Forwarded-For is believed."""


def parse(declared: Mapping[str, Any]) -> Gateway:
    """Return the declared gateway, or raise naming the first value that cannot be right."""
    entry = _Entry(declared, "The gateway", ("services", "cors", "consumers", "trusted_proxies"))
    gateway = Gateway(
        services=tuple(_service(item, number) for number, item in enumerate(entry.items("services"), 1)),
        cors=_cors(entry.value["cors"]) if entry.given("cors") else None,
        consumers=tuple(_consumer(item, number) for number, item in enumerate(entry.items("consumers"), 1)),
        trusted_proxies=tuple(_network(item) for item in entry.items("trusted_proxies")),
    )
    if not gateway.services:
        raise InvalidInput("The gateway has no services.", "Declare at least one.")
    _once("service", (service.name for service in gateway.services))
    _once("path", (path for service in gateway.services for path in service.paths))
    _once("consumer", (consumer.name for consumer in gateway.consumers))
    _once("secret", (consumer.secret for consumer in gateway.consumers))
    locked = [service.name for service in gateway.services if service.key_required]
    if locked and not gateway.consumers:
        raise InvalidInput(
            f"The gateway wants a key for {locked[0]}, and no consumer has one.", "Declare at least one consumer."
        )
    return gateway


class _Entry:
    """One mapping of the declaration, whose keys are all known; ``where`` begins its messages."""

    def __init__(self, value: Any, where: str, known: Iterable[str]) -> None:
        if not isinstance(value, Mapping):
            raise InvalidInput(f"{where} is not a mapping.", _REMEDY)
        unknown = sorted(set(value) - set(known))
        if unknown:
            raise InvalidInput(f"{where} has {unknown[0]!r}, which is unknown.", f"It may have {', '.join(known)}.")
        self.value = value
        self.where = where

    def given(self, key: str) -> bool:
        return self.value.get(key) is not None

    def text(self, key: str, shape: re.Pattern[str], looks: str, default: str | None = None) -> str:
        found = self.value.get(key, default)
        if not isinstance(found, str) or not shape.match(found):
            raise InvalidInput(f"{self.where}: {key} is {found!r}.", f"Write {looks}.")
        return found

    def choice(self, key: str, choices: tuple[str, ...], default: str) -> str:
        found = self.value.get(key, default)
        if found not in choices:
            raise InvalidInput(f"{self.where}: {key} is {found!r}.", f"Write {' or '.join(choices)}.")
        return str(found)

    def number(self, key: str, default: int | None = None, *, most: int = 2**31 - 1) -> int:
        found = self.value.get(key, default)
        if isinstance(found, bool) or not isinstance(found, int) or not 1 <= found <= most:
            raise InvalidInput(f"{self.where}: {key} is {found!r}.", f"Write a whole number from 1 to {most}.")
        return found

    def boolean(self, key: str) -> bool:
        found = self.value.get(key, False)
        if not isinstance(found, bool):
            raise InvalidInput(f"{self.where}: {key} is {found!r}.", "Write true or false.")
        return found

    def items(self, key: str, default: Iterable[Any] = ()) -> list[Any]:
        found = self.value.get(key)
        if found is None:
            return list(default)
        if isinstance(found, str) or not isinstance(found, (list, tuple)):
            raise InvalidInput(f"{self.where}: {key} is not a list.", _REMEDY)
        return list(found)

    def texts(self, key: str, fits: Callable[[str], bool], looks: str, default: Iterable[str] = ()) -> tuple[str, ...]:
        found = self.items(key, default)
        for item in found:
            if not isinstance(item, str) or not fits(item):
                raise InvalidInput(f"{self.where}: {key} has {item!r}.", f"Write {looks}.")
        return tuple(found)


def _service(item: Any, number: int) -> Service:
    known = (
        *("name", "port", "paths", "authentication", "rate_limit", "circuit_breaker"),
        *("health_path", "connect_timeout", "read_timeout"),
    )
    name = item.get("name") if isinstance(item, Mapping) else None
    entry = _Entry(item, f"The gateway's service {name or number}", known)
    paths = entry.texts("paths", lambda path: bool(_PATH.match(path)), "path prefixes like /api/media/")
    if not paths:
        raise InvalidInput(f"{entry.where} has no paths.", "Declare at least one prefix, like /api/media/.")
    return Service(
        name=entry.text("name", _NAME, "the name of a service of the compose file, in lower case"),
        port=entry.number("port", most=_MAX_PORT),
        paths=paths,
        key_required=entry.choice("authentication", ("none", "key"), "none") == "key",
        rate_limit=_rate_limit(entry),
        circuit_breaker=_circuit_breaker(entry),
        health_path=entry.text("health_path", _PATH, "a path like /health", Service.health_path),
        connect_timeout=entry.number("connect_timeout", Service.connect_timeout),
        read_timeout=entry.number("read_timeout", Service.read_timeout),
    )


def _rate_limit(service: _Entry) -> RateLimit | None:
    if not service.given("rate_limit"):
        return None
    entry = _Entry(service.value["rate_limit"], f"{service.where}, rate_limit", ("requests", "per"))
    return RateLimit(entry.number("requests"), entry.choice("per", PERIODS, PERIODS[0]))


def _circuit_breaker(service: _Entry) -> CircuitBreaker:
    if not service.given("circuit_breaker"):
        return CircuitBreaker()
    entry = _Entry(service.value["circuit_breaker"], f"{service.where}, circuit_breaker", ("failures", "seconds"))
    return CircuitBreaker(
        entry.number("failures", CircuitBreaker.failures), entry.number("seconds", CircuitBreaker.seconds)
    )


def _cors(item: Any) -> Cors:
    entry = _Entry(item, "The gateway's cors", ("origins", "methods", "headers", "credentials", "max_age"))
    origins = entry.texts(
        "origins", lambda origin: bool(_ORIGIN.match(origin)), "origins like https://www.example.com, without a path"
    )
    if not origins:
        raise InvalidInput("The gateway's cors has no origins.", "Name the pages that may use the services.")
    return Cors(
        origins=origins,
        methods=entry.texts("methods", METHODS.__contains__, f"methods among {', '.join(METHODS)}", METHODS),
        headers=entry.texts("headers", lambda name: bool(_HEADER.match(name)), "names of headers", Cors.headers),
        credentials=entry.boolean("credentials"),
        max_age=entry.number("max_age", Cors.max_age),
    )


def _consumer(item: Any, number: int) -> Consumer:
    name = item.get("name") if isinstance(item, Mapping) else None
    entry = _Entry(item, f"The gateway's consumer {name or number}", ("name", "secret"))
    return Consumer(
        entry.text("name", _NAME, "a name in lower case"),
        entry.text("secret", _SECRET, "the name of a secret of the stack, like GATEWAY_KEY_PARTNER"),
    )


def _network(item: Any) -> str:
    try:
        return str(ipaddress.ip_network(item))
    except ValueError:
        raise InvalidInput(
            f"The gateway: trusted_proxies has {item!r}.", "Write networks like 172.16.0.0/12."
        ) from None


def _once(kind: str, values: Iterable[str]) -> None:
    seen: set[str] = set()
    for value in values:
        if value in seen:
            raise InvalidInput(f"The gateway has the {kind} {value} twice.", "Keep one of them.")
        seen.add(value)
