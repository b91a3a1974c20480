# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What probes see. A probe reports, it does not judge; `judge.py` does."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from ansible_collections.composeops.stack.plugins.module_utils.io.http import Certificate, Response


@dataclass(frozen=True)
class Failure:
    """Nothing could be seen, and why."""

    message: str
    remedy: str = ""


@dataclass(frozen=True)
class Answered:
    """An HTTP answer came."""

    response: Response


@dataclass(frozen=True)
class Echoed:
    """A WebSocket opened and this text came back."""

    text: str
    seconds: float
    certificate: Certificate | None = None


@dataclass(frozen=True)
class Port:
    """A port accepted a connection, or did not."""

    open: bool
    detail: str = ""


@dataclass(frozen=True)
class Served:
    """A certificate was presented and is trusted."""

    certificate: Certificate
    at: datetime


@dataclass(frozen=True)
class Replied:
    """A database said this."""

    text: str


@dataclass(frozen=True)
class Lines:
    """Lines that containers wrote and that are looked for, the newest of each service last."""

    count: int
    last: str = ""
    service: str = ""


@dataclass(frozen=True)
class Container:
    """One container of a stack."""

    service: str
    status: str
    health: str = ""
    """Empty where the image and the compose file have no health check."""
    exit_code: int = 0
    may_finish: bool = False
    """Ending with status 0 is what it is there for, as with a job; anything that the engine restarts is no job."""
    oneoff: bool = False


@dataclass(frozen=True)
class Containers:
    """All containers of a service or stack, stopped ones included."""

    containers: tuple[Container, ...]


@dataclass(frozen=True)
class NewestBackup:
    """The newest committed backup; no date where there is none."""

    identifier: str
    created: datetime | None
    at: datetime


@dataclass(frozen=True)
class Unsent:
    """How far the store is behind a server; no seconds where nobody knows."""

    seconds: float | None
    bytes: int
    problem: str


@dataclass(frozen=True)
class ProvenBackups:
    """When a backup was last restored and compared, and since when drills are set up; no date where there is none."""

    verified: datetime | None
    drilled_since: datetime | None
    damaged: str
    """The newest backup, where its last verification found it damaged."""
    at: datetime


@dataclass(frozen=True)
class OpenPorts:
    """Those of the asked ports that accepted a connection."""

    ports: tuple[int, ...]


@dataclass(frozen=True)
class FailedUnits:
    """Units of systemd that failed, of those that were asked for."""

    names: tuple[str, ...]


@dataclass(frozen=True)
class RebootWanted:
    """Since when an update waits for a reboot; None where none does."""

    since: datetime | None
    at: datetime


Observation = (
    Failure
    | Answered
    | Echoed
    | Port
    | Served
    | Replied
    | Lines
    | Containers
    | NewestBackup
    | ProvenBackups
    | Unsent
    | OpenPorts
    | FailedUnits
    | RebootWanted
)
