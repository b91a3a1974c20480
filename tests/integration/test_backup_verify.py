"""Backups are proven on a real host: read, restored without network, compared, logged in to; and found bad where they
are."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import yaml

from tests.integration.backup_host import (
    DATABASE,
    POSTGRES_CONTAINER,
    REDIS,
    SETTINGS,
    STACK,
    STATE,
    BackupHost,
    bench_fixture,
)

pytestmark = pytest.mark.bed

__all__ = ["bench_fixture"]

MODULE = "composeops.stack.backup_verify"
FILES = f"{STACK}-files"
KEPT = "/srv/backuptest-files"
SWITCH = "/run/composeops-switch"
LABEL = "label=composeops.drill"
MONITOR = "/etc/composeops/monitor.json"
WATCHING = {
    "host": "petcare1",
    "checks": [{"name": "a", "type": "container", "stack": STACK}],
    "webhooks": [{"name": "people", "format": "json", "url": "http://127.0.0.1:8099/alerts"}],
}
METRICS = "/var/lib/composeops/metrics/backup.prom"

RECEIVER = f"""\
import http.server, json
class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        with open("{SWITCH}.jsonl", "a") as stream:
            stream.write(json.dumps([self.path, body]) + "\\n")
        self.send_response(200)
        self.end_headers()
    def log_message(self, *words): pass
http.server.HTTPServer(("127.0.0.1", 8099), Handler).serve_forever()
"""


@dataclass
class Taken:
    """The backups that the drills are of, by source."""

    ids: dict[str, str]


@pytest.fixture(scope="module")
def taken(bench: BackupHost) -> Iterator[Taken]:
    """Fill database, Redis and files, and back each up, with a dead-man's switch beside them."""
    host = bench.host
    bench.psql(
        "CREATE ROLE reader LOGIN PASSWORD 'not the one of the stack';"
        "CREATE TABLE orders AS SELECT i, md5(i::text) AS what FROM generate_series(1, 20000) i;"
        "CREATE TABLE empty (i int); GRANT SELECT ON orders TO reader;"
    )
    bench.redis("SET", "kept", "for good")
    host.run(f"mkdir -p {KEPT}/deep && echo one > {KEPT}/one && ln -s one {KEPT}/link", check=True)
    host.run(f"echo two > {KEPT}/deep/two && chown 999:998 {KEPT}/deep/two && chmod 4750 {KEPT}/deep/two", check=True)
    settings = json.loads(host.read(SETTINGS))
    for source in settings["sources"]:
        source["heartbeat_url"] = "http://127.0.0.1:8099/secret-of-" + source["type"]
        source["drill_heartbeat_url"] = source["heartbeat_url"] + "-drills"
    settings["sources"].append({"name": FILES, "type": "files", "stack": STACK, "paths": [KEPT]})
    host.write(SETTINGS, json.dumps(settings), mode="0600")
    host.write(f"{SWITCH}.py", RECEIVER)
    host.run(f"systemd-run --quiet --unit composeops-switch python3 {SWITCH}.py", check=True)
    bench.wait("ss -Hltn 'sport = :8099' | grep -q .")
    try:
        bench.redis("SET", "passing", "soon gone", "PX", "20000")
        yield Taken({name: bench.backup(name) for name in (REDIS, DATABASE, FILES)})
    finally:
        host.run(f"systemctl stop composeops-switch; rm -rf {SWITCH}.* {KEPT} {STATE}/{FILES}.*")
        for key in bench.keys(FILES):
            bench.s3.delete_object(Bucket=bench.bucket, Key=key)


def verifications(bench: BackupHost, source: str, identifier: str) -> list[dict[str, Any]]:
    """Return the records of a backup's verifications, oldest first."""
    keys = [key for key in bench.keys(source) if f"/{identifier}/verification-" in key]
    return [json.loads(bench.s3.get_object(Bucket=bench.bucket, Key=key)["Body"].read()) for key in sorted(keys)]


def metric(bench: BackupHost, name: str, source: str) -> float:
    match = re.search(rf'^composeops_backup_{name}{{source="{source}",[^}}]*}} (\S+)$', bench.host.read(METRICS), re.M)
    assert match, name
    return float(match[1])


def leftovers(bench: BackupHost) -> str:
    return bench.host.output(f"docker ps --all --quiet --filter {LABEL}; ls -d {STATE}/*.drill 2>/dev/null; true")


def test_a_drill_restores_compares_logs_in_and_records_it(bench: BackupHost, taken: Taken) -> None:
    before = bench.program("list").stdout
    assert re.search(rf"^{DATABASE} .* no ", before, re.M), before
    asked = f"docker exec -e REDISCLI_AUTH=$(cat /srv/{STACK}/redis) {STACK}-redis-1 redis-cli EXISTS passing"
    bench.wait(f"{asked} | grep -qx 0")
    # As their timers do.
    units = " ".join(f"composeops-drill@{source}.service" for source in (DATABASE, REDIS, FILES))
    drilled = bench.host.run(f"systemctl start {units}")
    said = bench.host.output("journalctl --quiet --output=cat --lines=100 --unit='composeops-drill@*'")
    assert drilled.ok, said
    assert bench.passwords["DB_PASSWORD"] not in said + bench.host.read(METRICS)
    for source in (DATABASE, REDIS, FILES):
        (record,) = verifications(bench, source, taken.ids[source])
        assert (record["level"], record["outcome"], record["backup"]) == (3, "passed", taken.ids[source])
        assert record["rto_seconds"] > 0
        assert metric(bench, "last_drill_success", source) == 1
        assert metric(bench, "projected_rto_seconds", source) == record["rto_seconds"]
    (record,) = verifications(bench, DATABASE, taken.ids[DATABASE])
    proven = " ".join(record["proven"])
    assert "20000 rows in 2 tables" in proven
    assert "app (may read 2 tables), reader (may read 1 tables)" in proven
    assert "app logged in with the stack's password over the loopback." in record["proven"]
    # It had expired before it was loaded, and was in the backup nevertheless.
    (record,) = verifications(bench, REDIS, taken.ids[REDIS])
    assert "2 keys, 1 of which expire, as in the backup." in " ".join(record["proven"])
    assert leftovers(bench) == ""
    after = bench.program("list").stdout
    assert re.search(rf"^{DATABASE} .* \d+ (s|min) ago ", after, re.M), after


def test_every_run_is_told_to_the_switch_outside(bench: BackupHost, taken: Taken) -> None:
    assert taken
    beats = [json.loads(line) for line in bench.host.read(f"{SWITCH}.jsonl").splitlines()]
    assert [path for path, _ in beats[:2]] == ["/secret-of-redis", "/secret-of-postgres"]
    assert json.loads(beats[1][1])["backup"] == taken.ids[DATABASE]
    bench.compose("pause redis")
    try:
        settings = bench.host.read(SETTINGS)
        short = json.loads(settings)
        for source in short["sources"]:
            source["timeout"] = 2
        bench.host.write(SETTINGS, json.dumps(short), mode="0600")
        failed = bench.program(f"backup run {REDIS}")
    finally:
        bench.compose("unpause redis")
        bench.host.write(SETTINGS, settings, mode="0600")
    assert not failed.ok
    last = json.loads(bench.host.read(f"{SWITCH}.jsonl").splitlines()[-1])
    assert last[0] == "/secret-of-redis/fail"
    assert "secret-of-redis" not in failed.stdout + failed.stderr
    assert metric(bench, "last_run_success", REDIS) == 0
    (drilled,) = (json.loads(body) for path, body in beats if path == "/secret-of-redis-drills")
    assert (drilled["backup"], drilled["level"]) == (taken.ids[REDIS], 3)


def test_the_module_predicts_drills_and_leaves_what_was_proven_of_late(bench: BackupHost, taken: Taken) -> None:
    wanted = {"sources": [REDIS], "older_than": "1h"}
    young = bench.host.module(MODULE, wanted)
    assert not young["changed"]
    assert young["verified"] == []
    before = bench.keys(REDIS)
    predicted = bench.host.module(MODULE, {"sources": [REDIS]}, check=True)
    assert predicted["changed"]
    assert bench.keys(REDIS) == before
    done = bench.host.module(MODULE, {"sources": [REDIS], "level": 1})
    assert done["changed"], done
    (one,) = done["verified"]
    assert (one["source"], one["backup"], one["level"], one["outcome"]) == (REDIS, taken.ids[REDIS], 1, "passed")


def test_a_drill_reaches_nothing_and_one_that_is_killed_leaves_nothing_for_the_next(bench: BackupHost) -> None:
    reset = "systemctl reset-failed drilling.service 2>/dev/null"
    start = f"{reset}; systemd-run --quiet --collect --unit drilling composeops drill {DATABASE}"
    bench.host.run(start, check=True)
    bench.wait(f"docker ps --no-trunc --filter {LABEL} | grep -q docker-entrypoint")
    bench.host.run("systemctl kill --signal KILL drilling", check=True)
    found = bench.host.output(f"docker ps --all --quiet --filter {LABEL}")
    described = json.loads(bench.host.output(f"docker inspect {found}"))[0]
    assert described["HostConfig"]["NetworkMode"] == "none"
    assert described["HostConfig"]["Memory"] > 0
    assert [mount for mount in described["Mounts"] if mount["Type"] == "bind"] == []
    assert described["Image"] == json.loads(bench.host.output(f"docker inspect {STACK}-postgres-1"))[0]["Image"]
    drilled = bench.program(f"drill {DATABASE}")
    assert drilled.ok, drilled
    assert leftovers(bench) == ""
    volumes = bench.host.output("docker volume ls --quiet --filter dangling=true")
    assert volumes == ""
    # One that is stopped takes its container with it.
    bench.host.run(start, check=True)
    bench.wait(f"docker ps --no-trunc --filter {LABEL} | grep -q docker-entrypoint")
    bench.host.run("systemctl stop drilling", check=True)
    assert leftovers(bench) == ""


def test_a_backup_of_other_rows_is_bad(bench: BackupHost, taken: Taken) -> None:
    """The manifest says what was counted in the dump's snapshot; here it says something else."""
    assert taken
    identifier = bench.backup(DATABASE)
    key = f"{DATABASE}/{bench.name}/{identifier}/manifest.json"
    manifest = json.loads(bench.s3.get_object(Bucket=bench.bucket, Key=key)["Body"].read())
    assert manifest["invariants"]["rows"]["public.orders"] == 20000
    manifest["invariants"]["rows"]["public.orders"] = 20001
    bench.s3.put_object(Bucket=bench.bucket, Key=key, Body=json.dumps(manifest).encode())
    drilled = bench.program(f"drill {DATABASE}")
    assert drilled.returncode == 1
    assert f"backup {identifier} of {DATABASE} is bad" in drilled.stderr
    (record,) = verifications(bench, DATABASE, identifier)
    assert (record["level"], record["outcome"]) == (3, "failed")
    assert "public.orders has 20000 instead of 20001" in record["error"]
    assert leftovers(bench) == ""
    assert metric(bench, "last_drill_success", DATABASE) == 0
    assert "no, the newest is damaged" in bench.program("list").stdout


def test_a_flipped_bit_is_found_recorded_and_told(bench: BackupHost, taken: Taken) -> None:
    assert taken
    identifier = bench.backup(REDIS)
    beginning = f"{REDIS}/{bench.name}/{identifier}/"
    (key,) = (key for key in bench.keys(REDIS) if key.startswith(f"{beginning}dump.rdb"))
    content = bytearray(bench.s3.get_object(Bucket=bench.bucket, Key=key)["Body"].read())
    content[len(content) // 2] ^= 1
    bench.s3.put_object(Bucket=bench.bucket, Key=key, Body=bytes(content))
    bench.host.write(MONITOR, json.dumps(WATCHING), mode="0600")
    try:
        # As its timer does.
        assert not bench.host.run(f"systemctl start composeops-drill@{REDIS}.service").ok
        bench.wait(f"grep -q unit_failed {SWITCH}.jsonl")
    finally:
        bench.host.run(f"rm {MONITOR}; systemctl reset-failed composeops-drill@{REDIS}.service")
    (record,) = verifications(bench, REDIS, identifier)
    assert (record["level"], record["outcome"]) == (1, "failed")
    assert "SHA-256" in record["error"]
    alerts = [json.loads(line) for line in bench.host.read(f"{SWITCH}.jsonl").splitlines() if "unit_failed" in line]
    ((path, body),) = alerts
    assert path == "/alerts"
    alert = json.loads(body)
    assert alert["subject"] == f"composeops-drill@{REDIS}.service"
    assert f"backup {identifier} of {REDIS} is bad" in alert["text"]


def test_what_keeps_a_drill_from_being_made_is_no_judgement(bench: BackupHost, taken: Taken) -> None:
    before = bench.keys(DATABASE)
    key = f"{DATABASE}/{bench.name}/{taken.ids[DATABASE]}/manifest.json"
    manifest = json.loads(bench.s3.get_object(Bucket=bench.bucket, Key=key)["Body"].read())
    kept = json.dumps(manifest).encode()
    manifest["origin"] |= {"image": "sha256:" + "0" * 64, "image_digest": ""}
    bench.s3.put_object(Bucket=bench.bucket, Key=key, Body=json.dumps(manifest).encode())
    try:
        drilled = bench.program(f"drill {DATABASE} --backup {taken.ids[DATABASE]} {identity(bench)}")
    finally:
        bench.s3.put_object(Bucket=bench.bucket, Key=key, Body=kept)
    assert drilled.returncode == 1
    assert "does not have the image" in drilled.stderr
    assert bench.keys(DATABASE) == before


MONGO = f"{STACK}-mongo"
MONGO_COMPOSE = """\
services:
  mongo:
    image: mongo:7
    healthcheck:
      test: [CMD, mongosh, --quiet, --norc, --eval, "db.runCommand('ping').ok"]
      interval: 1s
      retries: 60
"""
FILL = """\
import pymongo
pets = pymongo.MongoClient("127.0.0.1").app.pets
pets.insert_many([{"n": n} for n in range(300)])
"""


@pytest.fixture
def mongo(bench: BackupHost) -> Iterator[str]:
    """A MongoDB, or what plays it in the bed, with a backup; its id."""
    host = bench.host
    compose = f"docker compose --project-directory /srv/{MONGO} --project-name {MONGO}"
    host.write(f"/srv/{MONGO}/compose.yaml", MONGO_COMPOSE)
    kept = host.read(SETTINGS)
    settings = json.loads(kept)
    settings["sources"].append({"name": MONGO, "type": "mongo", "stack": MONGO, "service": "mongo", "database": "app"})
    try:
        host.run(f"{compose} up --detach --wait", check=True)
        host.write(SETTINGS, json.dumps(settings), mode="0600")
        filled = host.run(f"docker exec --interactive {MONGO}-mongo-1 python3 -", stdin=FILL)
        assert filled.ok, filled
        yield bench.backup(MONGO)
    finally:
        host.write(SETTINGS, kept, mode="0600")
        host.run(f"{compose} down --volumes --timeout 5; rm -rf /srv/{MONGO} {STATE}/{MONGO}.*")
        for key in bench.keys(MONGO):
            bench.s3.delete_object(Bucket=bench.bucket, Key=key)


def test_a_mongo_is_restored_and_counted(bench: BackupHost, mongo: str) -> None:
    drilled = bench.program(f"drill {MONGO}")
    assert drilled.ok, drilled
    (record,) = verifications(bench, MONGO, mongo)
    assert (record["level"], record["outcome"]) == (3, "passed")
    assert "300 documents were restored" in record["proven"][-1]
    assert leftovers(bench) == ""


EVERY = f"{STACK}-every"
REMOTE = f"{STACK}-remote"
ODD = "O'Brien & söhne"
POSTGRES = {"type": "postgres", "stack": STACK, "user": "app", "password_secret": "DB_PASSWORD"}


@pytest.fixture(name="servers", scope="module")
def servers_fixture(bench: BackupHost) -> Iterator[None]:
    """Sources of every database of the server, and of the same server over the network, as if others ran it."""
    network = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
    address = bench.host.output(f"docker inspect -f '{network}' {POSTGRES_CONTAINER}")
    kept = bench.host.read(SETTINGS)
    settings = json.loads(kept)
    settings["sources"] += [
        {**POSTGRES, "name": EVERY, "service": "postgres", "databases": "all"},
        {**POSTGRES, "name": REMOTE, "host": address, "image": "postgres:15-alpine", "tls": "disable"}
        | {"databases": "all", "exclude": ["postgres", "app"]},
    ]
    bench.host.write(SETTINGS, json.dumps(settings), mode="0600")
    bench.psql(f"""CREATE DATABASE "{ODD}"; CREATE DATABASE passing""")
    bench.psql("CREATE TABLE guests (name text); INSERT INTO guests VALUES ('Ada'), ('Bob')", ODD)
    bench.psql("CREATE TABLE IF NOT EXISTS untouched (n int)")
    try:
        yield
    finally:
        bench.host.write(SETTINGS, kept, mode="0600")
        for source in (EVERY, REMOTE):
            bench.host.run(f"rm -f {STATE}/{source}.*")
            for key in bench.keys(source):
                bench.s3.delete_object(Bucket=bench.bucket, Key=key)


@pytest.mark.usefixtures("servers")
def test_every_database_of_a_server_is_one_backup_out_of_which_one_is_restored(bench: BackupHost) -> None:
    first = bench.backup(EVERY)
    bench.psql("DROP DATABASE passing")
    bench.psql("CREATE DATABASE late")
    again = bench.program(f"backup run {EVERY}")
    assert "Database late is new: it was not in backup " in again.stdout, again
    assert f"Database passing is not on the server any more; backup {first} is the last one" in again.stdout
    newest = bench.ids(EVERY)[-1]
    manifest = bench.manifest(EVERY, newest)
    assert list(manifest["origin"]["databases"]) == ["O'Brien & söhne", "app", "late", "postgres"]
    assert manifest["invariants"]["databases"][ODD] == {"rows": {"public.guests": 2}}
    names = [stored["name"] for stored in manifest["objects"]]
    assert names.count("globals.sql") == 1
    assert "database.O.27Brien.20.26.20s.c3.b6hne.pgdump" in names

    bench.psql("DELETE FROM guests", ODD)
    bench.psql("INSERT INTO untouched VALUES (1)")
    refused = bench.program(f"restore {EVERY} --dry-run")
    assert "is not verified, and would replace data: there are rows in app: " in refused.stderr
    assert "has no database shop; it has" in bench.program(f"restore {EVERY} --database shop").stderr
    # Of this one nothing is left that could be lost.
    restored = bench.host.module("composeops.stack.backup_restore", {"source": EVERY, "database": ODD})
    assert not restored["failed"], restored["msg"]
    assert bench.psql("SELECT string_agg(name, ',' ORDER BY name) FROM guests", ODD) == "Ada,Bob"
    assert bench.psql("SELECT count(*) FROM untouched") == "1"

    drilled = bench.program(f"drill {EVERY}")
    assert drilled.ok, drilled
    (record,) = verifications(bench, EVERY, newest)
    assert (record["level"], record["outcome"]) == (3, "passed")
    assert f"{ODD}: 2 rows in 1 tables, each table as counted in the dump's snapshot." in record["proven"]
    assert {said.partition(":")[0] for said in record["proven"][1:]} == set(manifest["origin"]["databases"])
    everything = bench.host.module("composeops.stack.backup_restore", {"source": EVERY})
    assert not everything["failed"], everything["msg"]
    assert bench.psql("SELECT count(*) FROM untouched") == "0"


@pytest.mark.usefixtures("servers")
def test_a_server_that_somebody_else_runs_is_proven(bench: BackupHost) -> None:
    identifier = bench.backup(REMOTE)
    assert ODD in bench.manifest(REMOTE, identifier)["origin"]["databases"]
    drilled = bench.program(f"drill {REMOTE}")
    assert drilled.ok, drilled
    (record,) = verifications(bench, REMOTE, identifier)
    assert (record["level"], record["outcome"]) == (3, "passed")
    assert leftovers(bench) == ""


def identity(bench: BackupHost) -> str:
    """Return the option that gives the operator's key, which alone opens what is not the newest."""
    variables = yaml.safe_load((bench.host.inventory / "group_vars/all.yml").read_text(encoding="utf-8"))
    if "backup_identity" not in variables:
        return ""
    path = "/run/composeops-identity"
    bench.host.write(path, variables["backup_identity"], mode="0600")
    return f"--identity-file {path}"
