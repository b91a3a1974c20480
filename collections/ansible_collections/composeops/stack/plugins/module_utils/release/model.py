# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a stack is asked to be: the words of the release domain as data."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from ansible_collections.composeops.stack.plugins.module_utils.errors import InvalidInput

Condition = Literal["service_started", "service_healthy", "service_completed_successfully"]

RESERVED = frozenset(
    {"compose.json", "environment", "state.json", "previous", "previous.partial", "colours", "releases", "hold.json"}
)
"""Names in a stack's directory that its own files may not take."""

SECRET_MARK = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
"""How a rendered compose file refers to a secret; the value is in the environment file beside it."""


@dataclass(frozen=True)
class StackFile:
    """A file that lies beside the compose file, such as a configuration that a service mounts."""

    path: str
    """Relative to the directory of the compose file."""
    content: bytes
    executable: bool = False

    def __post_init__(self) -> None:
        normal = posixpath.normpath(self.path)
        if normal != self.path or normal.startswith(("/", "..")) or normal.split("/")[0] in RESERVED:
            raise InvalidInput(
                f"{self.path!r} cannot be the name of a file beside the compose file.",
                f"Use a relative path that does not begin with one of {', '.join(sorted(RESERVED))}.",
            )

    @property
    def mode(self) -> int:
        # Services of any user read their configuration; the directory above keeps the host's users out.
        return 0o755 if self.executable else 0o644


@dataclass(frozen=True)
class Routed:
    """A port of a service that the edge reaches, and nobody else.

    The rest says how a new release is asked through this port before requests go to it.
    """

    service: str
    port: int
    path: str = "/"
    status: int = 0
    """The status to answer with; 0 is any below 500."""
    version_header: str = ""
    version: str = ""
    """What the header has to say: that it is the new release that answers."""


@dataclass(frozen=True)
class Published:
    """A port of a service that is published deliberately."""

    service: str
    port: int
    host_port: int
    address: str = "127.0.0.1"
    protocol: str = "tcp"


@dataclass(frozen=True)
class HealthPolicy:
    """How long services have to become healthy: so many tries, so many seconds apart."""

    attempts: int = 30
    interval: float = 5.0

    @property
    def limit(self) -> float:
        return self.attempts * self.interval


Sticky = Literal["none", "address", "cookie"]


@dataclass(frozen=True)
class CanaryPolicy:
    """How a release is tried on a part of the requests before it gets all of them."""

    steps: tuple[int, ...] = ()
    """Percent of the requests that it gets, one step after the other; without any there is no canary."""
    hold: float = 60.0
    """Seconds that each step is held, at least."""
    requests: int = 20
    """Requests that it must have answered before a step is judged; it is held up to five times as long for them."""
    errors: float = 1.0
    """Percentage points that its share of failed requests may be above that of the release before."""
    latency: float = 1.5
    """How many times as long its answers may take, at the 95th percentile."""
    sticky: Sticky = "none"
    """Whether a client stays with the release that it met first: by its address, or by a cookie."""


@dataclass(frozen=True)
class RolloutPolicy:
    """How a release takes over from the one before; times are in seconds."""

    strategy: Literal["in_place", "blue_green"] = "in_place"
    """Whether it is started beside the one before, or replaces its containers where they are."""
    watch: float = 5.0
    """How long it is watched after the switch; when it fails meanwhile, the one before serves again."""
    drain: float = 30.0
    """How long requests of the one before have to end by themselves."""
    websockets: float = 0.0
    """How much longer what is still open then, which is WebSockets, may stay before its service is stopped."""
    warm: bool = False
    """Whether the one before keeps running, reached by nobody, until the next release: going back is one switch."""
    keep: int = 5
    """How many releases can be gone back to."""
    canary: CanaryPolicy = CanaryPolicy()


@dataclass(frozen=True)
class Migration:
    """A command that is run once from the new image of a service, before the release starts."""

    service: str
    command: tuple[str, ...]
    timeout: float = 600.0
    backup: tuple[str, ...] = ()
    """Backup sources that are backed up before it runs."""


@dataclass(frozen=True)
class StackRequest:
    """What the inventory says about one stack."""

    name: str
    compose: str
    """Text of the compose file."""
    source: str = "compose.yaml"
    """Where the text came from, for messages."""
    files: tuple[StackFile, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    """Values to interpolate that anyone may read."""
    secrets: tuple[str, ...] = ()
    """Names of values to interpolate that nobody may read; the values are in the host's secrets file."""
    routed: tuple[Routed, ...] = ()
    published: tuple[Published, ...] = ()
    overlapping: tuple[str, ...] = ()
    """Services of which two may run at once although they write to a volume, or that are not routed."""
    consumers: tuple[str, ...] = ()
    """Those of `overlapping` that read what the routed services write: the old ones end before the new ones write."""
    rollout: RolloutPolicy = RolloutPolicy()
    migration: Migration | None = None
    port_base: int = 21000
    health: HealthPolicy = HealthPolicy()
    pull: Literal["missing", "always"] = "missing"
    log_lines: int = 40


@dataclass(frozen=True)
class Service:
    """One service as it is rendered for this host."""

    name: str
    image: str
    revision: str
    """Changes when the service has to be recreated: its definition, a file it mounts or a secret it uses."""
    replicas: int = 1
    checked: bool = False
    """It has a health check."""
    restarts: bool = False
    """Its restart policy brings it back whenever it ends."""
    waits_for: Mapping[str, Condition] = field(default_factory=dict)
    mounts: tuple[str, ...] = ()
    """Files and directories beside the compose file that it mounts."""
    shares_with: tuple[str, ...] = ()
    """Services whose namespaces it joins: when they are recreated, so is this one."""
    mounted_at: tuple[str, ...] = ()
    """Paths in its containers where something is mounted."""
    restarts_with: tuple[str, ...] = ()
    """Services after whose replacement it is restarted, as its `depends_on` says."""

    @property
    def may_finish(self) -> bool:
        """Whether ending with status 0 is what the service is there for, as with a job."""
        return not self.restarts and not self.checked
