"""A host is lost: playbooks/recover.yml brings its system back on a second, empty one, from the bucket and a key."""

from __future__ import annotations

import secrets
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml
from botocore.config import Config

from tests.integration.bed_host import ROOT, BedHost, PlaybookRun
from tests.integration.pitr_host import LOAD, written

pytestmark = pytest.mark.bed

STACK = "recovertest"
LEDGER = "ledger"
"""The service whose log goes to the bucket."""
PROMISED = 60.0
"""Seconds of its writes that a lost host may cost."""
COMPOSE = """\
services:
  web:
    image: nginx:alpine
    depends_on: [postgres, redis]
    environment: {DB_PASSWORD: "${DB_PASSWORD}"}
    volumes: ["uploads:/srv/uploads"]
    healthcheck: {test: [CMD, nginx, -t, -q], interval: 1s, retries: 30}
  postgres: &postgres
    image: postgres:17-alpine
    environment: {POSTGRES_USER: app, POSTGRES_DB: app, POSTGRES_PASSWORD: "${DB_PASSWORD}"}
    volumes: ["postgres:/var/lib/postgresql/data"]
    healthcheck:
      test: [CMD, pg_isready, --quiet, --host=127.0.0.1, --username=app, --dbname=app]
      interval: 1s
      retries: 60
  ledger:
    <<: *postgres
    volumes: ["ledger:/var/lib/postgresql/data"]
  redis:
    image: redis:7-alpine
    command: [redis-server, --appendonly, "yes"]
    volumes: ["redis:/data"]
    healthcheck: {test: [CMD, redis-cli, ping], interval: 1s, retries: 60}
volumes: {postgres: {}, ledger: {}, redis: {}, uploads: {}}
"""
SETUP = """\
- name: A host with a stack and its backups
  hosts: composeops
  become: true
  gather_facts: false
  roles: [docker_engine, stack]
  tasks:
    - name: Install the program
      composeops.stack.program:
    - name: Set up backups
      ansible.builtin.include_role:
        name: backup
"""


class Site:
    """One system, its place in the bucket, and the two hosts that it runs on one after the other."""

    def __init__(self, host: BedHost, inventory: Path) -> None:
        self.host = host
        self.inventory = inventory
        self.name = f"it-{secrets.token_hex(4)}"
        self.prefix = f"rt{secrets.token_hex(3)}"
        self.overlay: dict[str, Any] = yaml.safe_load((host.inventory / "group_vars/all.yml").read_text("utf-8"))
        variables = {
            "stack_definitions": [
                {
                    "name": STACK,
                    "compose_file": str(inventory / "compose.yaml"),
                    "secrets": [{"name": "DB_PASSWORD"}],
                    "routed": [{"service": "web", "port": 80, "path": "/", "status": 200}],
                    "rollout": {"strategy": "blue_green", "watch": 0, "drain": 0},
                    "overlapping": ["web"],
                    "health": {"attempts": 60, "interval": 1},
                }
            ],
            "backup_host": self.name,
            "backup_sources": [
                {"name": self.source("database"), "type": "postgres", "service": "postgres", "database": "app"}
                | {"user": "app", "stack": STACK},
                {
                    "name": self.source(LEDGER),
                    "type": "postgres_cluster",
                    "service": LEDGER,
                    "user": "app",
                    "stack": STACK,
                }
                | {"password_secret": "DB_PASSWORD"},
                {"name": self.source("redis"), "type": "redis", "service": "redis", "stack": STACK},
                {"name": self.source("files"), "type": "files", "stack": STACK, "volumes": ["uploads"]}
                | {"paths": [f"/etc/composeops/secrets/{STACK}.json"]},
            ],
            "verify_checks": [
                {"name": "database", "type": "postgres", "stack": STACK, "service": "postgres", "user": "app"}
                | {"database": "app"},
            ],
            "monitor_enabled": False,
        }
        (inventory / "compose.yaml").write_text(COMPOSE, encoding="utf-8")
        (inventory / "group_vars").mkdir()
        (inventory / "group_vars/all.yml").write_text(yaml.safe_dump(variables), encoding="utf-8")
        (inventory / "hosts.yml").write_text("all: {}\n", encoding="utf-8")

    def source(self, name: str) -> str:
        return f"{self.prefix}-{name}"

    def play(self, host: BedHost, playbook: Path | str, **variables: Any) -> PlaybookRun:
        return host.playbook(playbook, inventories=[self.inventory], extra_variables=variables)

    def remove_backups(self) -> None:
        store = self.overlay["backup_prune_store"]
        with tempfile.NamedTemporaryFile("w", suffix=".pem") as authority:
            authority.write(store["ca"])
            authority.flush()
            s3 = boto3.client(
                "s3",
                endpoint_url=store["endpoint"],
                aws_access_key_id=store["access_key"],
                aws_secret_access_key=store["secret_key"],
                region_name=store["region"],
                verify=authority.name,
                config=Config(s3={"addressing_style": "path"}),
            )
            for page in s3.get_paginator("list_objects_v2").paginate(Bucket=store["bucket"], Prefix=self.prefix):
                for item in page.get("Contents", []):
                    s3.delete_object(Bucket=store["bucket"], Key=item["Key"])


def psql(host: BedHost, statement: str, service: str = "postgres") -> str:
    argv = [
        "docker",
        "exec",
        "-i",
        f"{STACK}-{service}-1",
        "psql",
        "-qAtX",
        "-v",
        "ON_ERROR_STOP=1",
        "-U",
        "app",
        "app",
    ]
    completed = host.run(argv, stdin=statement)
    assert completed.ok, completed
    return completed.stdout.strip()


def redis(host: BedHost, *command: str) -> str:
    return host.output(["docker", "exec", f"{STACK}-redis-1", "redis-cli", "-e", *command])


def bed(*arguments: str) -> None:
    environment = {"PYTHONPATH": str(ROOT / "molecule"), "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
    subprocess.run([sys.executable, "-m", "testbed", *arguments], cwd=ROOT, env=environment, check=True)


@pytest.fixture(name="site", scope="module")
def site_fixture(host: BedHost, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    site = Site(host, tmp_path_factory.mktemp("recover"))
    playbook = host.directory / "recover-setup.yml"
    playbook.write_text(SETUP, encoding="utf-8")
    try:
        run = site.play(host, playbook, backup_initial=False)
        assert run.ok, run.output
        yield site
    finally:
        host.run(f"systemctl disable --now composeops-wal@{site.source(LEDGER)}.service")
        host.run("systemctl stop recoverload; rm -f /srv/recoverload*")
        for source in ("database", LEDGER, "redis", "files"):
            unit = f"composeops-*@{site.source(source)}.timer"
            host.run(f"systemctl disable --now '{unit}'; rm -f /etc/systemd/system/{unit}")
        host.module("composeops.stack.stack", {"name": STACK, "state": "absent"})
        host.run(f"docker volume ls -q --filter label=com.docker.compose.project={STACK} | xargs -r docker volume rm")
        host.run(f"rm -f /etc/composeops/backup.json /etc/composeops/secrets/{STACK}.json")
        site.remove_backups()


@pytest.fixture(name="empty", scope="module")
def empty_fixture(site: Site) -> Iterator[BedHost]:
    """A second, empty host of the bed."""
    name = f"recover-{secrets.token_hex(3)}"
    bed("host", "add", name)
    try:
        with tempfile.TemporaryDirectory(prefix="composeops-") as directory:
            yield BedHost(site.host.inventory.parent / f"inventory-{name}", Path(directory))
    finally:
        bed("host", "remove", name)


def begin_ledger(site: Site) -> None:
    """Begin to write to the server whose log is sent, when its base backup is there."""
    host = site.host
    psql(host, "CREATE TABLE acknowledged (n bigserial PRIMARY KEY)", LEDGER)
    deadline = time.monotonic() + 120
    while not (lag := host.run(f"composeops backup wal {site.source(LEDGER)} --lag")).ok:
        assert time.monotonic() < deadline, lag
        time.sleep(1)
    host.write("/srv/recoverload", LOAD)
    host.run("systemctl reset-failed recoverload.service")
    load = f"python3 /srv/recoverload {STACK}-{LEDGER}-1 /srv/recoverload.written"
    host.run(f"systemd-run --quiet --unit recoverload {load}", check=True)


def lose_ledger(site: Site) -> float:
    """Take the server, and what sends its log, away without a word; return when that was."""
    # The default lag is 30 s: a drill of it waits until the log is in the bucket up to its beginning.
    drilled = site.host.run(f"composeops drill {site.source(LEDGER)}")
    assert drilled.ok, drilled
    assert "level 4" in drilled.stdout
    lost_at = float(site.host.output("date +%s.%N"))
    site.host.run(f"systemctl kill --signal KILL composeops-wal@{site.source(LEDGER)}; docker kill {STACK}-{LEDGER}-1")
    site.host.run(f"systemctl stop composeops-wal@{site.source(LEDGER)} recoverload")
    return lost_at


def hold_ledger(site: Site, empty: BedHost, lost_at: float) -> None:
    """No more than promised is lost, and nothing in between."""
    noted = written(site.host.read("/srv/recoverload.written"))
    there = {int(number) for number in psql(empty, "SELECT n FROM acknowledged", LEDGER).split()}
    newest = max(row.acknowledged for row in noted if row.number in there)
    print(f"{len(there)} of {len(noted)} rows are there; the last {lost_at - newest:.1f} s are lost")
    assert lost_at - newest <= PROMISED
    assert all(row.acknowledged > newest for row in noted if row.number not in there)


def write_until(stop: threading.Event, host: BedHost, acknowledged: list[int]) -> None:
    number = 0
    while not stop.is_set():
        number += 1
        psql(host, f"INSERT INTO orders VALUES ({number});")  # noqa: S608 (a number of ours)
        acknowledged.append(number)


def test_a_lost_host_comes_back_on_an_empty_one(site: Site, empty: BedHost) -> None:
    host = site.host
    password = host.read(f"/etc/composeops/secrets/{STACK}.json")
    psql(
        host, "CREATE TABLE orders (number int PRIMARY KEY); CREATE TABLE load AS SELECT generate_series(1, 200000) n;"
    )
    redis(host, "SET", "greeting", "hello")
    uploads = host.output(f"docker volume inspect -f '{{{{.Mountpoint}}}}' {STACK}_uploads")
    host.write(f"{uploads}/cat.txt", "meow\n", mode="0640")

    begin_ledger(site)

    stop, acknowledged = threading.Event(), list[int]()
    writer = threading.Thread(target=write_until, args=(stop, host, acknowledged))
    writer.start()
    try:
        while len(acknowledged) < 5 and writer.is_alive():
            stop.wait(0.05)
        before = len(acknowledged)
        dumped = " ".join(site.source(name) for name in ("database", "redis", "files"))
        taken = host.run(f"composeops backup run {dumped}")
    finally:
        stop.set()
        writer.join()
    assert taken.ok, taken
    assert before >= 5

    lost_at = lose_ledger(site)

    # The host is gone. Its backups, its inventory and the operator's key are there.
    broken = site.play(empty, ROOT / "playbooks/recover.yml", from_host=site.name, backup_identity="no key at all")
    assert not broken.ok
    assert not empty.run(f"docker ps -q --filter label=com.docker.compose.project={STACK} | grep .").ok

    run = site.play(empty, ROOT / "playbooks/recover.yml", from_host=site.name)
    assert run.ok, run.output
    print(run.output[run.output.index("Recovery") :])
    rows = {int(number) for number in psql(empty, "SELECT number FROM orders").split()}
    assert set(acknowledged[:before]) <= rows <= set(range(1, len(acknowledged) + 2))
    assert psql(empty, "SELECT count(*) FROM load") == "200000"
    assert psql(empty, "SHOW server_version", LEDGER).startswith("17.")
    hold_ledger(site, empty, lost_at)
    assert redis(empty, "GET", "greeting") == "hello"
    assert empty.read(f"/etc/composeops/secrets/{STACK}.json") == password
    uploads = empty.output(f"docker volume inspect -f '{{{{.Mountpoint}}}}' {STACK}_uploads")
    assert empty.read(f"{uploads}/cat.txt") == "meow\n"
    assert empty.output(f"docker ps -q --filter name=^{STACK} --filter health=healthy | wc -l") == "4"
    assert empty.output(f"ls /var/lib/composeops/stacks/{STACK}/releases") == "1", "what it was restored into is none"


def test_a_second_recovery_of_what_serves_is_refused(site: Site, empty: BedHost) -> None:
    run = site.play(empty, ROOT / "playbooks/recover.yml", from_host=site.name)
    assert len(run.failures) == 1
    assert "This host is not empty: stack recovertest is deployed. It was recovered at" in run.failures[0]
