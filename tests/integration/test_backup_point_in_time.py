"""A whole PostgreSQL to a moment, on a real host: written to meanwhile, with the store away, after its host is lost."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable
from datetime import datetime, timedelta, timezone

import pytest

from tests.integration.bed_host import ROOT
from tests.integration.pitr_host import (
    BACKUP_UNIT,
    CONTAINER,
    SOURCE,
    SPOOL,
    SPOOL_SEGMENTS,
    WAL_UNIT,
    PitrHost,
    Written,
    bench_fixture,
)
from tests.support.fault_proxy import Request, fault_proxy

pytestmark = pytest.mark.bed

__all__ = ["bench_fixture"]

PROMISED = 60.0
"""Seconds of writes that a lost host may cost."""


@pytest.fixture(scope="module", name="base")
def base_fixture(bench: PitrHost) -> str:
    """The service asks for the first base backup itself, as soon as it sees that there is none."""
    bench.wait_until_sent()
    return bench.ids(SOURCE)[-1]


def moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, timezone.utc).isoformat()


def hold_to(bench: PitrHost, rows: list[Written], target: float) -> None:
    """Everything that was acknowledged before the moment is there, and nothing that was begun after it."""
    there = bench.rows()
    assert {row.number for row in rows if row.acknowledged <= target} <= there
    assert not {row.number for row in rows if row.begun > target} & there


def test_a_moment_while_the_store_was_away_comes_back_exactly(bench: PitrHost, base: str) -> None:
    reject = f"OUTPUT -d {bench.store_address} -p tcp -j REJECT --reject-with tcp-reset"
    bench.begin_load()
    bench.host.run(f"iptables -I {reject}", check=True)
    try:
        bench.wait(f"ls {SPOOL}/*/ | grep -q '^[0-9A-F]*$'")
        target = bench.now().timestamp()
        bench.wait(f"test $(ls {SPOOL}/*/ | grep -c '^[0-9A-F]*$') -ge 2")
        sent = bench.segments()
        assert "could not be asked" in bench.journal()
    finally:
        bench.host.run(f"iptables -D {reject}", check=True)
    rows = bench.end_load()
    bench.wait_until_sent()
    assert len(bench.segments()) >= len(sent) + 2
    assert rows[0].acknowledged < target < rows[-1].begun

    refused = bench.restore(check=True, target_time=moment(target))
    assert f"{base} of {SOURCE} is not verified, and would replace data: there are rows in app: " in refused["msg"]
    planned = bench.restore(check=True, unverified=True, target_time=moment(target))
    assert not planned["failed"], planned["msg"]
    assert planned["backup"] == base
    assert {row.number for row in rows} <= bench.rows()

    restored = bench.restore(unverified=True, target_time=moment(target))
    assert not restored["failed"], restored["msg"]
    hold_to(bench, rows, target)
    assert "could be read" in str(restored["notes"])
    assert bench.psql("SHOW max_connections") == "150"
    kept = str(restored["kept"]).split(" ")[0]
    assert bench.host.run(["docker", "exec", CONTAINER, "test", "-e", f"{kept}/PG_VERSION"]).ok

    # A restore begins a timeline of its own, with a base backup that the service asks for.
    bench.wait_until_sent()
    assert bench.ids(SOURCE)[-1] > base
    assert any(name.startswith("00000002.history") for name in bench.segments())


def test_a_drill_recovers_to_a_moment_after_the_base(bench: PitrHost, base: str) -> None:
    drilled = bench.program(f"drill {SOURCE}")
    assert drilled.ok, drilled
    assert "level 4" in drilled.stdout
    assert [key for key in bench.stored() if "-L4-passed-" in key]
    assert "not in the store yet" in bench.program("list").stdout
    (listed,) = bench.host.module("composeops.stack.backup_info", {"sources": [SOURCE]})["sources"]
    assert listed["log"]["problem"] == ""
    assert listed["verified"]
    assert bench.host.output("docker ps --all --quiet --filter label=composeops.drill") == ""
    assert "composeops-drill" not in bench.host.output("docker volume ls")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        pytest.param({"target_time": "2026-01-31T03:59:00"}, "has no time zone", id="without its zone"),
        pytest.param({"target_time": "2020-01-31T03:59:00Z"}, "no base backup", id="before the first base"),
        pytest.param({"target_time": "2099-01-31T03:59:00Z"}, "does not have the log up to", id="in the future"),
    ],
)
def test_a_moment_that_cannot_be_reached_is_refused(
    bench: PitrHost, base: str, options: dict[str, str], said: str
) -> None:
    refused = bench.restore(check=True, **options)
    assert refused["failed"]
    assert said in refused["msg"]


def test_a_killed_service_goes_on_without_a_gap(bench: PitrHost, base: str) -> None:
    bench.begin_load()
    for _ in range(2):
        bench.host.run(f"systemctl kill --signal KILL {WAL_UNIT}", check=True)
        bench.wait(f"systemctl is-active --quiet {WAL_UNIT}")
        bench.wait_until_marked()
    rows = bench.end_load()
    bench.wait_until_sent()
    assert len(rows) > 0
    assert "is missing" not in bench.journal()


def test_a_lost_host_loses_no_more_than_promised(bench: PitrHost, base: str) -> None:
    bench.begin_load()
    bench.wait_until_marked()
    lag = bench.lag()
    assert lag.ok, lag
    lost_at = bench.now().timestamp()
    bench.host.run(f"systemctl stop {WAL_UNIT}; docker kill {CONTAINER}")
    rows = bench.end_load()
    bench.destroy()
    bench.host.run(f"rm -rf {SPOOL}")

    # The new one is empty, of another cluster, and has another password.
    bench.set_password(secrets.token_urlsafe(24))
    bench.up()
    bench.host.run(f"systemctl start {WAL_UNIT}", check=True)
    bases = bench.ids(SOURCE)
    restored = bench.restore()
    assert not restored["failed"], restored["msg"]
    assert bench.ids(SOURCE)[: len(bases)] == bases
    there = bench.rows()
    newest = max(row.acknowledged for row in rows if row.number in there)
    missing = [row for row in rows if row.number not in there]
    lost = lost_at - newest
    print(f"lag before: {lag.stdout.strip()}; lost {len(missing)} rows, the last {lost:.1f} s; {restored['seconds']}")
    assert lost <= PROMISED
    assert all(row.acknowledged > newest for row in missing)
    bench.wait_until_sent()


def test_a_missing_segment_is_refused_and_mended_by_a_new_base(bench: PitrHost, base: str) -> None:
    bench.begin_load()
    bench.wait_until_marked()
    bench.end_load()
    bench.wait_until_sent()
    newest = bench.ids(SOURCE)[-1]
    manifest = json.loads(
        bench.s3.get_object(Bucket=bench.bucket, Key=f"{SOURCE}/{bench.name}/{newest}/manifest.json")["Body"].read()
    )
    of_cluster = [key for key in bench.stored() if f"/wal/{manifest['origin']['system_identifier']}/" in key]
    after = [key for key in of_cluster if f"/{manifest['origin']['timeline']:08X}00" in key][-2]
    bench.s3.delete_object(Bucket=bench.bucket, Key=after)
    assert "is missing in the store" in bench.lag().stdout
    refused = bench.restore(check=True)
    assert refused["failed"]
    assert "is not in the store, although later ones are" in refused["msg"]
    bench.host.run(f"systemctl restart {WAL_UNIT}", check=True)
    bench.wait_until_sent()
    assert bench.ids(SOURCE)[-1] > newest


RECEIVERS = "SELECT count(*) FROM pg_stat_replication"
SLOT = "SELECT wal_status FROM pg_replication_slots WHERE slot_name LIKE 'composeops_wal%'"


def test_a_full_spool_leaves_the_log_to_the_database_and_loses_nothing(bench: PitrHost, base: str) -> None:
    newest = bench.ids(SOURCE)[-1]
    reject = f"OUTPUT -d {bench.store_address} -p tcp -j REJECT --reject-with tcp-reset"
    bench.host.run(f"iptables -I {reject}", check=True)
    try:
        bench.write_segments(SPOOL_SEGMENTS + 1)
        full = "of the log wait on this host; no more is received, and the database keeps it"
        bench.wait(f"journalctl --output cat --unit {WAL_UNIT} | grep -q '{full}'")
        bench.wait(f"docker exec {CONTAINER} psql -U app -Atc '{RECEIVERS}' app | grep -qx 0")
        waiting = bench.host.output(f"ls {SPOOL}/*/")
        bench.write_segments(2)
        assert bench.psql(SLOT) in ("reserved", "extended")
        assert bench.host.output(f"ls {SPOOL}/*/") == waiting
    finally:
        bench.host.run(f"iptables -D {reject}", check=True)
    bench.wait_until_sent()
    assert bench.ids(SOURCE)[-1] == newest, "a gap was found and mended by a new base backup"
    assert "Well again" in bench.journal()


def test_a_log_that_the_server_gave_up_is_told_and_mended_by_a_new_base(bench: PitrHost, base: str) -> None:
    newest = bench.ids(SOURCE)[-1]
    bench.psql("ALTER SYSTEM SET max_slot_wal_keep_size = '32MB'")
    bench.psql("SELECT pg_reload_conf()")
    bench.host.run(f"systemctl stop {WAL_UNIT}", check=True)
    try:
        bench.write_segments(5)
        bench.psql("CHECKPOINT")
        assert bench.psql(SLOT) == "lost"
        behind = bench.lag()
        assert behind.returncode == 1, behind
        assert "the server gave up a part of the log that was not received" in behind.stdout
    finally:
        bench.psql("ALTER SYSTEM RESET max_slot_wal_keep_size")
        bench.psql("SELECT pg_reload_conf()")
        bench.host.run(f"systemctl start {WAL_UNIT}", check=True)
    # At once, and not when a later segment shows the gap.
    told = "No restore could go up to now: the server gave up a part of the log"
    bench.wait(f"journalctl --output cat --unit {WAL_UNIT} | grep -q '{told}'", seconds=20)
    bench.write_segments(1)
    bench.wait_until_sent()
    assert bench.psql(SLOT) == "reserved"
    assert bench.ids(SOURCE)[-1] > newest
    said = bench.journal()
    assert "The server gave up keeping the log that was not received: a part of it is lost." in said
    assert f"Starting {BACKUP_UNIT} for a new base backup." in said


def older(keys: set[str], by: timedelta) -> Callable[[Request, bytes], bytes]:
    """Rewrite listings: the store took these objects so much earlier."""

    def rewrite(request: Request, body: bytes) -> bytes:
        if request.method != "GET" or b"<ListBucketResult" not in body:
            return body

        def dated(match: re.Match[str]) -> str:
            key, moment = match["key"], datetime.fromisoformat(match["moment"].replace("Z", "+00:00"))
            shown = moment - by if key in keys else moment
            return match[0].replace(match["moment"], f"{shown:%Y-%m-%dT%H:%M:%S.000Z}")

        entry = r"<Contents>.*?<Key>(?P<key>[^<]*)</Key>.*?<LastModified>(?P<moment>[^<]*)<.*?</Contents>"
        return re.sub(entry, dated, body.decode(), flags=re.S).encode()

    return rewrite


def test_pruning_removes_the_log_before_the_oldest_base_and_every_later_moment_is_reached(
    bench: PitrHost, base: str
) -> None:
    # Hours are too long for a test: the store is made to say that it took what is there now long ago.
    before = {key for key in bench.stored() if "/wal/" in key and ".history" not in key}
    newest = bench.backup(SOURCE)
    bench.begin_load()
    bench.wait_until_marked()
    target = bench.now().timestamp()
    bench.wait_until_marked()
    rows = bench.end_load()
    drilled = bench.program(f"drill {SOURCE}")
    assert drilled.ok, drilled

    with fault_proxy(bench.store["endpoint"], bench.store["ca"], "127.0.0.1") as (proxy, url):
        proxy.rewrite = older(before, timedelta(hours=3))
        given = {
            "only_source": SOURCE,
            "only_host": bench.name,
            "backup_retention": {"daily": 1, "minimum_age": "0s", "point_in_time": "0s"},
            "backup_prune_store": {**bench.prune_store, "endpoint": url, "ca": ""},
            "force_above": 100,
        }
        pruned = bench.host.playbook(ROOT / "playbooks/prune.yml", extra_variables=given)
        assert pruned.ok, pruned.output
        again = bench.host.playbook(ROOT / "playbooks/prune.yml", extra_variables=given)
        assert again.ok and not again.changed, again.output
    assert bench.ids(SOURCE) == [newest]
    assert not before & set(bench.stored())
    assert bench.segments()

    refused = bench.restore(check=True, target_time=moment(rows[0].begun - 3600))
    assert "no base backup" in refused["msg"]
    restored = bench.restore(target_time=moment(target))
    assert not restored["failed"], restored["msg"]
    assert restored["verified"]
    hold_to(bench, rows, target)
