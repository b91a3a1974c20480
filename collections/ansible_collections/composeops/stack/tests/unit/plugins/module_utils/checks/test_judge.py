"""What was seen, and whether it is what was declared: pure, so every case is a row."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.checks.judge import judge
from ansible_collections.composeops.stack.plugins.module_utils.checks.model import (
    BackupAgeCheck,
    CertificateCheck,
    Check,
    ContainerCheck,
    Expectation,
    ExposureCheck,
    HttpCheck,
    LogCheck,
    MongoCheck,
    PostgresCheck,
    RebootCheck,
    RedisCheck,
    TcpCheck,
    TcpExpectation,
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
from ansible_collections.composeops.stack.plugins.module_utils.io.http import Certificate, Response

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=timezone.utc)
HEALTH = b'{"version": "1.1.0", "database": {"status": "up", "pools": 2}}'


def http(**expect: object) -> HttpCheck:
    return HttpCheck("a", url="https://app.example/", expect=Expectation(**expect))  # type: ignore[arg-type]


def answered(status: int = 200, body: bytes = HEALTH, seconds: float = 0.1) -> Answered:
    return Answered(Response(status, {"location": "https://b/", "x": "1"}, body, seconds))


def served(days: float, *, of: float = 90) -> Served:
    ends = NOW + timedelta(days=days)
    return Served(Certificate(ends - timedelta(days=of), ends, ("app.example", "www.example"), "CA", "f" * 64), NOW)


def certificate(**options: object) -> CertificateCheck:
    return CertificateCheck("a", host="app.example", **options)  # type: ignore[arg-type]


def tcp(state: str) -> TcpCheck:
    return TcpCheck("a", host="h", port=5432, expect=TcpExpectation(state))  # type: ignore[arg-type]


STACK = ContainerCheck("a", stack="shop")
REDIS = RedisCheck("a", stack="shop", service="redis")
AGE = BackupAgeCheck("a", source="database", max_age="26h")
EXPOSURE = ExposureCheck("a", host="h", ports=(22, 443, 5432), allowed=(22, 80, 443))


@pytest.mark.parametrize(
    ("check", "observation", "observed"),
    [
        (http(), answered(), "200 in 100 ms"),
        (http(status=(301, 308)), answered(308), "308 in 100 ms"),
        (http(body="version"), answered(), "200 in 100 ms"),
        (http(headers={"Location": "https://b/"}), answered(), "200 in 100 ms"),
        (http(json={"version": "1.1.0", "database.status": "up", "database.pools": "2"}), answered(), "200 in 100 ms"),
        (http(max_seconds=0.2), answered(), "200 in 100 ms"),
        (WebsocketCheck("a", message="hi"), Echoed("hi", 0.02), "echo in 20 ms"),
        (tcp("open"), Port(True), "open"),
        (tcp("closed"), Port(False, "Nothing listens"), "closed"),
        (certificate(min_days=14), served(14), "14 days left, by CA"),
        (certificate(), served(14), "14 days left, by CA"),
        (certificate(), served(8, of=45), "8 days left, by CA"),
        (certificate(), served(1.6, of=6), "2 days left, by CA"),
        (certificate(names=("www.example",)), served(60), "60 days left, by CA"),
        (PostgresCheck("a"), Replied("1\n"), "answered '1'"),
        (REDIS, Replied("PONG\n"), "PONG"),
        (STACK, Containers((Container("db", "running", "healthy"), Container("web", "running"))), "2 of 2 well"),
        (
            STACK,
            Containers((Container("web", "running"), Container("migrate", "exited", may_finish=True))),
            "2 of 2 well",
        ),
        (
            STACK,
            Containers((Container("web", "running"), Container("web", "exited", exit_code=1, oneoff=True))),
            "1 of 1 well",
        ),
        (AGE, NewestBackup("b1", NOW - timedelta(hours=26), NOW), "1 d 2 h old"),
        (AGE, NewestBackup("b1", NOW + timedelta(minutes=1), NOW), "0 s old"),
        (EXPOSURE, OpenPorts((22, 443)), "open: 22, 443"),
    ],
    ids=[
        *(
            "status",
            "one-of-statuses",
            "body",
            "header",
            "json-members",
            "fast-enough",
            "echo",
            "tcp-open",
            "tcp-closed",
        ),
        *("certificate-lasts-exactly", "certificate-of-90-days", "certificate-of-45-days", "certificate-of-6-days"),
        *("certificate-name", "query", "pong", "containers", "one-shot-that-ended-well"),
        *("one-off-is-not-a-service", "backup-exactly-as-old", "backup-dated-a-minute-ahead", "only-allowed-ports"),
    ],
)
def test_as_expected(check: Check, observation: Observation, observed: str) -> None:
    verdict = judge(check, observation)
    assert (verdict.ok, verdict.observed, verdict.reason) == (True, observed, "")


@pytest.mark.parametrize(
    ("check", "observation", "reason", "remedy"),
    [
        (http(), Failure("Nothing listens on h:443.", "Start it."), "Nothing listens on h:443.", "Start it."),
        (http(), answered(500), "it answered 500, not 200.", "log of the service"),
        (http(), answered(502), "it answered 502, not 200.", "Nothing answers behind the edge"),
        (http(), answered(404), "it answered 404, not 200.", "routes in edge_sites"),
        (http(status=(301, 308)), answered(200), "it answered 200, not 301 or 308.", "log of the service"),
        (http(body="nothing"), answered(body=b"a\n b"), "its body lacks 'nothing'; it begins 'a b'.", "log"),
        (http(headers={"X": "2"}), answered(), "its header X is '1', not '2'.", "log"),
        (http(headers={"Y": "2"}), answered(), "its header Y is None, not '2'.", "log"),
        (http(json={"version": "1.2.0"}), answered(), "version in its JSON body is '1.1.0', not '1.2.0'.", "log"),
        (http(json={"database.host": "x"}), answered(), "database.host in its JSON body is None", "log"),
        (http(json={"version.major": "1"}), answered(), "version.major in its JSON body is None", "log"),
        (http(json={"version": "1"}), answered(body=b"<html>"), "version in its JSON body is None", "log"),
        (http(max_seconds=0.05), answered(), "it took 0.10 s, more than 0.05 s.", "log"),
        (WebsocketCheck("a", message="hi"), Echoed("ho", 0.1), "it sent back 'ho'", "service that echoes"),
        (tcp("closed"), Port(True), "h:5432 accepts connections and must not.", "published"),
        (tcp("open"), Port(False, "Nothing listens on h:5432."), "Nothing listens on h:5432.", "Start"),
        (certificate(min_days=14), served(13.5, of=45), "it ends in 13.5 days, sooner than 14.", "certbot"),
        (certificate(), served(13.5), "it ends in 13.5 days, sooner than 14.", "certbot"),
        (certificate(), served(0.9, of=6), "it ends in 0.9 days, sooner than 1.", "certbot"),
        (certificate(names=("b", "c")), served(60), "it is not for b, c but for app.example, www.example.", "aliases"),
        (REDIS, Replied("LOADING"), "it said 'LOADING'.", "service=redis"),
        (STACK, Containers(()), "shop/all services has no container.", "deploy.yml"),
        (STACK, Containers((Container("web", "running", "starting"),)), "web is starting.", "service=web"),
        (STACK, Containers((Container("web", "restarting", exit_code=3),)), "web is restarting (status 3).", "web"),
        (STACK, Containers((Container("a", "exited", exit_code=137), Container("b", "paused"))), "a is exited", "a"),
        (STACK, Containers((Container("redis", "exited"),)), "redis is exited.", "service=redis"),
        (
            STACK,
            Containers((Container("job", "exited", exit_code=1, may_finish=True),)),
            "job is exited (status 1).",
            "job",
        ),
        (AGE, NewestBackup("b1", NOW - timedelta(hours=26, seconds=1), NOW), "b1 is older than 26h.", "database"),
        (AGE, NewestBackup("", None, NOW), "database has no committed backup.", "playbooks/backup.yml"),
        (EXPOSURE, OpenPorts((22, 5432)), "5432 can be reached and must not be.", "verify_reachable_ports"),
        (EXPOSURE, OpenPorts(()), "not even 22, 80, 443 answer from here", "verify_exposure"),
    ],
    ids=[
        *(
            "no-answer",
            "status",
            "bad-gateway",
            "not-found",
            "statuses",
            "body",
            "header",
            "no-header",
            "json",
            "json-gap",
        ),
        *("json-not-a-mapping", "not-json", "slow", "other-echo", "tcp-open", "tcp-closed", "certificate-ends"),
        *("certificate-of-90-days-ends", "certificate-of-6-days-ends"),
        *("certificate-names", "redis-loads", "no-container", "starting", "restarting", "exited-and-paused"),
        *("stopped-service", "failed-job"),
        *("backup-too-old", "no-backup", "stranger-reachable", "nothing-reachable"),
    ],
)
def test_not_as_expected(check: Check, observation: Observation, reason: str, remedy: str) -> None:
    verdict = judge(check, observation)
    assert not verdict.ok
    assert reason in verdict.reason
    assert remedy in verdict.remedy


def test_every_unwell_container_is_named() -> None:
    unwell = Containers((Container("a", "exited", exit_code=137), Container("b", "paused"), Container("c", "running")))
    verdict = judge(STACK, unwell)
    assert verdict.reason == "a is exited (status 137); b is paused."
    assert verdict.observed == "1 of 3 well"


def test_long_echo_is_shortened() -> None:
    assert len(judge(WebsocketCheck("a"), Echoed("x" * 5000, 0.1)).reason) < 200


def test_observation_of_another_check_is_a_fault_of_ours() -> None:
    with pytest.raises(TypeError, match="no judgement"):
        judge(Check, OpenPorts(()))  # type: ignore[arg-type]


def test_a_mongo_that_answered_is_well() -> None:
    verdict = judge(MongoCheck("a", stack="shop", service="mongodb"), Replied("answered a ping"))
    assert (verdict.ok, verdict.observed) == (True, "answered a ping")


@pytest.mark.parametrize(("count", "most", "ok"), [(0, 0, True), (1, 0, False), (2, 2, True), (3, 2, False)])
def test_lines_are_well_up_to_the_number_that_is_accepted(count: int, most: int, ok: bool) -> None:
    assert judge(LogCheck("a", stack="shop", most=most), Lines(count, "ERROR no", "api")).ok is ok


def test_a_line_that_is_not_accepted_is_told_with_its_service() -> None:
    verdict = judge(LogCheck("a", stack="shop"), Lines(2, "10:00  ERROR\tdisk full", "api"))
    assert verdict.observed == "2 in 5m"
    assert verdict.reason == "2 lines in 5m; the last, of api: 10:00 ERROR disk full"
    assert "service=api" in verdict.remedy


UNSENT = WalLagCheck("a", source="cluster", max_age="60s")


def test_a_store_that_is_not_far_behind_is_well() -> None:
    assert judge(UNSENT, Unsent(60, 2048, "")) == Verdict(True, "1 min, 2.0 KiB")


@pytest.mark.parametrize(
    ("observation", "reason"),
    [
        (Unsent(61, 0, ""), "may be older than 60s"),
        (Unsent(None, 0, ""), "nothing says up to when"),
        (Unsent(0, 0, "segment 5 is missing in the store"), "segment 5 is missing"),
    ],
    ids=["far behind", "unknown", "a gap, however young the newest part"],
)
def test_a_store_that_is_behind_fails(observation: Unsent, reason: str) -> None:
    verdict = judge(UNSENT, observation)
    assert not verdict.ok
    assert reason in verdict.reason
    assert "composeops-wal@cluster" in verdict.remedy


PROVEN = VerifiedAgeCheck("a", source="database", max_age="8d")


def proven(verified: int | None, since: int | None = 30, damaged: str = "") -> ProvenBackups:
    """Return what is seen of backups that were verified, and drilled, so many days ago."""
    moments = [None if days is None else NOW - timedelta(days=days) for days in (verified, since)]
    return ProvenBackups(moments[0], moments[1], damaged, NOW)


@pytest.mark.parametrize(
    ("observation", "observed"),
    [(proven(8), "8 d ago"), (proven(0, None), "0 s ago"), (proven(None, 8), "none yet")],
    ids=["as old as it may be", "by hand", "a new host"],
)
def test_backups_that_were_proven_of_late_are_well(observation: ProvenBackups, observed: str) -> None:
    assert judge(PROVEN, observation) == Verdict(True, observed)


@pytest.mark.parametrize(
    ("observation", "reason"),
    [
        (proven(9), "no backup of database was verified within 8d."),
        (proven(None, 9), "no backup of database was verified within 8d."),
        (proven(None, None), "no backup of database was ever restored, and no drill is set up."),
        (proven(1, 30, "b1"), "b1 was found damaged."),
    ],
    ids=["too long ago", "a timer that never fired", "never", "damaged"],
)
def test_backups_that_nobody_proved_are_not(observation: ProvenBackups, reason: str) -> None:
    verdict = judge(PROVEN, observation)
    assert (verdict.ok, verdict.reason) == (False, reason)
    assert "playbooks/" in verdict.remedy


def test_a_failed_unit_is_named() -> None:
    assert judge(UnitsCheck("host"), FailedUnits(())).ok
    verdict = judge(UnitsCheck("host"), FailedUnits(("apt-daily-upgrade.service", "a.service")))
    assert not verdict.ok
    assert verdict.reason == "apt-daily-upgrade.service, a.service failed."
    assert "systemctl status apt-daily-upgrade.service" in verdict.remedy


@pytest.mark.parametrize(("days", "ok"), [(None, True), (1, True), (7, True), (7.1, False), (30, False)])
def test_an_update_may_wait_for_a_reboot_for_a_while(days: float | None, ok: bool) -> None:
    now = datetime(2026, 11, 22, tzinfo=timezone.utc)
    since = None if days is None else now - timedelta(days=days)
    verdict = judge(RebootCheck("host"), RebootWanted(since, now))
    assert verdict.ok is ok
    assert ok or "longer than 7d" in verdict.reason
