# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Declared checks: what is asked, and what must be answered.

The same declaration gates a release, is asserted by `verify` and feeds the monitor, so it says nothing about who asks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from ansible_collections.composeops.stack.plugins.module_utils.checks.observation import Observation

TcpState = Literal["open", "closed"]


@dataclass(frozen=True)
class Expectation:
    """What an HTTP answer must be; what is not said may be anything."""

    status: tuple[int, ...] = (200,)
    body: str = ""
    """Text that the body contains."""
    headers: Mapping[str, str] = field(default_factory=dict)
    json: Mapping[str, str] = field(default_factory=dict)
    """Members of a JSON body, nested ones with dots, such as ``database.status``."""
    max_seconds: float = 0
    """Longest time an answer may take; 0 is the check's own time-out."""


@dataclass(frozen=True)
class TcpExpectation:
    """Whether something may answer on a port."""

    state: TcpState = "open"


@dataclass(frozen=True)
class Common:
    """What every check has."""

    name: str
    timeout: float = 10
    attempts: int = 3
    interval: float = 1


@dataclass(frozen=True)
class HttpCheck(Common):
    """A request is answered as expected."""

    type: ClassVar[str] = "http"
    url: str = ""
    connect_to: str = ""
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    expect: Expectation = field(default_factory=Expectation)

    @property
    def target(self) -> str:
        return self.url


@dataclass(frozen=True)
class WebsocketCheck(Common):
    """A WebSocket opens and sends back the text it was sent."""

    type: ClassVar[str] = "websocket"
    url: str = ""
    connect_to: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    message: str = "composeops"

    @property
    def target(self) -> str:
        return self.url


@dataclass(frozen=True)
class TcpCheck(Common):
    """A port accepts connections, or does not."""

    type: ClassVar[str] = "tcp"
    host: str = ""
    port: int = 0
    expect: TcpExpectation = field(default_factory=TcpExpectation)

    @property
    def target(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass(frozen=True)
class CertificateCheck(Common):
    """A served certificate is trusted, is for the name, and lasts."""

    type: ClassVar[str] = "certificate"
    host: str = ""
    port: int = 443
    connect_to: str = ""
    names: tuple[str, ...] = ()
    """Names the certificate must have beside ``host``."""
    min_days: float | None = None
    """``None``: 14, or a sixth of its life where that is less."""

    @property
    def target(self) -> str:
        return self.host if self.port == 443 else f"{self.host}:{self.port}"  # noqa: PLR2004 (HTTPS)


@dataclass(frozen=True)
class PostgresCheck(Common):
    """A stack's PostgreSQL answers a query."""

    type: ClassVar[str] = "postgres"
    stack: str = ""
    service: str = ""
    user: str = ""
    database: str = ""
    password_secret: str = ""
    """Name of the stack's secret to log in with over the network, as applications do; empty asks the local socket."""
    query: str = "SELECT 1"

    @property
    def target(self) -> str:
        return f"{self.stack}/{self.service} {self.database}"


@dataclass(frozen=True)
class RedisCheck(Common):
    """A stack's Redis answers a ping."""

    type: ClassVar[str] = "redis"
    stack: str = ""
    service: str = ""
    password_secret: str = ""

    @property
    def target(self) -> str:
        return f"{self.stack}/{self.service}"


@dataclass(frozen=True)
class MongoCheck(Common):
    """A stack's MongoDB answers a ping, and knows a user where one is declared."""

    type: ClassVar[str] = "mongo"
    stack: str = ""
    service: str = ""
    user: str = ""
    """Of the database ``admin``, which is where the image makes users."""
    password_secret: str = ""

    @property
    def target(self) -> str:
        return f"{self.stack}/{self.service}"


@dataclass(frozen=True)
class LogCheck(Common):
    """The containers of a service, or of a whole stack, have not written lines of a kind of late."""

    type: ClassVar[str] = "log"
    stack: str = ""
    service: str = ""
    pattern: str = r"\b(ERROR|CRITICAL)\b"
    """A regular expression that is searched for in each line."""
    window: str = "5m"
    """How far back is looked."""
    most: int = 0
    """So many lines are still well."""

    @property
    def target(self) -> str:
        return f"{self.stack}/{self.service or 'all services'}"


@dataclass(frozen=True)
class ContainerCheck(Common):
    """The containers of a service, or of a whole stack, run and are healthy where they have a health check."""

    type: ClassVar[str] = "container"
    stack: str = ""
    service: str = ""

    @property
    def target(self) -> str:
        return f"{self.stack}/{self.service or 'all services'}"


@dataclass(frozen=True)
class BackupAgeCheck(Common):
    """The newest committed backup of a source is not too old."""

    type: ClassVar[str] = "backup_age"
    source: str = ""
    max_age: str = "26h"

    @property
    def target(self) -> str:
        return self.source


@dataclass(frozen=True)
class VerifiedAgeCheck(Common):
    """A backup of a source was restored and compared not too long ago, and the newest was not found damaged since."""

    type: ClassVar[str] = "verified_age"
    source: str = ""
    max_age: str = "8d"

    @property
    def target(self) -> str:
        return self.source


@dataclass(frozen=True)
class WalLagCheck(Common):
    """The store is not too far behind a server whose log is sent to it."""

    type: ClassVar[str] = "wal_lag"
    source: str = ""
    max_age: str = "60s"

    @property
    def target(self) -> str:
        return self.source


@dataclass(frozen=True)
class ExposureCheck(Common):
    """Of the ports that could answer, only the allowed ones do, seen from where the check runs."""

    type: ClassVar[str] = "exposure"
    host: str = ""
    ports: tuple[int, ...] = ()
    allowed: tuple[int, ...] = ()

    @property
    def target(self) -> str:
        return self.host


@dataclass(frozen=True)
class UnitsCheck(Common):
    """No unit of systemd has failed."""

    type: ClassVar[str] = "units"
    units: tuple[str, ...] = ()
    """Those that are looked at; all where none is named."""

    @property
    def target(self) -> str:
        return ", ".join(self.units) or "all units"


@dataclass(frozen=True)
class RebootCheck(Common):
    """No update waits for a reboot, or not for long."""

    type: ClassVar[str] = "reboot"
    max_age: str = "7d"

    @property
    def target(self) -> str:
        return "this host"


Check = (
    HttpCheck
    | WebsocketCheck
    | TcpCheck
    | CertificateCheck
    | PostgresCheck
    | RedisCheck
    | MongoCheck
    | LogCheck
    | ContainerCheck
    | BackupAgeCheck
    | VerifiedAgeCheck
    | WalLagCheck
    | ExposureCheck
    | UnitsCheck
    | RebootCheck
)

CHECKS: Mapping[str, type[Check]] = {
    kind.type: kind
    for kind in (
        HttpCheck,
        WebsocketCheck,
        TcpCheck,
        CertificateCheck,
        PostgresCheck,
        RedisCheck,
        MongoCheck,
        LogCheck,
        ContainerCheck,
        BackupAgeCheck,
        VerifiedAgeCheck,
        WalLagCheck,
        ExposureCheck,
        UnitsCheck,
        RebootCheck,
    )
}

REQUIRED: Mapping[str, tuple[str, ...]] = {
    "http": ("url",),
    "websocket": ("url",),
    "tcp": ("host", "port"),
    "certificate": ("host",),
    "postgres": ("stack", "service", "user", "database"),
    "redis": ("stack", "service"),
    "mongo": ("stack", "service"),
    "log": ("stack",),
    "container": ("stack",),
    "backup_age": ("source",),
    "verified_age": ("source",),
    "wal_lag": ("source",),
    "exposure": ("host", "ports", "allowed"),
    "units": (),
    "reboot": (),
}


@dataclass(frozen=True)
class Verdict:
    """What an observation means for a check."""

    ok: bool
    observed: str
    """A few words for a table: what was seen."""
    reason: str = ""
    """Why it is not as expected."""
    remedy: str = ""
    """What to do next."""


@dataclass(frozen=True)
class Result:
    """A check that was carried out."""

    check: Check
    verdict: Verdict
    observation: Observation
    seconds: float
    attempts: int

    @property
    def ok(self) -> bool:
        return self.verdict.ok
