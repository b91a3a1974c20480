"""Backups are taken on a real host, of a real PostgreSQL and Redis, to a real S3 server, and made to fail there."""

from __future__ import annotations

import hashlib
import json

import pytest

from tests.integration.backup_host import (
    DATABASE,
    POSTGRES_CONTAINER,
    REDIS,
    SETTINGS,
    STATE,
    BackupHost,
    bench_fixture,
)

pytestmark = pytest.mark.bed

__all__ = ["bench_fixture"]

MODULE = "composeops.stack.backup"
BIG = "CREATE TABLE big AS SELECT i, md5(random()::text) || md5(random()::text) FROM generate_series(1, 800000) i"
DUMPING = "grep -lx pg_dump /proc/[0-9]*/comm"


def in_background(source: str) -> str:
    """Return what starts a backup as a unit of its own, with its exit status kept by systemd."""
    return (
        f"systemctl reset-failed bk.service 2>/dev/null; systemd-run --quiet --unit bk composeops backup run {source}"
    )


def finished(bench: BackupHost) -> str:
    """Wait for the backup in the background and return what it ended with."""
    bench.wait("! systemctl is-active --quiet bk.service")
    return bench.host.run("systemctl show --property ExecMainStatus --value bk.service").stdout.strip()


@pytest.fixture
def big(bench: BackupHost) -> None:
    """A table whose dump takes a moment."""
    if bench.psql("SELECT to_regclass('big') IS NULL") == "t":
        bench.psql(BIG)


def test_a_host_that_is_not_set_up_is_predicted_in_check_mode(bench: BackupHost) -> None:
    settings = bench.host.read(SETTINGS)
    bench.host.run(["rm", SETTINGS], check=True)
    try:
        predicted = bench.host.module(MODULE, {"sources": [DATABASE, REDIS], "initial": True}, check=True)
        refused = bench.host.module(MODULE, {"initial": True})
    finally:
        bench.host.write(SETTINGS, settings, mode="0600")
    assert predicted["changed"]
    assert predicted["plan"] == [f"Back up {name}: it is not set up on this host yet." for name in (DATABASE, REDIS)]
    assert refused["failed"]
    assert "Run playbooks/site.yml" in refused["msg"]


def test_pet_07_a_first_backup_is_predicted_taken_and_not_taken_again(bench: BackupHost) -> None:
    wanted = {"sources": [DATABASE, REDIS], "initial": True}
    predicted = bench.host.module(MODULE, wanted, check=True, diff=True)
    assert predicted["changed"]
    assert predicted["diff"][0]["after"] == f"{DATABASE}: a new backup\n{REDIS}: a new backup\n"
    assert bench.keys() == []

    taken = bench.host.module(MODULE, wanted, diff=True)
    assert taken["changed"], taken
    assert taken["plan"] == predicted["plan"]
    assert [backup["source"] for backup in taken["backups"]] == [DATABASE, REDIS]
    (identifier,) = bench.ids(DATABASE)
    beginning = f"{DATABASE}/{bench.name}/{identifier}"
    assert bench.keys(DATABASE) == [
        f"{beginning}/{name}" for name in ("database.pgdump.zst.age", "globals.sql.zst.age", "manifest.json")
    ]
    assert f"{DATABASE}: {identifier}\n" in taken["diff"][0]["after"]

    again = bench.host.module(MODULE, wanted)
    assert not again["changed"]
    assert again["backups"] == []
    assert not bench.host.module(MODULE, wanted, check=True)["changed"]
    assert bench.ids(DATABASE) == [identifier]


def test_only_what_is_old_enough_is_backed_up_again(bench: BackupHost) -> None:
    before = bench.ids(REDIS)
    young = bench.host.module(MODULE, {"sources": [REDIS], "only_if_older_than": "1h"})
    assert not young["changed"]
    old = bench.host.module(MODULE, {"sources": [REDIS], "only_if_older_than": "0s"})
    assert old["changed"], old
    assert len(bench.ids(REDIS)) == len(before) + 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"sources": ["databse"]}, "databse is not a backup source of this host; there are:"),
        ({"initial": True, "only_if_older_than": "1h"}, "say two things"),
        ({"only_if_older_than": "soon"}, "is not a duration"),
    ],
    ids=["unknown source", "two conditions", "no duration"],
)
def test_bad_input_is_refused(bench: BackupHost, arguments: dict[str, object], message: str) -> None:
    before = bench.keys()
    refused = bench.host.module(MODULE, arguments)
    assert refused["failed"]
    assert message in refused["msg"]
    assert bench.keys() == before


def test_what_is_stored_is_encrypted_and_the_host_keeps_the_key_of_its_newest_alone(bench: BackupHost) -> None:
    bench.psql("CREATE TABLE IF NOT EXISTS plain(t text); INSERT INTO plain VALUES ('in plain text')")
    identifier = bench.backup(DATABASE)
    manifest = bench.manifest(DATABASE, identifier)
    assert manifest["schema"] == 2
    assert manifest["recipients"][:2] == bench.recipients
    assert len(manifest["recipients"]) == 3
    for stored in manifest["objects"]:
        key = f"{DATABASE}/{bench.name}/{identifier}/{stored['name']}.zst.age"
        content = bench.s3.get_object(Bucket=bench.bucket, Key=key)["Body"].read()
        assert content.startswith(b"age-encryption.org/v1\n")
        assert (len(content), hashlib.sha256(content).hexdigest()) == (stored["bytes"], stored["sha256"])
        assert stored["plain_bytes"] > 0
    kept = f"{STATE}/{DATABASE}.identity"
    assert bench.host.run(["stat", "-c", "%a %U", kept]).stdout == "600 root\n"
    assert json.loads(bench.host.read(kept))["id"] == identifier
    # No other private key is anywhere on the host.
    found = bench.host.run("grep -rl AGE-SECRET-KEY /etc /var/lib/composeops /root /home /tmp /run 2>/dev/null").stdout
    assert sorted(found.split()) == [f"{STATE}/{name}.identity" for name in sorted(kept_keys(bench))]


def kept_keys(bench: BackupHost) -> list[str]:
    return [name for name in (DATABASE, REDIS) if bench.host.exists(f"{STATE}/{name}.identity")]


@pytest.mark.usefixtures("big")
@pytest.mark.parametrize("program", ["zstd", "age"])
def test_a_program_that_is_killed_on_the_way_leaves_nothing_and_is_named(bench: BackupHost, program: str) -> None:
    before = bench.keys()
    bench.host.run(in_background(DATABASE), check=True)
    bench.wait(DUMPING)
    bench.host.run(f"kill -9 $(grep -lx {program} /proc/[0-9]*/comm | cut -d/ -f3)", check=True)
    assert finished(bench) == "1"
    assert bench.keys() == before
    assert bench.uploads() == []
    assert f"{program} of database.pgdump failed with status -9" in bench.record(DATABASE)["error"]
    assert bench.psql("SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'composeops-backup%'") == "0"


@pytest.mark.usefixtures("big")
def test_a_dump_that_is_killed_leaves_no_object_and_no_upload_and_fails(bench: BackupHost) -> None:
    before = bench.keys()
    bench.host.run(in_background(DATABASE), check=True)
    bench.wait(DUMPING)
    bench.host.run(f"kill -9 $({DUMPING} | cut -d/ -f3)", check=True)
    assert finished(bench) == "1"
    assert bench.keys() == before
    assert bench.uploads() == []
    record = bench.record(DATABASE)
    assert record["outcome"] == "failed"
    assert "pg_dump of app failed with status 137" in record["error"]
    # PostgreSQL takes a child that fails for a crash of its own: nothing of ours may become one.
    assert (
        "terminating any other active server processes"
        not in bench.host.run(["docker", "logs", POSTGRES_CONTAINER]).stderr
    )


@pytest.mark.usefixtures("big")
def test_a_run_that_is_stopped_takes_back_what_it_sent(bench: BackupHost) -> None:
    before = bench.keys()
    bench.host.run(in_background(DATABASE), check=True)
    bench.wait(DUMPING)
    bench.host.run("systemctl stop bk.service", check=True)
    assert bench.keys() == before
    assert bench.uploads() == []
    assert bench.record(DATABASE)["error"].startswith("Stopped by SIGTERM")
    assert bench.psql("SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'composeops-backup%'") == "0"


@pytest.mark.usefixtures("big")
def test_a_run_that_is_killed_is_seen_and_the_next_one_ends_what_it_left(bench: BackupHost) -> None:
    before = bench.ids(DATABASE)
    bench.host.run(in_background(DATABASE), check=True)
    bench.wait(DUMPING)
    bench.host.run("systemctl kill --signal KILL bk.service", check=True)
    finished(bench)
    information = bench.host.module("composeops.stack.backup_info", {"sources": [DATABASE]})
    assert information["sources"][0]["last_run"]["outcome"] == "interrupted"
    assert bench.ids(DATABASE) == before
    bench.backup(DATABASE)
    assert len(bench.ids(DATABASE)) == len(before) + 1
    assert bench.psql("SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'composeops-backup%'") == "0"


@pytest.mark.usefixtures("big")
def test_a_store_that_goes_away_in_the_middle_commits_nothing_and_is_named(bench: BackupHost) -> None:
    before = bench.ids(DATABASE)
    rule = f"OUTPUT -d {bench.store_address} -p tcp -j REJECT --reject-with tcp-reset"
    bench.host.run(in_background(DATABASE), check=True)
    try:
        bench.wait(DUMPING)
        bench.host.run(f"iptables -I {rule}", check=True)
        assert finished(bench) == "1"
    finally:
        bench.host.run(f"iptables -D {rule}")
    assert bench.ids(DATABASE) == before
    assert f"{bench.store['endpoint']} could not be asked to" in bench.record(DATABASE)["error"]


def test_the_timers_unit_runs_confined_and_shows_its_failure(bench: BackupHost) -> None:
    unit = f"composeops-backup@{REDIS}.service"
    before = bench.ids(REDIS)
    bench.host.run(["systemctl", "start", unit], check=True)
    assert len(bench.ids(REDIS)) == len(before) + 1
    assert bench.host.output(["systemctl", "show", "--property", "CPUQuotaPerSecUSec", "--value", unit]) == "4s"
    assert f"composeops-backup@{REDIS}.timer" in bench.host.run("systemctl list-timers").stdout

    bench.compose("stop redis")
    try:
        assert not bench.host.run(["systemctl", "start", unit]).ok
        assert unit in bench.host.run("systemctl --failed --plain").stdout
        journal = bench.host.run(["journalctl", "--unit", unit, "--lines", "20"]).stdout
        assert f"backup of {REDIS} failed: Service redis of stack backuptest has no running container" in journal
    finally:
        bench.compose("start redis")
        bench.host.run(["systemctl", "reset-failed", unit])


@pytest.mark.usefixtures("big")
def test_two_runs_of_a_source_do_not_mix(bench: BackupHost) -> None:
    before = bench.ids(DATABASE)
    bench.host.run(in_background(DATABASE), check=True)
    bench.wait(DUMPING)
    second = bench.program(f"backup run {DATABASE}")
    assert second.returncode == 1
    assert f"is held by backup of {DATABASE}" in second.stderr
    assert finished(bench) == "0"
    assert len(bench.ids(DATABASE)) == len(before) + 1


@pytest.mark.usefixtures("big")
def test_no_secret_is_in_an_argument_an_environment_of_the_host_or_a_log(bench: BackupHost) -> None:
    """Everything that every process of the host was started with is looked at while backups run."""
    watch = """
        seen=$(mktemp); systemctl reset-failed bk.service 2>/dev/null
        systemd-run --quiet --unit bk composeops backup run --all
        while systemctl is-active --quiet bk.service; do cat /proc/[0-9]*/cmdline >> $seen 2>/dev/null; done
        tr '\\0' ' ' < $seen; journalctl --unit bk.service; cat /var/lib/composeops/backup/*.run.json; rm $seen
    """
    seen = bench.host.run(watch).stdout
    assert "pg_dump" in seen
    secret_key = json.loads(bench.host.read(SETTINGS))["store"]["secret_key"]
    for secret in (*bench.passwords.values(), secret_key, "AGE-SECRET-KEY"):
        assert secret not in seen
    assert bench.host.run(["stat", "-c", "%a %U", SETTINGS]).stdout == "600 root\n"
