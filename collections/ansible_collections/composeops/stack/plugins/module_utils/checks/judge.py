# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Judges what was seen against what was declared; pure."""

from __future__ import annotations

import functools
import json
from datetime import timedelta
from typing import Any

from ansible_collections.composeops.stack.plugins.module_utils.backup import report
from ansible_collections.composeops.stack.plugins.module_utils.backup.plan import duration
from ansible_collections.composeops.stack.plugins.module_utils.checks.model import (
    BackupAgeCheck,
    CertificateCheck,
    Check,
    ContainerCheck,
    ExposureCheck,
    HttpCheck,
    LogCheck,
    MongoCheck,
    PostgresCheck,
    RebootCheck,
    RedisCheck,
    TcpCheck,
    UnitsCheck,
    Verdict,
    VerifiedAgeCheck,
    WalLagCheck,
    WebsocketCheck,
)
from ansible_collections.composeops.stack.plugins.module_utils.checks.observation import (
    Answered,
    Container,
    Containers,
    Echoed,
    FailedUnits,
    Failure,
    Lines,
    NewestBackup,
    Observation,
    OpenPorts,
    Port,
    ProvenBackups,
    RebootWanted,
    Replied,
    Served,
    Unsent,
)
from ansible_collections.composeops.stack.plugins.module_utils.io.http import Certificate

LOOK_AT_LOGS = "Look at playbooks/logs.yml -e service={service}."
BODY_SHOWN = 80
LINE_SHOWN = 200
MIN_DAYS = 14
MIN_SHARE = 6
"""A certificate is renewed when a third of its life is left. Below a sixth, something has stood in the way for long."""


def judge(check: Check, observation: Observation) -> Verdict:
    """Say whether ``observation`` is what ``check`` expects, and if not, why and what to do."""
    if isinstance(observation, Failure):
        return Verdict(False, "no answer", observation.message, observation.remedy)
    return _judge(check, observation)


@functools.singledispatch
def _judge(check: Check, observation: Any) -> Verdict:
    raise TypeError(f"no judgement of {type(check).__name__} and {type(observation).__name__}")


@_judge.register
def _http(check: HttpCheck, observation: Answered) -> Verdict:
    response, expect = observation.response, check.expect
    observed = f"{response.status} in {response.seconds * 1000:.0f} ms"
    remedy = "Look at the log of the service behind it (playbooks/logs.yml)."
    if response.status not in expect.status:
        wanted = " or ".join(map(str, expect.status))
        return Verdict(
            False, observed, f"it answered {response.status}, not {wanted}.", _status_remedy(response.status)
        )
    if expect.max_seconds and response.seconds > expect.max_seconds:
        limit = expect.max_seconds
        return Verdict(False, observed, f"it took {response.seconds:.2f} s, more than {limit:g} s.", remedy)
    body = response.body.decode("utf-8", "replace")
    if expect.body not in body:
        begins = " ".join(body.split())[:BODY_SHOWN]
        return Verdict(False, observed, f"its body lacks {expect.body!r}; it begins {begins!r}.", remedy)
    for name, wanted in expect.headers.items():
        got = response.headers.get(name.lower())
        if got != wanted:
            return Verdict(False, observed, f"its header {name} is {got!r}, not {wanted!r}.", remedy)
    for path, wanted in expect.json.items():
        got = _member(body, path)
        if got != wanted:
            return Verdict(False, observed, f"{path} in its JSON body is {got!r}, not {wanted!r}.", remedy)
    return Verdict(True, observed)


@_judge.register
def _websocket(check: WebsocketCheck, observation: Echoed) -> Verdict:
    if observation.text != check.message:
        return Verdict(
            False,
            "no echo",
            f"it sent back {observation.text[:BODY_SHOWN]!r}, not what it was sent.",
            "Look whether the path leads to a service that echoes.",
        )
    return Verdict(True, f"echo in {observation.seconds * 1000:.0f} ms")


@_judge.register
def _tcp(check: TcpCheck, observation: Port) -> Verdict:
    observed = "open" if observation.open else "closed"
    if observed == check.expect.state:
        return Verdict(True, observed)
    if observation.open:
        return Verdict(
            False,
            observed,
            f"{check.target} accepts connections and must not.",
            "Take the port out of the stack's `published`, or close it in the firewall (playbooks/provision.yml).",
        )
    return Verdict(False, observed, observation.detail, "Start the service, or open the port in the firewall.")


@_judge.register
def _certificate(check: CertificateCheck, observation: Served) -> Verdict:
    certificate = observation.certificate
    days = (certificate.not_after - observation.at) / timedelta(days=1)
    observed = f"{days:.0f} days left, by {certificate.issuer}"
    missing = [name for name in check.names if name not in certificate.names]
    if missing:
        return Verdict(
            False,
            observed,
            f"it is not for {', '.join(missing)} but for {', '.join(certificate.names)}.",
            "Add the names to the site's aliases and run playbooks/site.yml.",
        )
    least = _least_days(certificate) if check.min_days is None else check.min_days
    if days < least:
        return Verdict(
            False,
            observed,
            f"it ends in {days:.1f} days, sooner than {least:g}.",
            "Look at `systemctl status certbot.timer` and `journalctl -u certbot` on the host.",
        )
    return Verdict(True, observed)


def _least_days(certificate: Certificate) -> float:
    """Return the days that a certificate must still last where nobody said how many."""
    life = (certificate.not_after - certificate.not_before) / timedelta(days=1)
    return min(MIN_DAYS, life / MIN_SHARE)


@_judge.register
def _postgres(check: PostgresCheck, observation: Replied) -> Verdict:  # noqa: ARG001 (the type chooses)
    return Verdict(True, f"answered {observation.text.strip()[:BODY_SHOWN]!r}")


@_judge.register
def _redis(check: RedisCheck, observation: Replied) -> Verdict:
    said = observation.text.strip()
    if said != "PONG":
        return Verdict(False, "no PONG", f"it said {said[:BODY_SHOWN]!r}.", LOOK_AT_LOGS.format(service=check.service))
    return Verdict(True, "PONG")


@_judge.register
def _mongo(check: MongoCheck, observation: Replied) -> Verdict:  # noqa: ARG001 (the type chooses)
    return Verdict(True, observation.text)


@_judge.register
def _log(check: LogCheck, observation: Lines) -> Verdict:
    observed = f"{observation.count} in {check.window}"
    if observation.count <= check.most:
        return Verdict(True, observed)
    lines = "line" if observation.count == 1 else "lines"
    return Verdict(
        False,
        observed,
        f"{observation.count} {lines} in {check.window}; the last, of {observation.service}: "
        f"{' '.join(observation.last.split())[:LINE_SHOWN]}",
        LOOK_AT_LOGS.format(service=observation.service),
    )


@_judge.register
def _container(check: ContainerCheck, observation: Containers) -> Verdict:
    containers = [container for container in observation.containers if not container.oneoff]
    if not containers:
        return Verdict(False, "none", f"{check.target} has no container.", "Deploy the stack (playbooks/deploy.yml).")
    bad = [(container, why) for container in containers if (why := _unwell(container))]
    observed = f"{len(containers) - len(bad)} of {len(containers)} well"
    if bad:
        services = ", ".join(sorted({container.service for container, _why in bad}))
        reasons = "; ".join(f"{container.service} {why}" for container, why in bad)
        return Verdict(False, observed, f"{reasons}.", LOOK_AT_LOGS.format(service=services.split(", ")[0]))
    return Verdict(True, observed)


def _unwell(container: Container) -> str:
    """Return what is wrong with a container; a job that did its work and ended with 0 is well."""
    if container.may_finish and container.status == "exited" and container.exit_code == 0:
        return ""
    if container.status != "running":
        return f"is {container.status}" + (f" (status {container.exit_code})" if container.exit_code else "")
    return "" if container.health in ("", "healthy") else f"is {container.health}"


@_judge.register
def _backup_age(check: BackupAgeCheck, observation: NewestBackup) -> Verdict:
    remedy = f"Look at `journalctl -u composeops-backup@{check.source}` on the host, or run playbooks/backup.yml."
    if observation.created is None:
        return Verdict(False, "none", f"{check.source} has no committed backup.", remedy)
    age = max(observation.at - observation.created, timedelta(0))
    observed = f"{report.duration(age)} old"
    if age > duration(check.max_age):
        return Verdict(False, observed, f"{observation.identifier} is older than {check.max_age}.", remedy)
    return Verdict(True, observed)


@_judge.register
def _verified_age(check: VerifiedAgeCheck, observation: ProvenBackups) -> Verdict:
    remedy = f"Look at `journalctl -u composeops-drill@{check.source}` on the host, or run playbooks/drill.yml."
    if observation.damaged:
        return Verdict(False, "damaged", f"{observation.damaged} was found damaged.", "Run playbooks/backup.yml now.")
    since = observation.verified or observation.drilled_since
    if since is None:
        return Verdict(False, "none", f"no backup of {check.source} was ever restored, and no drill is set up.", remedy)
    age = max(observation.at - since, timedelta(0))
    if age > duration(check.max_age):
        observed = f"{report.duration(age)} ago" if observation.verified else "none"
        return Verdict(False, observed, f"no backup of {check.source} was verified within {check.max_age}.", remedy)
    # A new host has until then: that its timer never fires is seen when the time is over.
    return Verdict(True, f"{report.duration(age)} ago" if observation.verified else "none yet")


@_judge.register
def _wal_lag(check: WalLagCheck, observation: Unsent) -> Verdict:
    remedy = f"Look at `journalctl -u composeops-wal@{check.source}` on the host."
    if observation.problem:
        return Verdict(False, "broken", f"no restore could go up to now: {observation.problem}.", remedy)
    if observation.seconds is None:
        return Verdict(False, "unknown", f"nothing says up to when the store has the log of {check.source}.", remedy)
    behind = timedelta(seconds=observation.seconds)
    observed = f"{report.duration(behind)}, {report.size(observation.bytes)}"
    if behind > duration(check.max_age):
        return Verdict(False, observed, f"what is not in the store may be older than {check.max_age}.", remedy)
    return Verdict(True, observed)


@_judge.register
def _exposure(check: ExposureCheck, observation: OpenPorts) -> Verdict:
    strangers = sorted(set(observation.ports) - set(check.allowed))
    observed = "open: " + (", ".join(map(str, sorted(observation.ports))) or "none")
    if strangers:
        return Verdict(
            False,
            observed,
            f"{', '.join(map(str, strangers))} can be reached and must not be.",
            "Close them in the firewall (playbooks/provision.yml), or allow them in verify_reachable_ports.",
        )
    if not observation.ports:
        # Silence proves nothing: a host behind a jump host, or a firewall on the way, looks the same from here.
        return Verdict(
            False,
            observed,
            f"not even {', '.join(map(str, check.allowed))} answer from here, so that nothing is known.",
            "Run from a network that reaches the host's web ports, or set verify_exposure to false.",
        )
    return Verdict(True, observed)


@_judge.register
def _units(check: UnitsCheck, observation: FailedUnits) -> Verdict:
    if observation.names:
        names = ", ".join(observation.names)
        return Verdict(
            False,
            f"failed: {names}",
            f"{names} failed.",
            f"Look at `systemctl status {observation.names[0]}` on the host; `systemctl reset-failed` forgets it.",
        )
    return Verdict(True, f"none failed of {check.target}")


@_judge.register
def _reboot(check: RebootCheck, observation: RebootWanted) -> Verdict:
    if observation.since is None:
        return Verdict(True, "not needed")
    waits = observation.at - observation.since
    observed = f"waits for {waits / timedelta(days=1):.0f} days"
    if waits > duration(check.max_age):
        return Verdict(
            False,
            observed,
            f"an update has waited for a reboot for longer than {check.max_age}.",
            "Reboot the host, or give it a time for that: baseline_reboot_window.",
        )
    return Verdict(True, observed)


def _status_remedy(status: int) -> str:
    if status in (502, 504):
        return "Nothing answers behind the edge: look at playbooks/status.yml, then at the service's log."
    if status == 404:  # noqa: PLR2004 (the status itself)
        return "Look at the routes in edge_sites, and whether the service knows this path."
    return "Look at the log of the service behind it (playbooks/logs.yml)."


def _member(body: str, path: str) -> str | None:
    """Return a member of a JSON text as text; None where there is no such member."""
    try:
        value: Any = json.loads(body)
        for part in path.split("."):
            value = value[part]
    except (ValueError, KeyError, TypeError):
        return None
    return value if isinstance(value, str) else json.dumps(value)
