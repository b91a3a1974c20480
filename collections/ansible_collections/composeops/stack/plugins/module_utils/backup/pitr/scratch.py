# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A throw-away PostgreSQL without a network that unpacks a base backup, replays the log and is asked what it has.

What it leaves is a data directory that any server of the same image starts on.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ansible_collections.composeops.stack.plugins.module_utils.backup import capacity
from ansible_collections.composeops.stack.plugins.module_utils.backup.damage import Damaged
from ansible_collections.composeops.stack.plugins.module_utils.backup.model import Level, Source
from ansible_collections.composeops.stack.plugins.module_utils.backup.sources import postgres_sql as sql
from ansible_collections.composeops.stack.plugins.module_utils.errors import CommandError, ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.io.docker import Docker
from ansible_collections.composeops.stack.plugins.module_utils.io.runner import Runner

ARCHIVE = "/composeops-base.tar"
LOG = "/composeops-wal"
SOCKETS = "/tmp"  # noqa: S108 (inside the throw-away container)
STOP_SECONDS = 300
POLL_SECONDS = 0.3
NOT_REACHED = "recovery ended before configured recovery target was reached"

_ROOM = """\
set -eu
cd "$1"
rm -rf "$2"
df -Pk . | tail -n 1
owner=$(stat -c %u:%g .)
if [ "$owner" = 0:0 ]; then owner=$(id -u postgres):$(id -g postgres); fi
echo "$owner"
"""

# pg_verifybackup compares every file with the checksums that the server made when it sent them, and reads the log
# that belongs to the backup. The signal asks for a recovery.
_UNPACK = f"""\
set -eu
cd "$1"; new=$2; owner=$3
mkdir -m 700 "$new"
tar -x -f {ARCHIVE} -C "$new"
pg_verifybackup --quiet "$new"
rm -f "$new/standby.signal" "$new/postmaster.pid"
touch "$new/recovery.signal"
chown -R "$owner" "$new"
"""

_START = f"""\
umask 077
printf 'local all all trust\\n' > {SOCKETS}/composeops_hba.conf
exec postgres "$@"
"""

REACHED = """\
SELECT json_build_object(
  'system_identifier', (SELECT system_identifier::text FROM pg_control_system()),
  'timeline', ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int,
  'last_transaction', pg_last_xact_replay_timestamp(),
  'databases', (SELECT json_agg(datname ORDER BY datname) FROM pg_database WHERE datallowconn));
"""
"""One line of JSON: what was recovered, and when its last transaction ended."""


@dataclass(frozen=True)
class Scratch:
    """Where a server is recovered: ``new`` in ``parent``, as containers with ``access`` see it."""

    source: Source
    runner: Runner
    image: str
    access: tuple[str, ...]
    """Options of `docker run` that show the parent directory."""
    parent: str
    new: str
    name: str
    """What its containers are called."""
    options: tuple[str, ...] = ()
    """Settings that the server is given on its command line."""
    labels: tuple[str, ...] = ()

    @property
    def directory(self) -> str:
        return f"{self.parent}/{self.new}"

    def unpack(self, archive: str, needed: int, timeout: float) -> str:
        """Unpack and check the base backup ``archive``; return the owner (``uid:gid``) that the files have now."""
        room, owner = self._script(_ROOM, [self.parent, self.new], timeout=timeout).splitlines()
        capacity.require(f"The disk of {self.parent}", free=capacity.free_bytes(room), needed=needed)
        mount = ("--mount", f"type=bind,source={archive},target={ARCHIVE},readonly")
        try:
            self._script(_UNPACK, [self.parent, self.new, owner], mount, timeout=timeout)
        except CommandError as error:
            if "pg_verifybackup" in error.stderr:
                raise Damaged(f"The base backup is damaged: {error.stderr.strip()}.", level=Level.READABLE) from error
            raise
        return owner

    @contextlib.contextmanager
    def recovered(self, owner: str, log: str, target: Sequence[str], deadline: float) -> Iterator[Recovered]:
        """Replay the log in the directory ``log`` of this host up to ``target`` and give the server for the block.

        After a block that raised nothing it is stopped as it should be, so that its directory is whole.
        """
        self.remove()
        try:
            self.runner.run(self.command(owner, log, target))
            server = Recovered(self)
            server.wait(deadline)
            yield server
            self._stop()
        finally:
            self.remove()

    def command(self, owner: str, log: str, target: Sequence[str]) -> list[str]:
        """Return how to start the server that recovers."""
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": SOCKETS,
            "hba_file": f"{SOCKETS}/composeops_hba.conf",
            "restore_command": f'cp "{LOG}/%f" "%p"',
            "recovery_target_timeline": "current",
            "recovery_target_action": "promote",
            # It serves nobody before its end, and then needs not be as large as the server it comes from.
            "hot_standby": "off",
            "archive_mode": "off",
            "synchronous_standby_names": "",
            "logging_collector": "off",
            "log_destination": "stderr",
            "ssl": "off",
            "shared_buffers": "128MB",
        }
        given = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        wanted = [word for setting in target for word in ("-c", setting)]
        return [
            *("docker", "run", "--detach", "--name", self.name, "--network", "none", "--user", owner),
            *("--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--shm-size", "256m"),
            *(word for label in self.labels for word in ("--label", label)),
            *(*self.access, "--mount", f"type=bind,source={log},target={LOG},readonly"),
            *("--entrypoint", "sh", self.image, "-c", _START, "sh", "-D", self.directory),
            *(*self.options, *given, *wanted),
        ]

    def _stop(self) -> None:
        self.runner.run(["docker", "stop", "--time", str(STOP_SECONDS), self.name], timeout=STOP_SECONDS + 60)
        status = self.runner.run(["docker", "inspect", "--format", "{{.State.ExitCode}}", self.name]).stdout.strip()
        if status != "0":
            raise ComposeOpsError(
                f"The recovered server did not stop well (status {status}): {Docker(self.runner).logs(self.name, 10)}",
                "Run it again; the data that was there still serves.",
            )

    def remove(self) -> None:
        """Remove what a run has left of containers."""
        for name in (self.name, f"{self.name}-files"):
            self.runner.run(["docker", "rm", "--force", "--volumes", name], check=False)

    def _script(self, script: str, arguments: Sequence[str], more: Sequence[str] = (), *, timeout: float) -> str:
        """Run a shell script as root in a container that sees the parent directory and nothing else of this host."""
        argv = [
            *("docker", "run", "--rm", "--name", f"{self.name}-files", "--network", "none", "--user", "0:0"),
            *(*(word for label in self.labels for word in ("--label", label)), *self.access, *more),
            *("--entrypoint", "sh", self.image, "-c", script, "sh", *arguments),
        ]
        return self.runner.run(argv, timeout=timeout).stdout


class Recovered:
    """A server that has ended its recovery."""

    def __init__(self, scratch: Scratch) -> None:
        self._scratch = scratch
        self._docker = Docker(scratch.runner)

    def wait(self, deadline: float) -> None:
        """Wait until it has replayed the log; raise with its own words where it could not."""
        while True:
            answer = self._psql("SELECT pg_is_in_recovery()", self._scratch.source.database, timeout=30, check=False)
            if answer.strip() == "f":
                return
            state = ["docker", "inspect", "--format", "{{.State.Running}}", self._scratch.name]
            if self._scratch.runner.run(state).stdout.strip() != "true":
                said = self._docker.logs(self._scratch.name, 30)
                if NOT_REACHED in said:
                    raise ComposeOpsError(
                        "The log in the store ends before the time that is wanted.", "Choose an earlier time."
                    )
                raise Damaged(f"PostgreSQL could not recover; it said: {said}", level=Level.RESTORED)
            if time.monotonic() > deadline:
                raise ComposeOpsError("PostgreSQL took too long to recover.", "Raise the source's timeout.")
            time.sleep(POLL_SECONDS)

    def reached(self) -> dict[str, Any]:
        """Return what was recovered."""
        return dict(json.loads(self.ask(REACHED, timeout=60)))

    def rows(self, databases: Sequence[str], timeout: float) -> dict[str, dict[str, int]]:
        """Read every table of the databases to its end and return how many rows each has."""
        counted = {}
        for database in databases:
            answer = self.ask(sql.CATALOG_ONLY + sql.COUNT_ROWS, database, timeout=timeout)
            counted[database] = {item["table"]: item["rows"] for item in map(json.loads, answer.splitlines())}
        return counted

    def ask(self, text: str, database: str = "", *, timeout: float) -> str:
        """Run SQL and return what it answered."""
        return self._psql(text, database or self._scratch.source.database, timeout=timeout, check=True)

    def _psql(self, text: str, database: str, *, timeout: float, check: bool) -> str:
        argv = [
            *("psql", "--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set", "ON_ERROR_STOP=1"),
            *("--host", SOCKETS, "--username", self._scratch.source.user, "--dbname", database),
        ]
        return self._docker.execute(
            self._scratch.name, argv, stdin=f"{text}\n", timeout=timeout, check=check
        ).stdout.strip()


def up_to(target: datetime | None) -> list[str]:
    """Return the settings that end a recovery at a moment; without one, at the end of the log."""
    return [] if target is None else [f"recovery_target_time={target:%Y-%m-%d %H:%M:%S.%f}+00"]


AT_ONCE = ["recovery_target=immediate"]
"""The settings that end a recovery as soon as the base backup is whole."""
