"""A host is lost: playbooks/recover.yml brings its system back on a second, empty one, from the bucket and a key."""

from __future__ import annotations

import secrets
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml
from botocore.config import Config

from tests.integration.bed_host import ROOT, BedHost, PlaybookRun

pytestmark = pytest.mark.bed

STACK = "recovertest"
COMPOSE = """\
services:
  web:
    image: nginx:alpine
    depends_on: [postgres, redis]
    environment: {DB_PASSWORD: "${DB_PASSWORD}"}
    volumes: ["uploads:/srv/uploads"]
    healthcheck: {test: [CMD, nginx, -t, -q], interval: 1s, retries: 30}
  postgres:
    image: postgres:15-alpine
    environment: {POSTGRES_USER: app, POSTGRES_DB: app, POSTGRES_PASSWORD: "${DB_PASSWORD}"}
    volumes: ["postgres:/var/lib/postgresql/data"]
    healthcheck:
      test: [CMD, pg_isready, --quiet, --host=127.0.0.1, --username=app, --dbname=app]
      interval: 1s
      retries: 60
  redis:
    image: redis:7-alpine
    command: [redis-server, --appendonly, "yes"]
    volumes: ["redis:/data"]
    healthcheck: {test: [CMD, redis-cli, ping], interval: 1s, retries: 60}
volumes: {postgres: {}, redis: {}, uploads: {}}
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
            for item in s3.list_objects_v2(Bucket=store["bucket"], Prefix=self.prefix).get("Contents", []):
                s3.delete_object(Bucket=store["bucket"], Key=item["Key"])


def psql(host: BedHost, statement: str) -> str:
    argv = ["docker", "exec", "-i", f"{STACK}-postgres-1", "psql", "-qAtX", "-v", "ON_ERROR_STOP=1", "-U", "app", "app"]
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
        for source in ("database", "redis", "files"):
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

    stop, acknowledged = threading.Event(), list[int]()
    writer = threading.Thread(target=write_until, args=(stop, host, acknowledged))
    writer.start()
    try:
        while len(acknowledged) < 5 and writer.is_alive():
            stop.wait(0.05)
        before = len(acknowledged)
        taken = host.run("composeops backup run --all")
    finally:
        stop.set()
        writer.join()
    assert taken.ok, taken
    assert before >= 5

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
    assert redis(empty, "GET", "greeting") == "hello"
    assert empty.read(f"/etc/composeops/secrets/{STACK}.json") == password
    uploads = empty.output(f"docker volume inspect -f '{{{{.Mountpoint}}}}' {STACK}_uploads")
    assert empty.read(f"{uploads}/cat.txt") == "meow\n"
    assert empty.output(f"docker ps -q --filter name=^{STACK} --filter health=healthy | wc -l") == "3"
    assert empty.output(f"ls /var/lib/composeops/stacks/{STACK}/releases") == "1", "what it was restored into is none"


def test_a_second_recovery_of_what_serves_is_refused(site: Site, empty: BedHost) -> None:
    run = site.play(empty, ROOT / "playbooks/recover.yml", from_host=site.name)
    assert len(run.failures) == 1
    assert "This host is not empty: stack recovertest is deployed. It was recovered at" in run.failures[0]
