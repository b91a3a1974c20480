# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable, Iterator

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.backup.sources.redis_client import (
    RedisClient,
    RedisError,
    connected,
)
from ansible_collections.composeops.stack.tests.unit.support.servers import free_port, tcp_server

MARK = b"0123456789abcdef0123456789abcdef01234567"


def words(stream: Iterator[bytes]) -> list[str]:
    """Read one command as a client sends it."""
    count = int(next(stream)[1:])
    found = []
    for _ in range(count):
        next(stream)
        found.append(next(stream).rstrip(b"\r\n").decode())
    return found


@contextlib.contextmanager
def server(
    answer: Callable[[list[str]], bytes | None], *, seconds: float = 5, password: str = ""
) -> Iterator[RedisClient]:
    """Give a client of a server that sends what ``answer`` returns, or hangs up on None."""

    def serve(connection: socket.socket) -> None:
        stream = iter(connection.makefile("rb"))
        while True:
            try:
                said = answer(words(stream))
            except StopIteration:
                return
            if said is None:
                return
            connection.sendall(said)

    with (
        tcp_server(serve) as port,
        connected("127.0.0.1", port, password=password, deadline=time.monotonic() + seconds) as client,
    ):
        yield client


def replication(payload: bytes | None, *, rdb_only: bytes = b"+OK\r\n") -> Callable[[list[str]], bytes | None]:
    """Answer like a server whose answer to SYNC is ``payload``."""

    def answer(command: list[str]) -> bytes | None:
        if command == ["REPLCONF", "rdb-only", "1"]:
            return rdb_only
        if command == ["REPLCONF", "capa", "eof"]:
            return b"+OK\r\n"
        assert command == ["SYNC"]
        return payload

    return answer


DATA = bytes(range(256)) * 3000


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param(b"$%d\r\n%b" % (len(DATA), DATA), id="size known"),
        pytest.param(b"$%d\r\n%bPING" % (len(DATA), DATA), id="size known, more behind"),
        pytest.param(b"$EOF:" + MARK + b"\r\n" + DATA + MARK, id="ended by a mark"),
        pytest.param(b"\n\n\n$EOF:" + MARK + b"\r\n" + DATA + MARK, id="signs of life first"),
    ],
)
def test_the_dump_is_exactly_the_data(payload: bytes) -> None:
    with server(replication(payload)) as client:
        assert b"".join(client.dump()) == DATA


def test_a_server_without_rdb_only_gives_its_data_too() -> None:
    with server(replication(b"$4\r\ndata", rdb_only=b"-ERR unknown option\r\n")) as client:
        assert b"".join(client.dump()) == b"data"


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        pytest.param(b"$100\r\nonly this", "closed the connection with 91 bytes to come", id="size known"),
        pytest.param(b"$EOF:" + MARK + b"\r\nonly this", "in the middle of its data", id="no mark"),
        pytest.param(b"$EOF:" + MARK + b"\r\n" + MARK[:20], "in the middle of its data", id="half a mark"),
        pytest.param(b"-NOMASTERLINK Can't SYNC\r\n", "gave no copy of its data: -NOMASTERLINK", id="refused"),
        pytest.param(b"$EOF:short\r\n", "in a form that is not known", id="a mark of another length"),
        pytest.param(b"", "closed the connection", id="nothing"),
    ],
)
def test_data_that_ends_before_its_end_is_refused(payload: bytes, message: str) -> None:
    def serve(connection: socket.socket) -> None:
        stream = iter(connection.makefile("rb"))
        for said in (b"+OK\r\n", b"+OK\r\n", payload):
            words(stream)
            connection.sendall(said)

    deadline = time.monotonic() + 5
    with (
        tcp_server(serve) as port,
        connected("127.0.0.1", port, password="", deadline=deadline) as client,
        pytest.raises(RedisError, match=message),
    ):
        list(client.dump())


def test_a_server_that_falls_silent_is_waited_for_until_the_deadline() -> None:
    began = time.monotonic()
    with server(replication(b"$100\r\npart"), seconds=0.3) as client, pytest.raises(RedisError):
        list(client.dump())
    assert time.monotonic() - began < 3


def test_the_password_comes_first() -> None:
    seen: list[list[str]] = []

    def answer(command: list[str]) -> bytes:
        seen.append(command)
        return b"+OK\r\n"

    with server(answer, password="s3cret") as client:
        client.command("PING")
    assert seen == [["AUTH", "s3cret"], ["PING"]]


def test_a_wrong_password_is_told_without_repeating_it() -> None:
    with (
        pytest.raises(RedisError, match="password_secret") as raised,
        server(lambda command: b"-WRONGPASS invalid username-password pair\r\n", password="s3cret"),
    ):
        pass
    assert "s3cret" not in str(raised.value)


def test_answers_of_every_kind() -> None:
    answers = {
        "DBSIZE": b":7\r\n",
        "PING": b"+PONG\r\n",
        "GET": b"$-1\r\n",
        "INFO": b"$24\r\n# Persistence\r\nloading:0\r\n",
        "CONFIG": b"*2\r\n$3\r\ndir\r\n$5\r\n/data\r\n",
    }
    with server(lambda command: answers[command[0]]) as client:
        assert client.command("DBSIZE") == "7"
        assert client.command("PING") == "PONG"
        assert client.command("GET", "x") == ""
        assert client.info("persistence") == {"loading": "0"}
        assert client.configuration("dir") == {"dir": "/data"}


def test_a_parameter_that_the_version_does_not_have_is_left_out() -> None:
    with server(lambda command: b"*0\r\n") as client:
        assert client.configuration("appenddirname") == {}


@pytest.mark.parametrize("said", [b"HTTP/1.1 400 Bad Request\r\n", b"$x\r\n"], ids=["another protocol", "nonsense"])
def test_what_is_no_redis_is_told(said: bytes) -> None:
    with server(lambda command: said) as client, pytest.raises(RedisError):
        client.command("PING")


def test_nobody_listening_is_told() -> None:
    with pytest.raises(RedisError, match="does not answer"):
        RedisClient("127.0.0.1", free_port(), password="", deadline=time.monotonic() + 2)
