"""Requests as bytes, answers from bytes in any pieces."""

from __future__ import annotations

import pytest

from tests.load import http1
from tests.load.http1 import Answer, AnswerParser, MalformedAnswer

COUNTED = b"HTTP/1.1 201 Created\r\nContent-Length: 5\r\nX-App-Version: 1.0.0\r\n\r\nhello"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\n\r\n"
EMPTY = b"HTTP/1.1 204 No Content\r\n\r\n"
INTERIM = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + COUNTED


@pytest.mark.parametrize(
    ("sent", "status", "body"),
    [
        pytest.param(COUNTED, 201, b"hello", id="content-length"),
        pytest.param(CHUNKED, 200, b"hello", id="chunked"),
        pytest.param(EMPTY, 204, b"", id="without-a-body"),
        pytest.param(INTERIM, 201, b"hello", id="interim-response-first"),
    ],
)
@pytest.mark.parametrize("piece", [1, 2, 7, 1000])
def test_an_answer_is_complete_with_its_last_byte_and_not_before(
    sent: bytes, status: int, body: bytes, piece: int
) -> None:
    parser = AnswerParser()
    pieces = [sent[start : start + piece] for start in range(0, len(sent), piece)]
    answers = [parser.feed(part) for part in pieces]
    assert answers[:-1] == [None] * (len(pieces) - 1)
    last = answers[-1]
    assert last is not None
    assert (last.status, last.body) == (status, body)


def test_header_names_are_in_lower_case() -> None:
    answer = AnswerParser().feed(COUNTED)
    assert answer is not None
    assert answer.headers["x-app-version"] == "1.0.0"


def test_an_answer_without_a_length_ends_with_the_connection() -> None:
    parser = AnswerParser()
    assert parser.feed(b"HTTP/1.1 200 OK\r\n\r\nhel") is None
    assert parser.feed(b"lo") is None
    assert parser.end() == Answer(200, {}, b"hello")


@pytest.mark.parametrize("sent", [COUNTED[:-1], CHUNKED[:-1], COUNTED[:20]], ids=["counted", "chunked", "head"])
def test_a_cut_answer_is_not_an_answer(sent: bytes) -> None:
    parser = AnswerParser()
    assert parser.feed(sent) is None
    assert parser.begun
    assert parser.end() is None


def test_nothing_has_begun_before_the_first_byte() -> None:
    parser = AnswerParser()
    assert not parser.begun
    assert parser.end() is None


@pytest.mark.parametrize(
    "sent",
    [
        b"SSH-2.0-OpenSSH\r\n\r\n",
        b"HTTP/1.1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
    ],
    ids=["another-protocol", "no-status", "length-not-a-number", "chunk-size-not-a-number"],
)
def test_what_is_not_http_is_refused(sent: bytes) -> None:
    with pytest.raises(MalformedAnswer):
        AnswerParser().feed(sent)


@pytest.mark.parametrize(("value", "kept"), [("close", False), ("Close", False), ("keep-alive", True)])
def test_the_server_says_whether_the_connection_stays(value: str, kept: bool) -> None:
    assert Answer(200, {"connection": value}, b"").keeps_connection is kept


def test_a_request_with_a_body_says_how_long_it_is() -> None:
    assert http1.request("POST", "a.b", "/c", body=b"{}", close=True) == (
        b"POST /c HTTP/1.1\r\nHost: a.b\r\nUser-Agent: load\r\n"
        b"Content-Type: application/json\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"
    )
