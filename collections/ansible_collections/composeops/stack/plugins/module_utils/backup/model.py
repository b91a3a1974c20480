# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is backed up, to where, and what a backup is; nothing here touches a host, a database or a bucket."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import IntEnum
from typing import Literal

from ansible_collections.composeops.stack.plugins.module_utils.errors import InvalidInput

POSTGRES = "postgres"
REDIS = "redis"
MONGO = "mongo"
FILES = "files"
POSTGRES_CLUSTER = "postgres_cluster"
"""A whole PostgreSQL server, which can be brought back to any moment."""
POSTGRES_ALL = "postgres_all"
"""What backups are called that a source of type postgres makes of every database of its server."""
ALL = "all"
TYPES = (POSTGRES, POSTGRES_CLUSTER, REDIS, MONGO, FILES)
PORTS = {POSTGRES: 5432, POSTGRES_CLUSTER: 5432, REDIS: 6379, MONGO: 27017}
"""Where servers listen unless a source says otherwise."""

Tls = Literal["require", "prefer", "disable"]
TLS: tuple[Tls, ...] = ("require", "prefer", "disable")

CLOCK_TOLERANCE = timedelta(minutes=5)
"""How far ahead of this host's clock a backup may be dated before it is not believed."""


@dataclass(frozen=True)
class Store:
    """The bucket that backups go to, and what is needed to reach it."""

    bucket: str
    access_key: str
    secret_key: str
    endpoint: str = ""
    region: str = "us-east-1"
    ca: str = ""
    path_style: bool = True

    def __repr__(self) -> str:
        return f"Store(bucket={self.bucket!r}, endpoint={self.endpoint!r})"


@dataclass(frozen=True)
class PointInTime:
    """How the write-ahead log of a ``postgres_cluster`` goes to the store."""

    lag: str = "30s"
    """How long a write may wait before what was written is sent, however little it is."""
    spool_limit: str = "4G"
    """How much may lie on this host while the store is away; the database's own disk keeps the rest."""


@dataclass(frozen=True)
class Source:
    """Something that is backed up: a database of a stack's PostgreSQL or MongoDB, a stack's Redis, or files."""

    name: str
    type: str
    stack: str
    service: str = ""
    database: str = ""
    user: str = ""
    password_secret: str = ""
    port: int = PORTS[REDIS]
    schedule: str = "daily"
    timeout: int = 4 * 3600
    host: str = ""
    """Where a PostgreSQL is that somebody else runs; empty for one in a container of the stack."""
    image: str = ""
    """What its clients come from then."""
    tls: Tls = "require"
    """Whether they speak TLS with it."""
    paths: tuple[str, ...] = ()
    """Files and directories of the host."""
    volumes: tuple[str, ...] = ()
    """Named volumes of the stack, as its compose file calls them."""
    point_in_time: PointInTime = PointInTime()
    drill: str = "weekly"
    """How often its newest backup is restored to prove it: as ``schedule``, or never."""
    databases: str = ""
    """``all`` backs up every database of a PostgreSQL; ``database`` is then the one that it is asked in."""
    exclude: tuple[str, ...] = ()
    """Databases that are not among them."""
    heartbeat_url: str = field(default="", repr=False)
    """Who is told of each run, so that silence is heard outside of this host. Whoever knows it can speak for us."""
    drill_heartbeat_url: str = field(default="", repr=False)
    """The same for drills."""

    @property
    def kind(self) -> str:
        """What its backups are: of its type, or of every database of a server."""
        return POSTGRES_ALL if self.databases == ALL else self.type


@dataclass(frozen=True)
class Settings:
    """Everything the backups of one host are made from."""

    host: str
    store: Store
    sources: tuple[Source, ...]
    recipients: tuple[str, ...] = ()
    """Public keys of age that every backup is encrypted to; with none it is not encrypted."""
    bandwidth: int = 0
    """Bytes per second that a backup may be sent with; 0 is no limit."""

    def source(self, name: str) -> Source:
        """Return the source called ``name``; raise, naming those there are."""
        for source in self.sources:
            if source.name == name:
                return source
        known = ", ".join(source.name for source in self.sources) or "none"
        raise InvalidInput(
            f"{name} is not a backup source of this host; there are: {known}.",
            f"List it in backup_sources and run playbooks/site.yml. If it was removed on purpose, list it there "
            f"with state: absent, which also removes composeops-backup@{name}.timer.",
        )

    def chosen(self, names: tuple[str, ...]) -> tuple[Source, ...]:
        """Return the sources called ``names``, in that order; all of them where no name is given."""
        return tuple(self.source(name) for name in names) if names else self.sources


class Level(IntEnum):
    """How far a backup was proven. Only a restored one is called verified."""

    COMMITTED = 0
    """Every exit status was 0, and the manifest was written."""
    INTACT = 1
    """Its objects were downloaded, and have the sizes and checksums of the manifest."""
    READABLE = 2
    """They were decrypted, decompressed and parsed to their end."""
    RESTORED = 3
    """They were restored into a throw-away container, which then held exactly what was counted in the dump."""
    POINT_IN_TIME = 4
    """The same, at a moment after the backup."""


@dataclass(frozen=True)
class Verification:
    """One verification of a backup. ``level`` is the one that was reached, or the one that failed."""

    moment: datetime
    level: Level
    passed: bool


@dataclass(frozen=True)
class Entry:
    """A backup as the bucket lists it. It counts only when it is committed: when its manifest is there."""

    source: str
    host: str
    id: str
    created: datetime
    committed: bool
    bytes: int
    consistent: bool = True
    """Whether it is one moment of what it holds."""
    verifications: tuple[Verification, ...] = ()
    """Oldest first."""
    pinned: bool = False
    """Whether it is kept for good."""

    @property
    def failed(self) -> bool:
        """Whether the last verification found it damaged."""
        return bool(self.verifications) and not self.verifications[-1].passed

    @property
    def level(self) -> Level:
        """How far it was proven since a verification last failed."""
        level = Level.COMMITTED
        for verification in self.verifications:
            level = max(level, verification.level) if verification.passed else Level.COMMITTED
        return level

    @property
    def verified(self) -> bool:
        """Whether it was restored and compared; nothing less is called so."""
        return self.level >= Level.RESTORED

    def age(self, now: datetime) -> timedelta:
        return max(now - self.created, timedelta(0))

    def from_the_future(self, now: datetime) -> bool:
        return self.created > now + CLOCK_TOLERANCE
