# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is watched, what is done about it, and what the monitor remembers: the words of this domain as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from ansible_collections.composeops.stack.plugins.module_utils.checks.model import Check

Backend = Literal["docker", "supervisor", "systemd", "none"]
Format = Literal["slack", "discord", "json"]
Kind = Literal[
    "failing", "restart", "limit", "restart_failed", "recovered", "resource", "resource_recovered", "unit_failed"
]

BACKENDS: tuple[Backend, ...] = ("docker", "supervisor", "systemd", "none")
FORMATS: tuple[Format, ...] = ("slack", "discord", "json")

RARELY: Mapping[str, float] = {"backup_age": 900, "verified_age": 900, "certificate": 900, "exposure": 900}
"""Seconds between two checks of the types whose answer changes in days, where no rule says otherwise."""


@dataclass(frozen=True)
class Target:
    """What a restart is of."""

    backend: Backend
    stack: str = ""
    service: str = ""
    program: str = ""
    unit: str = ""

    @property
    def name(self) -> str:
        """What people call it: the key of what is remembered about it, too."""
        if self.backend == "docker":
            return f"{self.stack}/{self.service}"
        return self.program if self.backend == "supervisor" else self.unit


@dataclass(frozen=True)
class Rule:
    """How one check is watched, and what its failures lead to."""

    check: Check
    interval: float = 30
    retry_interval: float = 30
    """Seconds until the next try while it fails."""
    failures: int = 3
    """Failures in a row that lead to an alert and a restart."""
    target: Target | None = None
    """What is restarted; None where nothing is."""
    needs: tuple[str, ...] = ()
    """Checks of what this one stands on: while one of them fails, a restart would help nothing."""

    @property
    def name(self) -> str:
        return self.check.name


@dataclass(frozen=True)
class Policy:
    """How often anything is restarted."""

    restarts_per_hour: int = 3
    backoff: float = 60
    """Seconds between the first two restarts of an outage; each further wait is twice as long, an hour at most."""
    grace: float = 60
    """Seconds after a restart in which failures do not count towards the next."""


@dataclass(frozen=True)
class Thresholds:
    """Use in percent that raises an alert; 0 watches nothing."""

    cpu: float = 90
    memory: float = 90
    disk: float = 85
    margin: float = 5
    """Percentage points below its threshold at which a resource counts as recovered."""
    failures: int = 3
    """Samples in a row above the threshold that raise the alert."""
    disks: tuple[str, ...] = ("/",)

    @property
    def any(self) -> bool:
        return bool(self.cpu or self.memory or (self.disk and self.disks))


@dataclass(frozen=True)
class Webhook:
    """Where alerts go. The URL is a secret: whoever knows it can write there."""

    name: str
    format: Format
    url: str = field(repr=False)


@dataclass(frozen=True)
class Settings:
    """Everything the monitor is told."""

    host: str
    rules: Mapping[str, Rule]
    ca: str = ""
    start_delay: float = 30
    interval: float = 30
    policy: Policy = Policy()
    thresholds: Thresholds = Thresholds()
    webhooks: tuple[Webhook, ...] = ()
    webhook_ca: str = ""
    supervisor_url: str = ""
    state_directory: str = "/var/lib/composeops/monitor"
    metrics_file: str = ""


@dataclass(frozen=True)
class Alert:
    """One message to people. ``subject`` is the check or resource it is about."""

    kind: Kind
    subject: str
    title: str
    text: str
    at: float
    host: str = ""

    @property
    def good(self) -> bool:
        return self.kind in ("recovered", "resource_recovered")


@dataclass(frozen=True)
class Failed:
    """A restart that did not work, and the check that asked for it."""

    target: Target
    check: str
    reason: str
    at: float


@dataclass(frozen=True)
class CheckState:
    """What is remembered of a check."""

    failures: int = 0
    """In a row; 0 while it passes."""
    strikes: int = 0
    """Failures in a row that count towards a restart: those since the last restart, outside of a hold."""
    since: float = 0
    """When the first of these failures was seen."""
    reason: str = ""
    alerted: bool = False
    """People were told, so that they are told of the recovery."""
    limit_told: bool = False
    """People were told that it is not restarted any more."""
    failures_total: int = 0


@dataclass(frozen=True)
class TargetState:
    """What is remembered of something that can be restarted."""

    restarts: tuple[float, ...] = ()
    """When it was restarted within the last hour, oldest first."""
    tries: int = 0
    """Restarts since all of its checks passed."""
    quiet_until: float = 0
    """Failures before this moment do not count: it was restarted just now."""
    restarts_total: int = 0


@dataclass(frozen=True)
class ResourceState:
    """What is remembered of a resource of the host."""

    above: int = 0
    alerted: bool = False
    since: float = 0


@dataclass(frozen=True)
class Delivery:
    """An alert on its way to one webhook."""

    webhook: str
    alert: Alert
    attempts: int = 0
    due: float = 0


@dataclass(frozen=True)
class WebhookState:
    """How many alerts reached a webhook, and how many never will."""

    delivered: int = 0
    dropped: int = 0


@dataclass(frozen=True)
class State:
    """Everything that is remembered, through a restart of the monitor as well."""

    checks: Mapping[str, CheckState] = field(default_factory=dict)
    targets: Mapping[str, TargetState] = field(default_factory=dict)
    resources: Mapping[str, ResourceState] = field(default_factory=dict)
    webhooks: Mapping[str, WebhookState] = field(default_factory=dict)
    queue: tuple[Delivery, ...] = ()
