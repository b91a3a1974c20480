"""A bed host with a PostgreSQL whose log goes to a place of its own in the bed's bucket."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

import pytest

from tests.integration.backup_host import SETTINGS, SETUP, STATE, BackupHost
from tests.integration.bed_host import BedHost, Completed

STACK = "pitrtest"
DIRECTORY = f"/srv/{STACK}"
SOURCE = f"{STACK}-cluster"
CONTAINER = f"{STACK}-postgres-1"
SPOOL = f"/var/lib/composeops/wal/{SOURCE}"
WAL_UNIT = f"composeops-wal@{SOURCE}.service"
BACKUP_UNIT = f"composeops-backup@{SOURCE}.service"
LAG_SECONDS = 5
SPOOL_SEGMENTS = 4
"""How many segments may wait on the host: the least that can be asked for."""

COMPOSE = """\
services:
  postgres:
    image: postgres:15-alpine
    environment: {POSTGRES_USER: app, POSTGRES_DB: app, POSTGRES_PASSWORD_FILE: /run/secrets/db}
    command: [postgres, -c, max_connections=150]
    secrets: [db]
    volumes: ["postgres:/var/lib/postgresql/data"]
    healthcheck:
      test: [CMD, pg_isready, --quiet, --host=127.0.0.1, --username=app, --dbname=app]
      interval: 1s
      retries: 60
volumes: {postgres: {}}
secrets:
  db: {file: ./db}
"""

# Writes one row after the other, and notes each when it is acknowledged. Host and container have one clock.
LOAD = """\
import subprocess, sys, time
argv = ["docker", "exec", "-i", sys.argv[1], "psql", "-qAtX", "-U", "app", "app"]
psql = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
with open(sys.argv[2], "w", buffering=1) as noted:
    while True:
        begun = time.time()
        psql.stdin.write("INSERT INTO acknowledged DEFAULT VALUES RETURNING n;\\n")
        number = psql.stdout.readline().strip()
        if not number:
            break
        noted.write(f"{number} {begun} {time.time()}\\n")
        time.sleep(0.02)
"""

SOURCES = [
    {
        "name": SOURCE,
        "type": "postgres_cluster",
        "stack": STACK,
        "service": "postgres",
        "user": "app",
        "password_secret": "DB_PASSWORD",
        "point_in_time": {"lag": f"{LAG_SECONDS}s", "spool_limit": f"{SPOOL_SEGMENTS * 16}M"},
    }
]


@dataclass(frozen=True)
class Written:
    """A row, and when the server began to write it and had acknowledged it."""

    number: int
    begun: float
    acknowledged: float


class PitrHost(BackupHost):
    """The host, its server, and its part of the bucket."""

    def __init__(self, host: BedHost) -> None:
        super().__init__(host)
        self.passwords = {"DB_PASSWORD": secrets.token_urlsafe(24)}

    def set_up(self) -> None:
        self.host.write(f"/etc/composeops/secrets/{STACK}.json", json.dumps(self.passwords), mode="0600")
        self.host.write(f"{DIRECTORY}/compose.yaml", COMPOSE)
        self.host.write(f"{DIRECTORY}/db", self.passwords["DB_PASSWORD"], mode="0644")
        playbook = self.host.directory / "setup.yml"
        playbook.write_text(SETUP, encoding="utf-8")
        variables = {"backup_host": self.name, "backup_sources": SOURCES, "backup_initial": False}
        run = self.host.playbook(playbook, extra_variables=variables)
        assert run.ok, run.output
        self.up()
        self.psql("CREATE TABLE acknowledged (n bigserial PRIMARY KEY, at timestamptz DEFAULT clock_timestamp())")

    def compose(self, command: str) -> None:
        self.host.run(f"docker compose --project-directory {DIRECTORY} --project-name {STACK} {command}", check=True)

    def tear_down(self, settings: str) -> None:
        timer = f"composeops-backup@{SOURCE}.timer"
        self.host.run(f"systemctl disable --now {WAL_UNIT} {timer}; rm -f /etc/systemd/system/{timer}")
        self.host.run(f"systemctl reset-failed {BACKUP_UNIT} {WAL_UNIT}")
        self.host.run(f"rm -rf {STATE}/{SOURCE}.* {SPOOL} {SPOOL}.lock")
        self.destroy()
        self.host.run(f"rm -rf {DIRECTORY} /etc/composeops/secrets/{STACK}.json; systemctl daemon-reload")
        if settings:
            self.host.write(SETTINGS, settings, mode="0600")
        else:
            self.host.run(["rm", "-f", SETTINGS])
        for key in self.keys():
            self.s3.delete_object(Bucket=self.bucket, Key=key)

    def psql(self, statement: str, database: str = "app") -> str:
        argv = ["docker", "exec", "-i", CONTAINER, "psql", "-qAtX", "-v", "ON_ERROR_STOP=1", "-U", "app", database]
        completed = self.host.run(argv, stdin=statement)
        assert completed.ok, completed
        return completed.stdout.strip()

    def keys(self, source: str = SOURCE) -> list[str]:
        found: list[str] = []
        for page in self.s3.get_paginator("list_objects_v2").paginate(
            Bucket=self.bucket, Prefix=f"{source}/{self.name}/"
        ):
            found += [item["Key"] for item in page.get("Contents", [])]
        return found

    def stored(self) -> list[str]:
        return self.keys()

    def segments(self) -> list[str]:
        return sorted(key.rsplit("/", 1)[1] for key in self.keys() if "/wal/" in key)

    def set_password(self, password: str) -> None:
        """Give the stack another password, as a stack that is deployed anew gets one."""
        self.passwords["DB_PASSWORD"] = password
        self.host.write(f"/etc/composeops/secrets/{STACK}.json", json.dumps(self.passwords), mode="0600")
        self.host.write(f"{DIRECTORY}/db", password, mode="0644")

    def begin_load(self) -> None:
        self.host.write(f"{DIRECTORY}/load", LOAD)
        self.host.run(f"systemctl reset-failed pitrload.service; rm -f {DIRECTORY}/written")
        self.host.run(
            f"systemd-run --quiet --unit pitrload python3 {DIRECTORY}/load {CONTAINER} {DIRECTORY}/written", check=True
        )
        self.wait(f"test -s {DIRECTORY}/written")

    def end_load(self) -> list[Written]:
        """Stop writing and return what was acknowledged."""
        self.host.run("systemctl stop pitrload.service")
        return written(self.host.read(f"{DIRECTORY}/written"))

    def now(self) -> datetime:
        return datetime.fromtimestamp(float(self.psql("SELECT extract(epoch FROM clock_timestamp())")), timezone.utc)

    def rows(self) -> set[int]:
        return {int(line) for line in self.psql("SELECT n FROM acknowledged").splitlines()}

    def write_segments(self, count: int) -> None:
        """Have the server end so many segments of its log, each with a row in it."""
        for _ in range(count):
            self.psql("INSERT INTO acknowledged DEFAULT VALUES; SELECT pg_switch_wal()")

    def lag(self) -> Completed:
        return self.program(f"backup wal {SOURCE} --lag --within 60s")

    def wait_until_sent(self, seconds: float = 90) -> float:
        """Wait until nothing that was written before is missing in the bucket; return how long that took."""
        began = time.monotonic()
        while ": 0 s, " not in self.lag().stdout:
            assert time.monotonic() - began < seconds, f"{self.lag()}\n{self.journal()}"
            time.sleep(1)
        return time.monotonic() - began

    def wait_until_marked(self) -> None:
        """Wait until something that is written now is in the bucket."""
        before = len(self.segments())
        deadline = time.monotonic() + 90
        while len(self.segments()) <= before:
            assert time.monotonic() < deadline, self.journal()

    def journal(self) -> str:
        return self.host.run(f"journalctl --no-pager --output cat --unit {WAL_UNIT} | tail -n 40").stdout

    def restore(self, *, check: bool = False, **options: Any) -> dict[str, Any]:
        return self.host.module("composeops.stack.backup_restore", {"source": SOURCE, **options}, check=check)


def written(text: str) -> list[Written]:
    """Return the rows that were acknowledged, out of what the load has noted."""
    fields = [line.split() for line in text.splitlines()]
    return [Written(int(number), float(begun), float(acknowledged)) for number, begun, acknowledged in fields]


def pitr_host(host: BedHost) -> Iterator[PitrHost]:
    """Set the host up, and leave it as it was."""
    bench = PitrHost(host)
    kept = host.run(["cat", SETTINGS])
    try:
        bench.set_up()
        yield bench
    finally:
        bench.tear_down(kept.stdout if kept.ok else "")


bench_fixture = pytest.fixture(scope="module", name="bench")(pitr_host)
