"""What an S3 store does to a backup: it fails, slows down, goes away, is full; and what a host then says and leaves.

Between host and store is a proxy that does so when it is told. What it was asked also shows which rights a host needs.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator

import botocore.exceptions
import pytest

from tests.integration.backup_host import (  # noqa: F401 (a fixture)
    DATABASE,
    POSTGRES_CONTAINER,
    REDIS,
    SETTINGS,
    STATE,
    BackupHost,
    bench_fixture,
)
from tests.integration.bed_host import Completed
from tests.support.fault_proxy import Answer, BreakOff, Fault, FaultProxy, Request, Slow, fault_proxy

pytestmark = pytest.mark.bed

ROWS = 40_000
"""Of 1 KiB that nothing compresses, so that a backup is three parts."""


@pytest.fixture(name="store", scope="module")
def store_fixture(bench: BackupHost) -> Iterator[FaultProxy]:
    """The proxy, which the host takes for its store."""
    gateway = bench.host.output("ip -4 route show default | cut -d' ' -f3")
    with fault_proxy(bench.store["endpoint"], bench.store["ca"], gateway) as (proxy, url):
        settings = json.loads(bench.host.read(SETTINGS))
        settings["store"].update(endpoint=url, ca="")
        bench.host.write(SETTINGS, json.dumps(settings), mode="0600")
        bench.psql(
            "CREATE EXTENSION pgcrypto; CREATE TABLE noise AS "  # noqa: S608 (a number of ours)
            f"SELECT n, gen_random_bytes(1024) AS bytes FROM generate_series(1, {ROWS}) n;"
        )
        bench.redis("SET", "greeting", "hello")
        yield proxy


@pytest.fixture(autouse=True)
def fault(store: FaultProxy) -> Iterator[None]:
    yield
    store.clear()


CLIENT = """\
import select, socket, subprocess, sys, time

def redis(command, answer):
    connection = socket.create_connection((sys.argv[2], 6379))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    def ask(text):
        connection.sendall(text + b"\\r\\n")
        return connection.recv(99)
    assert ask(b"AUTH " + open("/srv/backuptest/redis", "rb").read().strip()) == b"+OK\\r\\n"
    def once(number):
        said = ask(command % number if b"%" in command else command)
        assert said == answer, said
    return once, connection.close

def postgres():
    psql = subprocess.Popen(sys.argv[2:], stdin=subprocess.PIPE)
    def once(number):
        psql.stdin.write(b"INSERT INTO written VALUES (%d);\\n" % number)
        psql.stdin.flush()
    def end():
        psql.stdin.close()
        assert psql.wait() == 0
    return once, end

once, end = {
    "ping": lambda: redis(b"PING", b"+PONG\\r\\n"),
    "set": lambda: redis(b"SET written:%d " + b"x" * 1024, b"+OK\\r\\n"),
    "insert": postgres,
}[sys.argv[1]]()
taken, due = [], time.perf_counter()
while not select.select([sys.stdin], [], [], max(0, due - time.perf_counter()))[0]:
    due = max(due + 0.002, time.perf_counter() - 0.1)
    sent = time.perf_counter()
    once(len(taken))
    taken.append(time.perf_counter() - sent)
end()
print(len(taken), sorted(taken)[int(len(taken) * 0.99)] * 1000)
"""
"""A client on the host with one connection that asks 500 times in a second until its input says something.

It prints how often it asked, and the 99th percentile of what an answer took, in ms.
"""


def parts(answer: Fault, *, after: int = 0, first: int = 10**6) -> Callable[[Request], Fault]:
    """Give ``answer`` to the parts of an upload, after so many and to so many."""
    seen: list[Request] = []

    def decide(request: Request) -> Fault:
        if request.is_part:
            seen.append(request)
        return answer if request.is_part and after < len(seen) <= after + first else None

    return decide


def run(bench: BackupHost, source: str = DATABASE) -> Completed:
    return bench.program(f"backup run {source}")


def objects(bench: BackupHost) -> list[str]:
    """Return the key of every object of this host."""
    return sorted(bench.keys())


FAULTS: dict[str, tuple[Callable[[Request], Fault], str]] = {
    "every part is answered 500": (parts(Answer(500, "InternalError")), "InternalError told by a test"),
    "no space is left for the second part": (
        parts(Answer(507, "XMinioStorageFull"), after=1),
        "XMinioStorageFull told by a test",
    ),
    "the clock of the host is ahead": (
        lambda request: Answer(403, "RequestTimeTooSkewed"),
        "Set this host's clock; timedatectl says whether it is synchronised",
    ),
    "the manifest cannot be written": (
        lambda request: Answer(500, "InternalError") if request.key.endswith("manifest.json") else None,
        "did not write backuptest-database/",
    ),
}


@pytest.mark.parametrize(("fails", "said"), FAULTS.values(), ids=FAULTS.keys())
def test_a_store_that_refuses_fails_the_run_and_the_next_one_succeeds(
    bench: BackupHost, store: FaultProxy, fails: Callable[[Request], Fault], said: str
) -> None:
    before = objects(bench)
    store.set(fails)
    failed = run(bench)
    assert failed.returncode == 1
    assert said in failed.stderr, failed
    assert bench.record(DATABASE)["outcome"] == "failed"
    store.clear()
    new = [key for key in objects(bench) if key not in before]
    # What was complete already stays, for the host deletes nothing. It is no backup, and pruning removes it.
    assert len(new) == (2 if "write" in said else 0)
    assert [key for key in new if key.endswith("/manifest.json")] == []
    assert bench.uploads() == []
    committed = bench.ids(DATABASE)
    assert run(bench).ok
    assert len(bench.ids(DATABASE)) == len(committed) + 1


def test_a_store_that_fails_now_and_then_and_one_that_is_slow_get_their_backups(
    bench: BackupHost, store: FaultProxy
) -> None:
    store.set(parts(Answer(500, "InternalError"), first=2))
    assert run(bench).ok
    store.set(lambda request: Slow(12_000_000) if request.is_part else None)
    began = time.monotonic()
    assert run(bench).ok
    assert time.monotonic() - began > 2
    assert bench.uploads() == []


def test_a_store_that_goes_away_half_way_leaves_an_upload_that_is_no_backup(
    bench: BackupHost, store: FaultProxy
) -> None:
    before = objects(bench)
    gone = threading.Event()

    def leave(request: Request) -> Fault:
        if request.is_part and int(request.query["partNumber"][0]) > 1:
            gone.set()
        return BreakOff() if gone.is_set() else None

    store.set(leave)
    failed = run(bench)
    assert failed.returncode == 1
    assert "could not be asked to write part" in failed.stderr, failed
    store.clear()
    assert objects(bench) == before
    # Nobody was there to take it back. A later run, or pruning, does when it is a day old.
    (upload,) = bench.uploads()
    assert run(bench).ok
    assert bench.uploads() == [upload]
    bench.s3.abort_multipart_upload(Bucket=bench.bucket, **upload)


def test_a_backup_that_is_killed_on_a_slow_store_is_told_and_followed_by_one_that_succeeds(
    bench: BackupHost, store: FaultProxy
) -> None:
    before = objects(bench)
    store.set(lambda request: Slow(2_000_000) if request.is_part else None)
    bench.host.run("systemctl reset-failed killed.service")
    bench.host.run(f"systemd-run --quiet --unit killed composeops backup run {DATABASE}", check=True)
    deadline = time.monotonic() + 60
    while not bench.uploads():
        assert time.monotonic() < deadline, "no upload was begun"
    bench.host.run("systemctl kill --signal KILL killed.service", check=True)
    bench.wait("! systemctl is-active --quiet killed.service")
    bench.host.run("systemctl reset-failed killed.service")
    store.clear()
    assert objects(bench) == before
    assert "interrupted" in bench.program("list").stdout
    assert run(bench).ok
    for upload in bench.uploads():
        bench.s3.abort_multipart_upload(Bucket=bench.bucket, **upload)


def test_a_disk_that_is_full_stops_a_restore_before_anything_is_replaced(bench: BackupHost, store: FaultProxy) -> None:
    bench.backup(DATABASE)
    keep = f"{STATE}/{DATABASE}.identity"
    bench.host.run(f"cp -a {keep} /run/kept; mount -t tmpfs -o size=20m,mode=0700 tmpfs {STATE}", check=True)
    bench.host.run(f"mv /run/kept {keep}", check=True)
    try:
        failed = bench.program(f"restore {DATABASE} --unverified")
    finally:
        bench.host.run(f"umount {STATE}", check=True)
    assert failed.returncode == 1
    assert f"The disk of {STATE}/{DATABASE}.restoring" in failed.stderr, failed
    assert bench.psql("SELECT count(*) FROM noise") == str(ROWS)
    assert bench.psql("SELECT count(*) FROM pg_database WHERE datname LIKE 'app%'") == "1"
    assert bench.program(f"restore {DATABASE} --unverified").ok


class Client:
    """One that runs on the host until it is stopped."""

    def __init__(self, bench: BackupHost, *arguments: str) -> None:
        self._bench = bench
        self._fifo = f"/run/client.{arguments[0]}"
        self._said: list[str] = []
        bench.host.write("/run/client.py", CLIENT)
        bench.host.run(f"rm -f {self._fifo}; mkfifo -m 600 {self._fifo}", check=True)
        command = f"python3 /run/client.py {' '.join(arguments)} <> {self._fifo}"
        self._thread = threading.Thread(target=lambda: self._said.append(bench.host.output(command)))
        self._thread.start()

    def stop(self) -> tuple[int, float]:
        """Return how often it asked, and the 99th percentile of the answers' times in ms; none may have failed."""
        self._bench.host.run(f"echo > {self._fifo}", check=True)
        self._thread.join()
        (said,) = self._said
        count, percentile = said.split()
        return int(count), float(percentile)


def test_no_write_fails_while_scheduled_backups_run_and_redis_answers(bench: BackupHost, store: FaultProxy) -> None:
    """The latencies are printed: on a machine that does other things, they are no property of a backup."""
    bench.psql("CREATE TABLE written (number int PRIMARY KEY)")
    fill = 'for n = 1, 200000 do redis.call("SET", "filler:" .. n, string.rep("x", 200)) end'
    bench.redis("EVAL", fill, "0")
    address = bench.host.output(
        "docker inspect -f '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' backuptest-redis-1"
    ).strip()
    psql = f"docker exec -i {POSTGRES_CONTAINER} psql -qX -v ON_ERROR_STOP=1 -U app app".split()

    def percentile(condition: Callable[[], object]) -> float:
        ping = Client(bench, "ping", address)
        condition()
        return ping.stop()[1]

    idle = percentile(lambda: time.sleep(5))
    writers = [Client(bench, "set", address), Client(bench, "insert", *psql)]
    writing = percentile(lambda: time.sleep(5))
    units = [f"composeops-backup@{source}.service" for source in (DATABASE, REDIS)]
    ended: list[Completed] = []
    busy = percentile(lambda: ended.extend(bench.host.run(f"systemctl start {unit}") for unit in units))
    (keys, _), (rows, _) = [writer.stop() for writer in writers]
    assert [one.ok for one in ended] == [True, True], ended
    assert bench.psql("SELECT count(*) FROM written") == str(rows)
    assert bench.redis("EXISTS", f"written:{keys - 1}") == "1"
    print(f"\nPING of Redis, p99 in ms: {idle:.2f} idle, {writing:.2f} under writes, {busy:.2f} with backups as well")


def test_a_host_deletes_nothing_and_its_key_could_not(bench: BackupHost, store: FaultProxy) -> None:
    """A backup, a verification, a restore and a failure ask for no deletion but that of unfinished uploads."""
    store.requests.clear()
    assert run(bench).ok
    assert run(bench, REDIS).ok
    assert bench.program(f"drill {DATABASE} --level 2").ok
    assert bench.program(f"restore {REDIS} --unverified").ok
    store.set(parts(Answer(500, "InternalError"), after=1))
    assert not run(bench).ok
    store.clear()
    asked = {(one.method, one.aborts) for one in store.requests if one.method == "DELETE"}
    assert asked <= {("DELETE", True)}
    assert {one.method for one in store.requests} <= {"GET", "HEAD", "PUT", "POST", "DELETE"}
    key = next(key for key in bench.keys(DATABASE) if key.endswith("/manifest.json"))
    with pytest.raises(botocore.exceptions.ClientError, match="AccessDenied"):
        bench.client(bench.store).delete_object(Bucket=bench.bucket, Key=key)
    assert key in bench.keys(DATABASE)


def test_a_pin_is_set_by_a_host_and_shown(bench: BackupHost) -> None:
    newest = bench.ids(DATABASE)[-1]
    assert (
        f"{newest} of {DATABASE} is pinned." in bench.program(f"backup pin {DATABASE} {newest} --reason audit").stdout
    )
    assert f"{DATABASE}/{bench.name}/{newest}/pin.json" in bench.keys(DATABASE)
    assert "was pinned already" in bench.program(f"backup pin {DATABASE} {newest} --reason again").stdout
    assert "no committed backup" in bench.program(f"backup pin {DATABASE} 20200101T000000Z-00000000 --reason x").stderr
