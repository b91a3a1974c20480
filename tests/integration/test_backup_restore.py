"""Restores on a real host: after everything was destroyed, of damaged backups, killed half way."""

from __future__ import annotations

import base64
import json

import pytest

from tests.integration.backup_host import (
    DATABASE,
    DIRECTORY,
    POSTGRES_CONTAINER,
    REDIS,
    REDIS_CONTAINER,
    BackupHost,
    bench_fixture,
)
from tests.integration.bed_host import ROOT

pytestmark = pytest.mark.bed

__all__ = ["bench_fixture"]

MODULE = "composeops.stack.backup_restore"

SETTINGS_OF_APP = """
    SELECT setrole::regrole, setconfig FROM pg_db_role_setting JOIN pg_database d ON d.oid = setdatabase
    WHERE datname = 'app' ORDER BY 1
"""
SLEEPING = "SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(600)' AND datname = 'app'"
WRITTEN = "SELECT EXISTS (SELECT FROM load WHERE i = 0)"
WRITER = f"""\
while :; do echo "INSERT INTO load SELECT 0, 'new' FROM generate_series(1, 50);"; done |
    docker exec -i {POSTGRES_CONTAINER} psql -qX -U app app
"""  # noqa: S608 (nothing in it comes from anywhere)


def restore(bench: BackupHost, source: str, **options: str) -> dict[str, object]:
    """Restore a backup that no drill has proven, over whatever is there."""
    result = bench.host.module(MODULE, {"source": source, "unverified": True, **options})
    assert not result["failed"], result["msg"]
    return result


def test_a_row_and_a_key_are_back_after_containers_and_volumes_were_destroyed(bench: BackupHost) -> None:
    bench.psql("""
        CREATE TABLE pets(name text PRIMARY KEY); INSERT INTO pets VALUES ('Rex');
        CREATE ROLE reader LOGIN PASSWORD 'reader-password'; GRANT SELECT ON pets TO reader;
        ALTER DATABASE app SET search_path TO '$user', public; ALTER ROLE reader IN DATABASE app SET work_mem TO '8MB';
        REVOKE CONNECT ON DATABASE app FROM PUBLIC; GRANT CONNECT ON DATABASE app TO reader;
    """)
    bench.redis("SET", "pet:1", "Rex")
    bench.redis("SET", "session", "x", "EX", "3600")
    access = bench.psql("SELECT datacl FROM pg_database WHERE datname = 'app'")
    settings = bench.psql(SETTINGS_OF_APP)
    identifiers = {source: bench.backup(source) for source in (DATABASE, REDIS)}

    bench.destroy()
    bench.up()
    assert bench.psql("SELECT to_regclass('pets') IS NULL") == "t"
    assert bench.redis("DBSIZE") == "0"

    for source, identifier in identifiers.items():
        planned = bench.host.module(MODULE, {"source": source}, check=True, diff=True)
        assert planned["changed"]
        assert planned["backup"] == identifier
        assert "kept" not in planned
        assert "It was never drilled; nothing is there that it replaces." in planned["plan"]
    assert bench.psql("SELECT to_regclass('pets') IS NULL") == "t"
    assert bench.redis("DBSIZE") == "0"

    # No drill has proven these backups, and nothing is there that they replace.
    results = {source: bench.host.module(MODULE, {"source": source}) for source in identifiers}
    assert {source: result["backup"] for source, result in results.items()} == identifiers
    assert not any(result["verified"] for result in results.values())
    assert all("nothing is there that it replaces" in str(result["plan"]) for result in results.values())
    assert bench.psql("SELECT name FROM pets") == "Rex"
    assert bench.redis("GET", "pet:1") == "Rex"
    assert 0 < int(bench.redis("TTL", "session")) <= 3600
    assert bench.psql("SELECT datacl FROM pg_database WHERE datname = 'app'") == access
    assert bench.psql(SETTINGS_OF_APP) == settings
    assert bench.psql("SET ROLE reader; SELECT name FROM pets") == "Rex"
    aside = str(results[DATABASE]["kept"]).removeprefix("database ")
    assert aside in bench.psql("SELECT datname FROM pg_database").splitlines()

    # With `appendonly yes` a server reads its append-only files alone: they, too, have to be the restored ones.
    bench.compose("restart redis")
    bench.up()
    assert bench.redis("GET", "pet:1") == "Rex"


def test_what_serves_is_kept_and_clients_connect_again(bench: BackupHost) -> None:
    bench.psql("CREATE TABLE IF NOT EXISTS visits(n int); DELETE FROM visits; INSERT INTO visits VALUES (1)")
    bench.backup(DATABASE)
    bench.psql("INSERT INTO visits VALUES (2)")
    client = ["docker", "exec", "-d", POSTGRES_CONTAINER, "psql", "-U", "app", "app", "-c", "SELECT pg_sleep(600)"]
    bench.host.run(client, check=True)
    bench.wait(f'docker exec {POSTGRES_CONTAINER} psql -U app postgres -Atc "{SLEEPING}" | grep -qx 1')
    restored = restore(bench, DATABASE)
    assert "jobs at once" in str(restored["notes"])
    kept = str(restored["kept"]).removeprefix("database ")
    assert bench.psql("SELECT string_agg(n::text, ',') FROM visits") == "1"
    assert bench.psql("SELECT string_agg(n::text, ',' ORDER BY n) FROM visits", kept) == "1,2"
    assert bench.psql(SLEEPING) == "0"


def test_a_server_that_lets_nobody_in_over_its_loopback_is_restored_by_one_job(bench: BackupHost) -> None:
    edit = ["docker", "exec", POSTGRES_CONTAINER, "sed", "-i"]
    rules = bench.psql("SHOW hba_file")
    bench.psql("CREATE TABLE IF NOT EXISTS visits(n int)")
    bench.backup(DATABASE)
    bench.host.run([*edit, "1i host all all 127.0.0.1/32 reject", rules], check=True)
    try:
        bench.psql("SELECT pg_reload_conf()")
        restored = restore(bench, DATABASE)
    finally:
        bench.host.run([*edit, "1d", rules], check=True)
        bench.psql("SELECT pg_reload_conf()")
    assert "jobs at once" not in str(restored["notes"])


def test_data_is_not_replaced_by_a_backup_that_no_drill_has_proven(bench: BackupHost) -> None:
    bench.psql("CREATE TABLE IF NOT EXISTS serving(n int); INSERT INTO serving VALUES (1)")
    bench.redis("SET", "serving", "yes")
    there = {DATABASE: "there are rows in app: ", REDIS: "service redis holds "}
    for source, said in there.items():
        identifier = bench.backup(source)
        for check in (True, False) if source == DATABASE else (True,):
            refused = bench.host.module(MODULE, {"source": source}, check=check)
            assert f"Backup {identifier} of {source} is not verified, and would replace data: {said}" in refused["msg"]
            assert f"`composeops drill {source} --backup {identifier}`" in refused["msg"]
    refusal = bench.program(f"restore {DATABASE} --dry-run")
    assert (refusal.returncode, refusal.stdout) == (1, "")
    assert "None of its backups is verified" in refusal.stderr
    assert "restored because that was asked" in bench.program(f"restore {DATABASE} --dry-run --unverified").stdout

    # The refusal's own way on. The newest backup is again one that no drill has proven, and the proven one is named.
    proven = bench.ids(DATABASE)[-1]
    assert bench.program(f"drill {DATABASE} --backup {proven}").ok
    assert bench.host.module(MODULE, {"source": DATABASE}, check=True)["verified"]
    bench.backup(DATABASE)
    assert f"The newest verified one is {proven}, " in bench.program(f"restore {DATABASE} --dry-run").stderr
    named = {"source": DATABASE, "backup": proven, "identity": bench.identity}
    assert bench.host.module(MODULE, named, check=True)["verified"]


def test_rows_written_while_a_dump_runs_do_not_make_its_restore_fail(bench: BackupHost) -> None:
    bench.psql("CREATE TABLE IF NOT EXISTS load AS SELECT i, md5(i::text) AS v FROM generate_series(1, 300000) i")
    bench.host.write(f"{DIRECTORY}/load", WRITER)
    bench.host.run("systemctl reset-failed bkload.service")
    bench.host.run(f"systemd-run --quiet --unit bkload sh {DIRECTORY}/load", check=True)
    try:
        bench.wait(f"docker exec {POSTGRES_CONTAINER} psql -U app app -Atc '{WRITTEN}' | grep -qx t")
        identifier = bench.backup(DATABASE)
    finally:
        bench.host.run("systemctl stop bkload.service")
    written = int(bench.psql("SELECT count(*) FROM load"))
    notes = restore(bench, DATABASE, backup=identifier)["notes"]
    assert "as in the backup" in str(notes)
    assert 300000 < int(bench.psql("SELECT count(*) FROM load")) < written


@pytest.mark.parametrize(("source", "name"), [(DATABASE, "database.pgdump.zst.age"), (REDIS, "dump.rdb.zst.age")])
def test_a_damaged_object_is_refused_and_the_data_still_serves(bench: BackupHost, source: str, name: str) -> None:
    bench.psql("CREATE TABLE IF NOT EXISTS still(n int)")
    bench.redis("SET", "still", "here")
    identifier = bench.backup(source)
    key = f"{source}/{bench.name}/{identifier}/{name}"
    content = bytearray(bench.s3.get_object(Bucket=bench.bucket, Key=key)["Body"].read())
    content[len(content) // 2] ^= 1
    bench.s3.put_object(Bucket=bench.bucket, Key=key, Body=bytes(content))
    refused = bench.host.module(MODULE, {"source": source, "backup": identifier, "unverified": True})
    assert refused["failed"]
    assert "is damaged" in refused["msg"]
    assert bench.psql("SELECT to_regclass('still')") == "still"
    assert bench.redis("GET", "still") == "here"
    bench.s3.delete_object(Bucket=bench.bucket, Key=f"{source}/{bench.name}/{identifier}/manifest.json")


def falsify(bench: BackupHost, source: str, identifier: str, change: object) -> None:
    """Change a manifest, as if it had been made of other data."""
    key = f"{source}/{bench.name}/{identifier}/manifest.json"
    manifest = json.loads(bench.s3.get_object(Bucket=bench.bucket, Key=key)["Body"].read())
    manifest["invariants"] = change
    bench.s3.put_object(Bucket=bench.bucket, Key=key, Body=json.dumps(manifest).encode())


def test_a_database_that_is_not_what_was_counted_is_not_swapped_in(bench: BackupHost) -> None:
    bench.psql("CREATE TABLE IF NOT EXISTS counted(n int); DELETE FROM counted; INSERT INTO counted VALUES (1)")
    identifier = bench.backup(DATABASE)
    falsify(bench, DATABASE, identifier, {"rows": {"public.counted": 2}})
    bench.psql("UPDATE counted SET n = 7")
    refused = bench.host.module(MODULE, {"source": DATABASE, "backup": identifier, "unverified": True})
    assert refused["failed"]
    assert "public.counted has 1 instead of 2" in refused["msg"]
    assert bench.psql("SELECT n FROM counted") == "7"
    assert bench.psql("SELECT count(*) FROM pg_database WHERE datname LIKE '%restoring'") == "0"


def test_a_redis_that_is_not_what_was_counted_is_not_swapped_in(bench: BackupHost) -> None:
    bench.redis("SET", "still", "here")
    started = bench.host.run("docker inspect --format '{{.State.StartedAt}}' " + REDIS_CONTAINER).stdout
    identifier = bench.backup(REDIS)
    falsify(bench, REDIS, identifier, {"first_database": {"index": 0, "keys": 1000, "expiring": 0}})
    refused = bench.host.module(MODULE, {"source": REDIS, "backup": identifier, "unverified": True})
    assert refused["failed"]
    assert "1000 were in it" in refused["msg"]
    assert bench.redis("GET", "still") == "here"
    assert bench.host.run("docker inspect --format '{{.State.StartedAt}}' " + REDIS_CONTAINER).stdout == started
    assert "composeops-restore" not in bench.host.run("docker ps --all").stdout


def test_a_restore_killed_while_redis_is_stopped_is_recovered_by_the_next_run(bench: BackupHost) -> None:
    bench.redis("SET", "killed", "before")
    bench.backup(REDIS)
    bench.redis("SET", "killed", "after")
    bench.host.run("systemctl reset-failed bkr.service")
    bench.host.run(f"systemd-run --quiet --unit bkr composeops restore {REDIS} --unverified", check=True)
    # The moment between stopping the server and starting it again.
    bench.host.run(
        f"until [ \"$(docker inspect --format '{{{{.State.Running}}}}' {REDIS_CONTAINER})\" = false ]; do :; done; "
        "systemctl kill --signal KILL bkr.service",
        check=True,
    )
    bench.wait("! systemctl is-active --quiet bkr.service")
    assert bench.host.run("docker inspect --format '{{.State.Running}}' " + REDIS_CONTAINER).stdout == "false\n"
    completed = bench.program(f"backup run {REDIS}")
    assert "an interrupted restore" in completed.stdout
    bench.up()
    assert bench.redis("GET", "killed") in ("before", "after")
    assert completed.ok or bench.program(f"backup run {REDIS}").ok
    assert "composeops-restore" not in bench.host.run("docker ps --all").stdout


def test_a_redis_that_cannot_start_any_more_is_restored(bench: BackupHost) -> None:
    bench.redis("SET", "survivor", "yes")
    bench.backup(REDIS)
    bench.compose("stop redis")
    volume = bench.host.run(
        "docker volume inspect --format '{{.Mountpoint}}' backuptest_redis", check=True
    ).stdout.strip()
    bench.host.run(f"for f in {volume}/appendonlydir/*; do echo rubbish > $f; done", check=True)
    bench.compose("start redis")
    bench.wait(f"docker logs {REDIS_CONTAINER} 2>&1 | grep -qi 'fatal\\|format'")
    bench.compose("stop redis")
    restore(bench, REDIS)
    bench.up()
    assert bench.redis("GET", "survivor") == "yes"


def test_a_service_without_a_container_is_told_what_to_do(bench: BackupHost) -> None:
    bench.backup(DATABASE)
    bench.compose("rm --force --stop postgres")
    try:
        refused = bench.host.module(MODULE, {"source": DATABASE}, check=True)
    finally:
        bench.up()
    assert refused["failed"]
    assert "Deploy the stack first" in refused["msg"]


def remote(bench: BackupHost, source: str, identifier: str, name: str) -> str:
    return f"{source}/{bench.name}/{identifier}/{name}"


def test_only_the_operators_key_opens_an_older_backup(bench: BackupHost) -> None:
    bench.redis("SET", "of", "the older one")
    older = bench.backup(REDIS)
    newest = bench.backup(REDIS)
    told = {"source": REDIS, "unverified": True}
    assert not bench.host.module(MODULE, {**told, "backup": newest}, check=True)["failed"]

    locked = bench.host.module(MODULE, {**told, "backup": older})
    assert locked["failed"]
    assert f"is encrypted to {bench.recipients[0]}, {bench.recipients[1]}" in locked["msg"]
    another = bench.host.output("age-keygen 2>/dev/null")
    wrong = bench.host.module(MODULE, {**told, "backup": older, "identity": another})
    assert "does not open backup" in wrong["msg"]
    assert bench.recipients[1] in wrong["msg"]

    bench.redis("SET", "of", "now")
    opened = bench.host.run(
        f"composeops restore {REDIS} --backup {older} --unverified --identity-file -", stdin=bench.identity, check=True
    )
    assert "keys, as in the backup" in opened.stdout
    assert bench.redis("GET", "of") == "the older one"
    assert not bench.host.run("grep -rl AGE-SECRET-KEY /var/lib/composeops /tmp | grep -v identity$").ok


def test_an_object_that_was_cut_short_is_refused(bench: BackupHost) -> None:
    identifier = bench.backup(DATABASE)
    key = remote(bench, DATABASE, identifier, "database.pgdump.zst.age")
    content = bench.s3.get_object(Bucket=bench.bucket, Key=key)["Body"].read()
    bench.s3.put_object(Bucket=bench.bucket, Key=key, Body=content[: len(content) // 2])
    planned = bench.host.module(MODULE, {"source": DATABASE, "unverified": True}, check=True)
    assert "bytes in the store; its manifest says" in planned["msg"]
    refused = bench.host.module(MODULE, {"source": DATABASE, "unverified": True})
    assert "is damaged" in refused["msg"]
    bench.s3.delete_object(Bucket=bench.bucket, Key=remote(bench, DATABASE, identifier, "manifest.json"))


def test_a_backup_that_failed_its_verification_is_restored_only_when_that_is_said(bench: BackupHost) -> None:
    identifier = bench.backup(REDIS)
    record = "verification-20260131T023000Z-L3-failed-1f2e3d4c.json"
    bench.s3.put_object(Bucket=bench.bucket, Key=remote(bench, REDIS, identifier, record), Body=b"{}")
    refused = bench.host.module(MODULE, {"source": REDIS}, check=True)
    assert refused["failed"]
    assert "failed its last verification, to level 3" in refused["msg"]
    planned = bench.host.module(MODULE, {"source": REDIS, "unverified": True}, check=True)
    assert not planned["failed"]
    assert "Its last verification failed; it is restored because that was asked for." in planned["plan"]


def test_a_backup_is_read_with_the_commands_of_the_documentation(bench: BackupHost) -> None:
    page = (ROOT / "docs/backups.md").read_text(encoding="utf-8").partition("## Without any of this")[2]
    download, *commands = page.partition("```console\n")[2].partition("```")[0].strip().splitlines()
    assert download.startswith("aws s3 cp --recursive")
    bench.psql("CREATE TABLE IF NOT EXISTS by_hand(n int)")
    identifier = bench.backup(DATABASE)
    directory = "/srv/by-hand"
    bench.host.write(f"{directory}/operator.key", bench.identity, mode="0600")
    try:
        # boto3 does what the first command does.
        for key in bench.keys(DATABASE):
            name = key.rpartition("/")[2]
            if f"/{identifier}/" in key:
                content = bench.s3.get_object(Bucket=bench.bucket, Key=key)["Body"].read()
                encoded = base64.b64encode(content).decode()
                bench.host.run(f"base64 --decode > {directory}/{name}", stdin=encoded, check=True)
        # PostgreSQL's own tools are in its container.
        tool = f"pg_restore() {{ docker exec -i {POSTGRES_CONTAINER} pg_restore $1 < $2; }}"
        said = bench.host.output("\n".join(["set -eu", f"cd {directory}", tool, *commands]))
        for stored in bench.manifest(DATABASE, identifier)["objects"]:
            assert said.count(stored["sha256"]) == 2
        assert "TABLE DATA public by_hand app" in said
    finally:
        bench.host.run(["rm", "-r", directory])
