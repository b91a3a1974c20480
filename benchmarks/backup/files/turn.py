"""One contestant's turn on the host that is measured; prints what it cost as a line of JSON.

Usage: turn.py fill GIGABYTES | turn.py files | turn.py size | turn.py backup CONTESTANT | turn.py restore CONTESTANT

Everybody dumps the same database through the same container, encrypts to the same recipients, and sends to the same
bucket over TLS. Nobody has a secret in an argument.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from pathlib import Path

SETTINGS = json.loads(Path("/etc/composeops/backup.json").read_text(encoding="utf-8"))
STORE = SETTINGS["store"]
WORK = Path("/srv/backup-bench")
AUTHORITY = WORK / "authority.pem"
CONTAINER = "bench-postgres-1"
IMAGE = "postgres:15-alpine"
DATABASE = "bench"
LEVEL = "1"
RIVALS = "rivals-of-backup-bench"
"""The prefix below which the rivals put their objects."""

LOGIN = ["--username=bench", "--no-password"]
DUMP = ["docker", "exec", CONTAINER, "pg_dump", *LOGIN, "--format=custom", "--compress=0", DATABASE]
PLAIN, CUSTOM = WORK / "database.sql", WORK / "database.pgdump"

RCLONE = {
    "RCLONE_CONFIG_STORE_TYPE": "s3",
    "RCLONE_CONFIG_STORE_PROVIDER": "Other",
    "RCLONE_CONFIG_STORE_ENDPOINT": STORE["endpoint"],
    "RCLONE_CONFIG_STORE_REGION": STORE["region"],
    "RCLONE_CONFIG_STORE_ACCESS_KEY_ID": STORE["access_key"],
    "RCLONE_CONFIG_STORE_SECRET_ACCESS_KEY": STORE["secret_key"],
    "RCLONE_CA_CERT": str(AUTHORITY),
    "RCLONE_S3_NO_CHECK_BUCKET": "true",
}
RESTIC = {
    "AWS_ACCESS_KEY_ID": STORE["access_key"],
    "AWS_SECRET_ACCESS_KEY": STORE["secret_key"],
    "AWS_DEFAULT_REGION": STORE["region"],
    "RESTIC_PASSWORD": secrets.token_urlsafe(16),
    "RESTIC_CACERT": str(AUTHORITY),
    "RESTIC_CACHE_DIR": str(WORK / "restic-cache"),
}

ROWS_PER_GIGABYTE = 4_000_000
"""About 1 GB of dump, which zstd makes a quarter of: names, times and texts as applications have them."""

FILL = """
DROP TABLE IF EXISTS events; DROP TABLE IF EXISTS visits;
CREATE TABLE events (id bigint, account uuid, at timestamptz, kind text, body text);
INSERT INTO events SELECT i, md5((i % 50000)::text)::uuid, timestamptz '2026-01-01' + i * interval '1 second',
  (ARRAY['created', 'updated', 'removed', 'viewed'])[1 + i % 4],
  'The order ' || i || ' of customer ' || (i % 50000) || ' was looked at from a page that ' || md5(i::text)
  || ' refers to, and is shown with all that belongs to it: price, weight, place and date of delivery.'
  FROM generate_series(1, {events}) i;
CREATE TABLE visits AS SELECT i AS id, i % 1000 AS page, md5(i::text) AS session FROM generate_series(1, {visits}) i;
ALTER TABLE events ADD PRIMARY KEY (id); ALTER TABLE visits ADD PRIMARY KEY (id);
VACUUM ANALYZE;
CHECKPOINT;
"""


def run(argv: list[str], text: str | None = None) -> str:
    return subprocess.run(argv, input=text, check=True, stdout=subprocess.PIPE, text=True).stdout


def psql(text: str, database: str = DATABASE) -> str:
    argv = ["docker", "exec", "-i", CONTAINER, "psql", *LOGIN, "-qAtX", "-v", "ON_ERROR_STOP=1", database]
    return run(argv, text).strip()


def fill(gigabytes: float) -> None:
    """Put about so much into the database, as dumped."""
    WORK.mkdir(mode=0o700, exist_ok=True)
    for path in (PLAIN, CUSTOM):
        path.unlink(missing_ok=True)
    AUTHORITY.write_text(STORE["ca"], encoding="utf-8")
    rows = int(ROWS_PER_GIGABYTE * gigabytes)
    psql(FILL.format(events=rows * 7 // 8, visits=rows // 8))


def dump_to_files() -> None:
    """Write what the rivals of a restore start from."""
    for path, kind in ((PLAIN, "plain"), (CUSTOM, "custom")):
        options = ["--format=plain"] if kind == "plain" else ["--format=custom", "--compress=0"]
        with path.open("wb") as stream:
            argv = ["docker", "exec", CONTAINER, "pg_dump", *LOGIN, *options, DATABASE]
            subprocess.run(argv, check=True, stdout=stream)


def dump_size() -> int:
    """Return the bytes of everybody's dump."""
    if CUSTOM.exists():
        return CUSTOM.stat().st_size
    # Counted in the container: nothing has to be written, and the engine's stream is slow.
    return int(run(["docker", "exec", CONTAINER, "sh", "-c", f"{' '.join(DUMP[3:])} | wc -c"]))


def measure(argv: list[str], environment: dict[str, str]) -> str:
    """Run a command and return what it cost."""
    meter = [sys.executable, str(Path(__file__).with_name("meter.py")), *argv]
    return subprocess.run(
        meter, env={**os.environ, **environment}, check=True, stdout=subprocess.PIPE, text=True
    ).stdout.strip()


def shell(script: str, environment: dict[str, str]) -> str:
    return measure(["bash", "-euo", "pipefail", "-c", script], environment)


def pipeline() -> str:
    recipients = " ".join(f"--recipient {key}" for key in SETTINGS["recipients"])
    target = f"store:{STORE['bucket']}/{RIVALS}/{secrets.token_hex(4)}.pgdump.zst.age"
    script = f"{' '.join(DUMP)} | zstd -{LEVEL} -q | age --encrypt {recipients} | rclone rcat {target}"
    return shell(script, RCLONE)


def restic() -> str:
    """A first backup: the repository is made before the clock runs."""
    repository = f"s3:{STORE['endpoint']}/{STORE['bucket']}/{RIVALS}/{secrets.token_hex(4)}"
    environment = {**RESTIC, "RESTIC_REPOSITORY": repository}
    subprocess.run(["restic", "init", "--quiet"], check=True, env={**os.environ, **environment})
    backup = ["restic", "backup", "--quiet", "--stdin-filename=database.pgdump", "--stdin-from-command", "--", *DUMP]
    return measure(backup, environment)


def ours() -> str:
    return measure(["composeops", "backup", "run", DATABASE], {})


def restore_ours() -> str:
    cost = measure(["composeops", "restore", DATABASE, "--unverified"], {})
    for aside in psql("SELECT datname FROM pg_database WHERE datname LIKE 'bench\\_before\\_%'", "postgres").split():
        psql(f'DROP DATABASE "{aside}"', "postgres")
    return cost


def empty() -> None:
    psql("DROP DATABASE IF EXISTS target", "postgres")
    psql("CREATE DATABASE target", "postgres")


def restore_with_psql() -> str:
    empty()
    client = f"docker exec -i {CONTAINER} psql {' '.join(LOGIN)} -qAtX -v ON_ERROR_STOP=1 target"
    return shell(f"{client} < {PLAIN} > /dev/null", {})


def restore_with_pg_restore() -> str:
    empty()
    mounted = f"--volume {WORK}:/dumps:ro --network container:{CONTAINER}"
    restore = f"pg_restore {' '.join(LOGIN)} --host=127.0.0.1 --exit-on-error --jobs=2 --dbname=target"
    return shell(f"docker run --rm {mounted} {IMAGE} {restore} /dumps/{CUSTOM.name}", {})


BACKUP = {"ours": ours, "pipeline": pipeline, "restic": restic}
RESTORE = {"ours": restore_ours, "psql": restore_with_psql, "pg_restore": restore_with_pg_restore}


def main() -> None:
    kind, *rest = sys.argv[1:]
    if kind == "fill":
        fill(float(rest[0]))
    elif kind == "files":
        dump_to_files()
    elif kind == "size":
        print(dump_size())
    else:
        print({"backup": BACKUP, "restore": RESTORE}[kind][rest[0]]())


main()
