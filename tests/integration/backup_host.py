"""A bed host with a PostgreSQL and a Redis of its own, backed up to a place of its own in the bed's bucket."""

from __future__ import annotations

import json
import secrets
import tempfile
import time
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
import yaml
from botocore.config import Config

from tests.integration.bed_host import BedHost, Completed

STACK = "backuptest"
DIRECTORY = f"/srv/{STACK}"
DATABASE = f"{STACK}-database"
REDIS = f"{STACK}-redis"
SETTINGS = "/etc/composeops/backup.json"
STATE = "/var/lib/composeops/backup"
POSTGRES_CONTAINER = f"{STACK}-postgres-1"
REDIS_CONTAINER = f"{STACK}-redis-1"

COMPOSE = """\
services:
  postgres:
    image: postgres:15-alpine
    environment: {POSTGRES_USER: app, POSTGRES_DB: app, POSTGRES_PASSWORD_FILE: /run/secrets/db}
    secrets: [db]
    volumes: ["postgres:/var/lib/postgresql/data"]
    healthcheck:
      test: [CMD, pg_isready, --quiet, --host=127.0.0.1, --username=app, --dbname=app]
      interval: 1s
      retries: 60
  redis:
    image: redis:7-alpine
    command:
      - sh
      - -euc
      - |
        exec docker-entrypoint.sh redis-server - <<END
        requirepass $$(cat /run/secrets/redis)
        appendonly yes
        dir /data
        END
    secrets: [redis]
    volumes: ["redis:/data"]
    healthcheck:
      test: [CMD-SHELL, "REDISCLI_AUTH=$$(cat /run/secrets/redis) redis-cli ping | grep -q PONG"]
      interval: 1s
      retries: 60
volumes: {postgres: {}, redis: {}}
secrets:
  db: {file: ./db}
  redis: {file: ./redis}
"""

SOURCES = [
    {
        "name": DATABASE,
        "type": "postgres",
        "stack": STACK,
        "service": "postgres",
        "database": "app",
        "user": "app",
        "password_secret": "DB_PASSWORD",
    },
    {"name": REDIS, "type": "redis", "stack": STACK, "service": "redis", "password_secret": "REDIS_PASSWORD"},
]

SETUP = """\
- name: A host with an engine, the program and backups
  hosts: composeops
  become: true
  gather_facts: false
  roles: [docker_engine]
  tasks:
    - name: Install the program
      composeops.stack.program:
    - name: Set up backups
      ansible.builtin.include_role:
        name: backup
"""


class BackupHost:
    """The host, its two servers, and its part of the bucket."""

    def __init__(self, host: BedHost) -> None:
        self.host = host
        # What another run left in the bucket is of another host.
        self.name = f"it-{secrets.token_hex(4)}"
        variables = yaml.safe_load((host.inventory / "group_vars/all.yml").read_text(encoding="utf-8"))
        self.store: dict[str, Any] = variables["backup_store"]
        # Tests damage and remove objects, which the host's own key is not able to.
        self.prune_store: dict[str, Any] = variables["backup_prune_store"]
        self.recipients: list[str] = variables["backup_recipients"]
        self.identity = str(variables["backup_identity"])
        self.passwords = {"DB_PASSWORD": secrets.token_urlsafe(24), "REDIS_PASSWORD": secrets.token_urlsafe(24)}
        self._authority = tempfile.NamedTemporaryFile("w", suffix=".pem")  # noqa: SIM115 (as long as the client)
        self._authority.write(self.store["ca"])
        self._authority.flush()
        self.s3 = self.client(self.prune_store)

    def client(self, store: dict[str, Any]) -> Any:
        """Return a client of the bed's store with the keys of ``store``."""
        return boto3.client(
            "s3",
            endpoint_url=store["endpoint"],
            aws_access_key_id=store["access_key"],
            aws_secret_access_key=store["secret_key"],
            region_name=store["region"],
            verify=self._authority.name or None,
            config=Config(s3={"addressing_style": "path"}),
        )

    @property
    def bucket(self) -> str:
        return str(self.store["bucket"])

    @property
    def store_address(self) -> str:
        return str(self.store["endpoint"].split("//")[1].split(":")[0])

    def set_up(self) -> None:
        playbook = self.host.directory / "setup.yml"
        playbook.write_text(SETUP, encoding="utf-8")
        variables = {
            "backup_host": self.name,
            "backup_sources": SOURCES,
            "backup_initial": False,
            # More than they need: no test waits for them, and every part takes the way of one that has to wait.
            "backup_bandwidth": "1G",
            "backup_cpu_quota": "400%",
        }
        run = self.host.playbook(playbook, extra_variables=variables)
        assert run.ok, run.output
        self.host.write(f"/etc/composeops/secrets/{STACK}.json", json.dumps(self.passwords), mode="0600")
        self.host.write(f"{DIRECTORY}/compose.yaml", COMPOSE)
        self.host.write(f"{DIRECTORY}/db", self.passwords["DB_PASSWORD"], mode="0644")
        self.host.write(f"{DIRECTORY}/redis", self.passwords["REDIS_PASSWORD"], mode="0644")
        self.up()

    def up(self) -> None:
        self.compose("up --detach --wait")

    def destroy(self) -> None:
        """Destroy containers and volumes."""
        self.compose("down --volumes --timeout 5")

    def compose(self, command: str) -> None:
        self.host.run(f"docker compose --project-directory {DIRECTORY} --project-name {STACK} {command}", check=True)

    def tear_down(self, settings: str) -> None:
        for source in (DATABASE, REDIS):
            timer = f"composeops-backup@{source}.timer"
            self.host.run(f"systemctl disable --now {timer}; rm -f /etc/systemd/system/{timer}")
            self.host.run(f"systemctl reset-failed composeops-backup@{source}.service")
            self.host.run(f"rm -rf {STATE}/{source}.*")
        self.destroy()
        self.host.run(f"rm -rf {DIRECTORY} /etc/composeops/secrets/{STACK}.json; systemctl daemon-reload")
        if settings:
            self.host.write(SETTINGS, settings, mode="0600")
        else:
            self.host.run(["rm", "-f", SETTINGS])
        for key in self.keys():
            self.s3.delete_object(Bucket=self.bucket, Key=key)
        for upload in self.uploads():
            self.s3.abort_multipart_upload(Bucket=self.bucket, **upload)

    def psql(self, statement: str, database: str = "app") -> str:
        argv = [
            "docker",
            "exec",
            "-i",
            POSTGRES_CONTAINER,
            "psql",
            "-qAtX",
            "-v",
            "ON_ERROR_STOP=1",
            "-U",
            "app",
            database,
        ]
        completed = self.host.run(argv, stdin=statement)
        assert completed.ok, completed
        return completed.stdout.strip()

    def redis(self, *command: str) -> str:
        script = f"REDISCLI_AUTH=$(cat {DIRECTORY}/redis); export REDISCLI_AUTH; exec docker exec -e REDISCLI_AUTH "
        argv = f"{REDIS_CONTAINER} redis-cli -e " + " ".join(f"'{word}'" for word in command)
        completed = self.host.run(script + argv)
        assert completed.ok, completed
        return completed.stdout.strip()

    def backup(self, source: str) -> str:
        """Take a backup with the program, as a timer does, and return its id."""
        completed = self.program(f"backup run {source}")
        assert completed.ok, completed
        return self.ids(source)[-1]

    def program(self, command: str) -> Completed:
        return self.host.run(f"composeops {command}")

    def keys(self, source: str = "") -> list[str]:
        """Return every key of this host, or of one of its sources."""
        found = []
        for name in [source] if source else [DATABASE, REDIS]:
            listing = self.s3.list_objects_v2(Bucket=self.bucket, Prefix=f"{name}/{self.name}/")
            found += [item["Key"] for item in listing.get("Contents", [])]
        return found

    def ids(self, source: str) -> list[str]:
        """Return the ids of the committed backups of a source, oldest first."""
        return sorted(key.split("/")[2] for key in self.keys(source) if key.endswith("/manifest.json"))

    def uploads(self) -> list[dict[str, str]]:
        """Return the uploads of this host that nobody completed or aborted."""
        found = []
        for name in (DATABASE, REDIS):
            listing = self.s3.list_multipart_uploads(Bucket=self.bucket, Prefix=f"{name}/{self.name}/")
            found += [{"Key": item["Key"], "UploadId": item["UploadId"]} for item in listing.get("Uploads", [])]
        return found

    def manifest(self, source: str, identifier: str) -> dict[str, Any]:
        key = f"{source}/{self.name}/{identifier}/manifest.json"
        return dict(json.loads(self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read()))

    def record(self, source: str) -> dict[str, Any]:
        return dict(json.loads(self.host.read(f"{STATE}/{source}.run.json")))

    def wait(self, condition: str, seconds: float = 180) -> None:
        """Wait until a shell command on the host succeeds."""
        deadline = time.monotonic() + seconds
        while not self.host.run(condition).ok:
            assert time.monotonic() < deadline, f"never came true on {self.host.name}: {condition}"


def backup_host(host: BedHost) -> Iterator[BackupHost]:
    """Set the host up, and leave it as it was."""
    bench = BackupHost(host)
    kept = host.run(["cat", SETTINGS])
    try:
        bench.set_up()
        yield bench
    finally:
        bench.tear_down(kept.stdout if kept.ok else "")


bench_fixture = pytest.fixture(scope="module", name="bench")(backup_host)
