# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import contextlib
import secrets
import socket
import struct
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.io import bson, mongo
from ansible_collections.composeops.stack.tests.unit.support.servers import free_port, tcp_server

Answer = Callable[[dict[str, Any]], "dict[str, Any] | bytes | None"]

# The example of RFC 7677.
NONCE = "rOprNGfwEbeRWgbNEkqO"
WHOLE_NONCE = f"{NONCE}%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
CHALLENGE = f"r={WHOLE_NONCE},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
PROOF = f"c=biws,r={WHOLE_NONCE},p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
SIGNATURE = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="


@contextlib.contextmanager
def server(answer: Answer, *, seconds: float = 30) -> Iterator[mongo.MongoClient]:
    """Give a client of a server that sends what ``answer`` returns, or hangs up on None."""

    def serve(connection: socket.socket) -> None:
        stream = connection.makefile("rb")
        while header := stream.read(16):
            size, number, _, _ = struct.unpack("<iiii", header)
            said = answer(bson.decode(stream.read(size - 16)[5:]))
            if said is None:
                return
            if isinstance(said, bytes):
                connection.sendall(said)
                continue
            body = struct.pack("<IB", 0, 0) + bson.encode(said)
            connection.sendall(struct.pack("<iiii", 16 + len(body), 1, number, 2013) + body)

    with tcp_server(serve) as port, mongo.connected("127.0.0.1", port, deadline=time.monotonic() + seconds) as client:
        yield client


def test_a_command_names_its_database_and_gets_its_answer() -> None:
    asked: list[dict[str, Any]] = []

    def answer(command: dict[str, Any]) -> dict[str, Any]:
        asked.append(command)
        return {"n": 3, "ok": 1.0}

    with server(answer) as client:
        assert client.command("shop", {"count": "orders"})["n"] == 3
    assert asked == [{"count": "orders", "$db": "shop"}]


def test_a_cursor_is_followed_to_its_end() -> None:
    batches = iter(
        [
            {"cursor": {"id": 7, "ns": "shop.$cmd.listCollections", "firstBatch": [{"name": "a"}]}, "ok": 1},
            {"cursor": {"id": 7, "ns": "shop.$cmd.listCollections", "nextBatch": [{"name": "b"}]}, "ok": 1},
            {"cursor": {"id": 0, "ns": "shop.$cmd.listCollections", "nextBatch": [{"name": "c"}]}, "ok": 1},
        ]
    )
    asked: list[dict[str, Any]] = []

    def answer(command: dict[str, Any]) -> dict[str, Any]:
        asked.append(command)
        return next(batches)

    with server(answer) as client:
        found = [entry["name"] for entry in client.documents("shop", {"listCollections": 1})]
    assert found == ["a", "b", "c"]
    assert asked[1] == asked[2] == {"getMore": 7, "collection": "$cmd.listCollections", "$db": "shop"}


def scram(proof: str = PROOF, signature: str = SIGNATURE, *, done: bool = True) -> Answer:
    def answer(command: dict[str, Any]) -> dict[str, Any]:
        if "saslStart" in command:
            assert command["payload"] == f"n,,n=user,r={NONCE}".encode()
            return {"conversationId": 1, "done": False, "payload": CHALLENGE.encode(), "ok": 1}
        if not command["payload"]:
            return {"conversationId": 1, "done": True, "payload": b"", "ok": 1}
        if command["payload"] != proof.encode():
            return {"ok": 0, "errmsg": "Authentication failed.", "code": 18, "codeName": "AuthenticationFailed"}
        return {"conversationId": 1, "done": done, "payload": signature.encode(), "ok": 1}

    return answer


@pytest.fixture
def known_nonce(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secrets, "token_urlsafe", lambda size: NONCE)


@pytest.mark.usefixtures("known_nonce")
@pytest.mark.parametrize("done", [True, False], ids=["at once", "after an empty exchange"])
def test_a_login_is_the_example_of_the_standard(done: bool) -> None:
    with server(scram(done=done)) as client:
        client.log_in("user", "pencil", "admin")


@pytest.mark.usefixtures("known_nonce")
def test_a_wrong_password_is_said_and_not_shown() -> None:
    with server(scram()) as client, pytest.raises(mongo.MongoError, match="Authentication failed") as raised:
        client.log_in("user", "crayon", "admin")
    assert "password_secret" in raised.value.remedy
    assert "crayon" not in str(raised.value)


@pytest.mark.usefixtures("known_nonce")
def test_a_server_that_does_not_know_the_password_is_not_believed() -> None:
    with (
        server(scram(signature="v=AAAA")) as client,
        pytest.raises(mongo.MongoError, match="does not know the password itself"),
    ):
        client.log_in("user", "pencil", "admin")


@pytest.mark.parametrize(
    "challenge",
    [f"r={NONCE}x,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=1", "r=another,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"],
    ids=["too few iterations", "another nonce"],
)
@pytest.mark.usefixtures("known_nonce")
def test_a_challenge_that_no_server_should_send_ends_the_login(challenge: str) -> None:
    reply = {"conversationId": 1, "done": False, "payload": challenge.encode(), "ok": 1}
    with server(lambda command: reply) as client, pytest.raises(mongo.MongoError, match="as no server should"):
        client.log_in("user", "pencil", "admin")


@pytest.mark.parametrize(
    ("said", "message"),
    [
        pytest.param({"ok": 0, "errmsg": "no such command"}, "refused ping: no such command", id="no"),
        pytest.param(None, "closed the connection", id="nothing"),
        pytest.param(b"HTTP/1.1 400 Bad Request\r\n\r\n", "does not speak like MongoDB", id="something else"),
    ],
)
def test_what_is_no_good_answer_is_an_error(said: dict[str, Any] | bytes | None, message: str) -> None:
    with server(lambda command: said) as client, pytest.raises(mongo.MongoError, match=message):
        client.command("admin", {"ping": 1})


def test_a_server_that_is_silent_is_left_in_time() -> None:
    def silent(command: dict[str, Any]) -> bytes:
        return b""

    with server(silent, seconds=0.2) as client, pytest.raises(mongo.MongoError, match=r"did not answer|took too long"):
        client.command("admin", {"ping": 1})


def test_nobody_there_is_told() -> None:
    with (
        pytest.raises(mongo.MongoError, match="does not answer"),
        mongo.connected("127.0.0.1", free_port(), deadline=time.monotonic() + 1),
    ):
        pass
