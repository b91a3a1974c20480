# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Carries out checks over the network and in containers, and reports what it sees.

Every probe ends within its check's time-out. Passwords go to clients in containers over standard input.
"""

from __future__ import annotations

import concurrent.futures
import functools
import re
import socket
import time
from datetime import datetime, timezone
from typing import Any, Protocol

from ansible_collections.composeops.stack.plugins.module_utils.backup import plan as backup_plan
from ansible_collections.composeops.stack.plugins.module_utils.backup.model import Entry
from ansible_collections.composeops.stack.plugins.module_utils.backup.pitr.lag import Lag
from ansible_collections.composeops.stack.plugins.module_utils.backup.plan import duration
from ansible_collections.composeops.stack.plugins.module_utils.backup.verification import plan as verdicts
from ansible_collections.composeops.stack.plugins.module_utils.checks import websocket
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
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.io import http, mongo
from ansible_collections.composeops.stack.plugins.module_utils.io.docker import (
    PROJECT_LABEL,
    Docker,
    address,
    service_of,
)
from ansible_collections.composeops.stack.plugins.module_utils.io.runner import Completed
from ansible_collections.composeops.stack.plugins.module_utils.release import state

PORTS_AT_ONCE = 32

# The address is the container's own on its network, so that the server's rules for the network apply, and with them the
# password, as they do to applications; on the loopback many images let anyone in.
_POSTGRES = """\
IFS= read -r PGPASSWORD; export PGPASSWORD
set -- "$1" "$2" "$3" "$(hostname -i | cut -d ' ' -f 1)"
exec psql --no-psqlrc --no-password --tuples-only --no-align --host="$4" --username="$1" --dbname="$2" --command="$3"
"""
_POSTGRES_SOCKET = 'exec psql --no-psqlrc --no-password -tA --username="$1" --dbname="$2" --command="$3"'
_REDIS = 'IFS= read -r REDISCLI_AUTH; [ -z "$REDISCLI_AUTH" ] || export REDISCLI_AUTH; exec redis-cli PING'


class Host(Protocol):
    """What probes need of the host they run on, beside its network."""

    @property
    def docker(self) -> Docker: ...

    def secret(self, stack: str, name: str) -> str:
        """Return a secret of a stack; raise where the host does not have it."""

    def newest_backup(self, source: str) -> tuple[str, datetime] | None:
        """Return id and date of the newest committed backup of a source."""

    def backups(self, source: str) -> list[Entry]:
        """Return everything the store holds of a source."""

    def drilled_since(self, source: str) -> datetime | None:
        """Return since when this host is set up to drill a source; None where it is not."""

    def unsent(self, source: str) -> Lag:
        """Return how far the store is behind a server whose log is sent to it."""

    def failed_units(self) -> list[str]:
        """Return the units of systemd that failed."""

    def reboot_wanted_since(self) -> datetime | None:
        """Return since when an update waits for a reboot; None where none does."""


class Prober:
    """Probes from one host; ``ca`` is PEM text of authorities that are trusted beside the system's."""

    def __init__(self, host: Host, ca: str = "") -> None:
        self._host = host
        self._ca = ca

    def probe(self, check: Check) -> Observation:
        """Return what is seen; a fault of what is checked is an observation and not an error."""
        try:
            return self._probe(check)
        except ComposeOpsError as error:
            return Failure(error.message, error.remedy)

    @functools.singledispatchmethod
    def _probe(self, check: Any) -> Observation:
        raise TypeError(f"no probe for {type(check).__name__}")

    @_probe.register
    def _http(self, check: HttpCheck) -> Observation:
        return Answered(
            http.request(
                check.url,
                method=check.method,
                headers=check.headers,
                connect_to=check.connect_to,
                ca=self._ca,
                timeout=check.timeout,
            )
        )

    @_probe.register
    def _websocket(self, check: WebsocketCheck) -> Observation:
        echo = websocket.echo(
            check.url,
            check.message,
            connect_to=check.connect_to,
            headers=check.headers,
            ca=self._ca,
            timeout=check.timeout,
        )
        return Echoed(echo.text, echo.seconds, echo.certificate)

    @_probe.register
    def _tcp(self, check: TcpCheck) -> Observation:
        return _connect(check.host, check.port, check.timeout)

    @_probe.register
    def _certificate(self, check: CertificateCheck) -> Observation:
        endpoint = http.parse_url(f"https://{check.host}:{check.port}/", check.connect_to)
        with http.connected(endpoint, ca=self._ca, timeout=check.timeout) as connection:
            assert connection.certificate is not None  # a TLS connection has one
            return Served(connection.certificate, datetime.now(timezone.utc))

    @_probe.register
    def _postgres(self, check: PostgresCheck) -> Observation:
        arguments = ("sh", check.user, check.database, check.query)
        if not check.password_secret:
            return self._replied(check, ["sh", "-c", _POSTGRES_SOCKET, *arguments], None)
        secret = self._host.secret(check.stack, check.password_secret)
        return self._replied(check, ["sh", "-c", _POSTGRES, *arguments], f"{secret}\n")

    @_probe.register
    def _redis(self, check: RedisCheck) -> Observation:
        secret = self._host.secret(check.stack, check.password_secret) if check.password_secret else ""
        return self._replied(check, ["sh", "-c", _REDIS], f"{secret}\n")

    @_probe.register
    def _mongo(self, check: MongoCheck) -> Observation:
        # Over its socket and not with its shell, which takes seconds to start.
        found = self._host.docker.running_container(check.stack, check.service)
        with mongo.connected(address(found), deadline=time.monotonic() + check.timeout) as client:
            client.command("admin", {"ping": 1})
            if not check.user:
                return Replied("answered a ping")
            client.log_in(check.user, self._host.secret(check.stack, check.password_secret), "admin")
            # What is answered to those who are known alone.
            client.command("admin", {"listDatabases": 1, "nameOnly": True})
            return Replied(f"answered {check.user}")

    @_probe.register
    def _log(self, check: LogCheck) -> Observation:
        looked_for = re.compile(check.pattern)
        count, last, service, seconds = 0, "", "", int(duration(check.window).total_seconds())
        for found in self._host.docker.containers(check.stack, check.service or None):
            written = self._host.docker.logs_since(found["Id"], seconds, check.timeout)
            lines = [line for line in written.splitlines() if looked_for.search(line)]
            if lines:
                count, last, service = count + len(lines), lines[-1], service_of(found)
        return Lines(count, last, service)

    @_probe.register
    def _container(self, check: ContainerCheck) -> Observation:
        inspected = self._host.docker.containers(check.stack, check.service or None)
        # Nobody reaches a release that is only kept running to go back to.
        warm = state.warm_project(check.stack)
        reached = [found for found in inspected if not warm or _project(found) != warm]
        return Containers(tuple(_container(found) for found in reached))

    @_probe.register
    def _backup_age(self, check: BackupAgeCheck) -> Observation:
        newest = self._host.newest_backup(check.source)
        now = datetime.now(timezone.utc)
        return NewestBackup(newest[0], newest[1], now) if newest else NewestBackup("", None, now)

    @_probe.register
    def _verified_age(self, check: VerifiedAgeCheck) -> Observation:
        entries, now = self._host.backups(check.source), datetime.now(timezone.utc)
        newest = backup_plan.newest(entries, now)
        return ProvenBackups(
            verdicts.last_verified(entries, now),
            self._host.drilled_since(check.source),
            newest.id if newest is not None and newest.failed else "",
            now,
        )

    @_probe.register
    def _wal_lag(self, check: WalLagCheck) -> Observation:
        lag = self._host.unsent(check.source)
        return Unsent(lag.seconds, lag.bytes, lag.problem)

    @_probe.register
    def _exposure(self, check: ExposureCheck) -> Observation:
        asked = sorted({*check.ports, *check.allowed})
        with concurrent.futures.ThreadPoolExecutor(PORTS_AT_ONCE) as pool:
            seen = list(pool.map(lambda port: _connect(check.host, port, check.timeout).open, asked))
        return OpenPorts(tuple(port for port, is_open in zip(asked, seen, strict=True) if is_open))

    @_probe.register
    def _units(self, check: UnitsCheck) -> Observation:
        failed = self._host.failed_units()
        return FailedUnits(tuple(name for name in failed if not check.units or name in check.units))

    @_probe.register
    def _reboot(self, _check: RebootCheck) -> Observation:
        return RebootWanted(self._host.reboot_wanted_since(), datetime.now(timezone.utc))

    def _replied(self, check: PostgresCheck | RedisCheck, argv: list[str], stdin: str | None) -> Observation:
        container = self._host.docker.running_container(check.stack, check.service)["Id"]
        completed: Completed = self._host.docker.execute(
            container, argv, stdin=stdin, timeout=check.timeout, check=False
        )
        if completed.ok:
            return Replied(completed.stdout)
        said = (completed.stderr or completed.stdout).strip().splitlines() or ["nothing"]
        return Failure(
            f"{check.service} did not answer; its client said: {said[-1].strip()}",
            f"Look at playbooks/logs.yml -e service={check.service}.",
        )


def _connect(host: str, port: int, timeout: float) -> Port:
    try:
        with socket.create_connection((host, port), timeout=timeout):
            return Port(True)
    except OSError as error:
        endpoint = http.Endpoint("tcp", host, port, "", host, port)
        return Port(False, http.failed(endpoint, error, timeout).message)


def _project(inspected: dict[str, Any]) -> str:
    return str((inspected["Config"].get("Labels") or {}).get(PROJECT_LABEL, ""))


def _container(inspected: dict[str, Any]) -> Container:
    """Read one entry of `docker inspect`."""
    state, labels = inspected["State"], inspected["Config"].get("Labels") or {}
    restarts = (inspected["HostConfig"].get("RestartPolicy") or {}).get("Name", "no")
    return Container(
        service=service_of(inspected) or inspected["Name"].lstrip("/"),
        status=state["Status"],
        health=(state.get("Health") or {}).get("Status", "").replace("none", ""),
        exit_code=state["ExitCode"],
        may_finish=restarts not in ("always", "unless-stopped") and not state.get("Health"),
        oneoff=labels.get("com.docker.compose.oneoff") == "True",
    )
