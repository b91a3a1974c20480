"""Probes against real servers on the loopback, and against a recorded engine."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.backup.model import Entry, Level, Verification
from ansible_collections.composeops.stack.plugins.module_utils.backup.pitr.lag import Lag
from ansible_collections.composeops.stack.plugins.module_utils.checks.model import (
    BackupAgeCheck,
    CertificateCheck,
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
    FailedUnits,
    Failure,
    Lines,
    NewestBackup,
    OpenPorts,
    Port,
    ProvenBackups,
    RebootWanted,
    Replied,
    Served,
    Unsent,
)
from ansible_collections.composeops.stack.plugins.module_utils.checks.probes import Prober
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.io.docker import Docker
from ansible_collections.composeops.stack.plugins.module_utils.io.runner import Completed
from ansible_collections.composeops.stack.plugins.module_utils.release import state
from ansible_collections.composeops.stack.tests.unit.support.servers import (
    Authority,
    free_port,
    http_server,
    tcp_server,
)

SECRET = "s3cret-of-the-database"
POSTGRES = PostgresCheck("db", stack="shop", service="db", user="shop", database="orders")
REDIS = RedisCheck("cache", stack="shop", service="redis")


def container(service: str, **state: Any) -> dict[str, Any]:
    return {
        "Id": f"id-{service}",
        "Name": f"/shop-{service}-1",
        "State": {"Status": "running", "Running": True, "ExitCode": 0, **state},
        "Config": {"Labels": {"com.docker.compose.service": service}},
        "HostConfig": {"RestartPolicy": {"Name": "unless-stopped"}},
    }


class Engine:
    """A runner that answers as the docker command line did, and remembers what it was asked."""

    def __init__(self, containers: Sequence[dict[str, Any]], executed: Completed | None = None) -> None:
        self._containers = containers
        self._executed = executed or Completed((), 0, "", "")
        self.argv: list[list[str]] = []
        self.stdin: list[str | None] = []

    def run(
        self,
        argv: Sequence[str],
        *,
        stdin: str | None = None,
        environment: Mapping[str, str] | None = None,
        directory: str | None = None,
        timeout: float = 0,
        check: bool = True,
    ) -> Completed:
        self.argv.append(list(argv))
        self.stdin.append(stdin)
        if argv[1] == "ps":
            return Completed(tuple(argv), 0, "\n".join(f"{found['Id']} shop " for found in self._containers), "")
        if argv[1] == "inspect":
            return Completed(tuple(argv), 0, json.dumps(self._containers), "")
        return self._executed


LONG_AGO = datetime(2026, 1, 1, tzinfo=timezone.utc)


class FakeHost:
    def __init__(self, engine: Engine | None = None, newest: tuple[str, datetime] | None = None) -> None:
        self.docker = Docker(engine or Engine([]))
        self._newest = newest

    def secret(self, stack: str, name: str) -> str:
        if (stack, name) != ("shop", "PASSWORD"):
            raise ComposeOpsError(f"Secret {name} of stack {stack} is not on this host.", "List it.")
        return SECRET

    def newest_backup(self, source: str) -> tuple[str, datetime] | None:
        return self._newest

    def backups(self, source: str) -> list[Entry]:
        verified = (Verification(LONG_AGO, Level.RESTORED, True),)
        damaged = (Verification(LONG_AGO, Level.INTACT, False),)
        return [
            Entry(source, "h", "old", LONG_AGO, True, 1, verifications=verified),
            Entry(source, "h", "new", LONG_AGO + timedelta(days=1), True, 1, verifications=damaged),
        ]

    def drilled_since(self, source: str) -> datetime | None:
        return LONG_AGO

    def unsent(self, source: str) -> Lag:
        return Lag(9, 42, "a gap")

    def failed_units(self) -> list[str]:
        return ["a.service", "b.service"]

    def reboot_wanted_since(self) -> datetime | None:
        return None


def test_http_answer_is_observed() -> None:
    with http_server(lambda handler: handler.send_error(503)) as port:
        seen = Prober(FakeHost()).probe(HttpCheck("a", url=f"http://127.0.0.1:{port}/", timeout=2))
    assert isinstance(seen, Answered)
    assert seen.response.status == 503


def test_refused_connection_is_an_observation() -> None:
    port = free_port()
    seen = Prober(FakeHost()).probe(HttpCheck("a", url=f"http://127.0.0.1:{port}/", timeout=2))
    assert seen == Failure(f"Nothing listens on 127.0.0.1:{port}.", "Start the service, or correct address and port.")


def test_websocket_that_does_not_open_is_an_observation() -> None:
    with http_server(lambda handler: handler.send_error(400)) as port:
        seen = Prober(FakeHost()).probe(WebsocketCheck("a", url=f"ws://127.0.0.1:{port}/", timeout=2))
    assert isinstance(seen, Failure)
    assert "did not open a WebSocket" in seen.message


def test_open_and_closed_ports_are_observed() -> None:
    closed = free_port()
    with tcp_server(lambda connection: None) as port:
        seen = Prober(FakeHost()).probe(TcpCheck("a", host="127.0.0.1", port=port, timeout=2))
    assert seen == Port(True)
    seen = Prober(FakeHost()).probe(TcpCheck("a", host="127.0.0.1", port=closed, timeout=2))
    assert seen == Port(False, f"Nothing listens on 127.0.0.1:{closed}.")


def test_served_certificate_is_observed(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    with http_server(lambda handler: None, authority.server_context("app.example", days=10)) as port:
        check = CertificateCheck("a", host="app.example", connect_to=f"127.0.0.1:{port}", timeout=2)
        trusted = Prober(FakeHost(), authority.pem).probe(check)
        distrusted = Prober(FakeHost()).probe(check)
    assert isinstance(trusted, Served)
    assert trusted.certificate.names == ("app.example",)
    assert isinstance(distrusted, Failure)
    assert "for app.example is not trusted" in distrusted.message


def test_exposure_tries_candidates_and_allowed_ports() -> None:
    closed = free_port()
    with tcp_server(lambda connection: None) as candidate, tcp_server(lambda connection: None) as allowed:
        check = ExposureCheck("a", host="127.0.0.1", ports=(candidate, closed), allowed=(allowed,), timeout=2)
        seen = Prober(FakeHost()).probe(check)
    assert seen == OpenPorts(tuple(sorted((candidate, allowed))))


def test_postgres_is_asked_on_its_socket_without_a_password() -> None:
    engine = Engine([container("db")], Completed((), 0, "1\n", ""))
    assert Prober(FakeHost(engine)).probe(POSTGRES) == Replied("1\n")
    executed = engine.argv[-1]
    assert executed[:3] == ["docker", "exec", "id-db"]
    assert executed[-3:] == ["shop", "orders", "SELECT 1"]
    assert "--host" not in " ".join(executed)


@pytest.mark.parametrize(
    "check",
    [
        PostgresCheck("db", stack="shop", service="db", user="u", database="d", password_secret="PASSWORD"),
        RedisCheck("cache", stack="shop", service="redis", password_secret="PASSWORD"),
    ],
    ids=["postgres", "redis"],
)
def test_password_goes_over_standard_input_and_nowhere_else(check: PostgresCheck | RedisCheck) -> None:
    engine = Engine([container(check.service)], Completed((), 0, "ok", ""))
    assert Prober(FakeHost(engine)).probe(check) == Replied("ok")
    assert engine.stdin[-1] == f"{SECRET}\n"
    assert "--interactive" in engine.argv[-1]
    assert SECRET not in json.dumps(engine.argv)


def test_secret_that_the_host_lacks_is_an_observation() -> None:
    check = RedisCheck("cache", stack="shop", service="redis", password_secret="OTHER")
    seen = Prober(FakeHost(Engine([container("redis")]))).probe(check)
    assert seen == Failure("Secret OTHER of stack shop is not on this host.", "List it.")


def test_client_that_fails_is_quoted() -> None:
    said = Completed((), 2, "", "psql: error: connection refused\n\tIs the server running?\n")
    seen = Prober(FakeHost(Engine([container("db")], said))).probe(POSTGRES)
    assert isinstance(seen, Failure)
    assert seen.message == "db did not answer; its client said: Is the server running?"
    assert "service=db" in seen.remedy


def test_service_without_a_running_container_is_an_observation() -> None:
    seen = Prober(FakeHost(Engine([container("redis", Running=False, Status="exited")]))).probe(REDIS)
    assert isinstance(seen, Failure)
    assert "has no running container" in seen.message


def test_containers_are_read_from_inspect() -> None:
    engine = Engine(
        [
            container("db", Health={"Status": "healthy"}),
            {**container("web", Health={"Status": "none"}), "HostConfig": {"RestartPolicy": {"Name": "no"}}},
            {**container("migrate"), "HostConfig": {"RestartPolicy": {"Name": "on-failure"}}},
            {
                **container("job", Status="exited", ExitCode=3),
                "Config": {"Labels": {"com.docker.compose.oneoff": "True"}},
            },
        ]
    )
    assert Prober(FakeHost(engine)).probe(ContainerCheck("a", stack="shop")) == Containers(
        (
            Container("db", "running", "healthy"),
            Container("web", "running"),
            Container("migrate", "running", may_finish=True),
            Container("shop-job-1", "exited", exit_code=3, oneoff=True),
        )
    )


def test_one_service_is_found_by_its_label_in_any_colour() -> None:
    of_colour = container("web-green")
    of_colour["Config"]["Labels"]["composeops.service"] = "web"
    engine = Engine([container("db"), of_colour])
    for service in ("db", "web"):
        seen = Prober(FakeHost(engine)).probe(ContainerCheck("a", stack="shop", service=service))
        assert seen == Containers((Container(service, "running"),))


def test_a_release_that_is_only_kept_running_is_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state, "warm_project", lambda stack: f"{stack}-blue")
    old, new = container("web-blue", Status="exited"), container("web-green")
    for found, colour in ((old, "blue"), (new, "green")):
        found["Config"]["Labels"].update({"composeops.service": "web", "com.docker.compose.project": f"shop-{colour}"})
    seen = Prober(FakeHost(Engine([old, new]))).probe(ContainerCheck("a", stack="shop", service="web"))
    assert seen == Containers((Container("web", "running"),))


@pytest.mark.parametrize("newest", [("b1", datetime(2026, 1, 1, tzinfo=timezone.utc)), None], ids=["one", "none"])
def test_newest_backup_is_observed(newest: tuple[str, datetime] | None) -> None:
    seen = Prober(FakeHost(newest=newest)).probe(BackupAgeCheck("a", source="database"))
    assert isinstance(seen, NewestBackup)
    assert (seen.identifier, seen.created) == (newest or ("", None))


def test_what_was_proven_is_observed() -> None:
    seen = Prober(FakeHost()).probe(VerifiedAgeCheck("a", source="database"))
    assert isinstance(seen, ProvenBackups)
    assert (seen.verified, seen.drilled_since, seen.damaged) == (LONG_AGO, LONG_AGO, "new")


def test_how_far_the_store_is_behind_is_observed() -> None:
    assert Prober(FakeHost()).probe(WalLagCheck("a", source="cluster")) == Unsent(42, 9, "a gap")


LOG = LogCheck("log", stack="shop")


def test_lines_of_a_kind_are_counted_in_both_streams() -> None:
    engine = Engine([container("api")], Completed((), 0, "INFO well\nERROR one\nTERRORS\n", "CRITICAL two\n"))
    assert Prober(FakeHost(engine)).probe(LOG) == Lines(2, "CRITICAL two", "api")
    assert engine.argv[-1] == ["docker", "logs", "--since", "300s", "id-api"]


def test_no_line_of_a_kind_is_an_observation() -> None:
    engine = Engine([container("api")], Completed((), 0, "INFO well\n", ""))
    assert Prober(FakeHost(engine)).probe(LOG) == Lines(0)


def test_a_mongo_that_cannot_be_reached_is_an_observation() -> None:
    network = {"NetworkSettings": {"Networks": {"shop": {"IPAddress": "127.0.0.1"}}}}
    seen = Prober(FakeHost(Engine([{**container("db"), **network}]))).probe(
        MongoCheck("a", stack="shop", service="db", timeout=2)
    )
    assert isinstance(seen, Failure)
    assert "MongoDB at 127.0.0.1:27017 does not answer" in seen.message


def test_units_that_are_not_asked_for_may_fail() -> None:
    prober = Prober(FakeHost())
    assert prober.probe(UnitsCheck("units")) == FailedUnits(("a.service", "b.service"))
    assert prober.probe(UnitsCheck("units", units=("b.service", "c.service"))) == FailedUnits(("b.service",))


def test_a_wish_for_a_reboot_is_observed() -> None:
    seen = Prober(FakeHost()).probe(RebootCheck("reboot"))
    assert isinstance(seen, RebootWanted)
    assert seen.since is None
