# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import hashlib
import http.server
import io
import os
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError, InvalidInput
from ansible_collections.composeops.stack.plugins.module_utils.io import s3
from ansible_collections.composeops.stack.plugins.module_utils.io.s3 import Bucket
from ansible_collections.composeops.stack.tests.unit.support.servers import Authority, free_port, http_server

Answer = Callable[[http.server.BaseHTTPRequestHandler], None]


def bucket(endpoint: str, ca: str = "") -> Bucket:
    return Bucket("backups", access_key="id", secret_key="hush-hush", endpoint=endpoint, ca=ca)


def answering(status: int, body: bytes, headers: dict[str, str] | None = None) -> Answer:
    def answer(request: http.server.BaseHTTPRequestHandler) -> None:
        request.rfile.read(int(request.headers.get("Content-Length", 0)))
        request.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            request.send_header(name, value)
        request.end_headers()
        if request.command != "HEAD":
            request.wfile.write(body)

    return answer


def refusal(code: str) -> bytes:
    return f"<Error><Code>{code}</Code><Message>the message</Message></Error>".encode()


@pytest.fixture(autouse=True)
def one_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries are boto3's own affair; waiting for them would be all that these tests do."""
    monkeypatch.setattr(s3, "ATTEMPTS", 1)


@pytest.mark.parametrize(
    ("status", "code", "remedy"),
    [
        (404, "NoSuchBucket", "Create the bucket"),
        (403, "AccessDenied", "Let backup_store.access_key list, read and write"),
        (403, "InvalidAccessKeyId", "Correct backup_store.access_key"),
        (403, "SignatureDoesNotMatch", "Correct backup_store.secret_key"),
        (403, "RequestTimeTooSkewed", "Set this host's clock"),
        (500, "InternalError", "Look at the store"),
        (507, "InsufficientStorage", "Look at the store"),
    ],
)
def test_a_refusal_says_what_to_do(status: int, code: str, remedy: str) -> None:
    with http_server(answering(status, refusal(code))) as port, pytest.raises(ComposeOpsError) as raised:
        bucket(f"http://127.0.0.1:{port}").write("database/h/x/manifest.json", b"{}")
    said = str(raised.value)
    assert f"did not write database/h/x/manifest.json in bucket backups: {code} the message" in said
    assert remedy in said
    assert "hush-hush" not in said


def test_a_store_that_is_not_there_is_told() -> None:
    with pytest.raises(ComposeOpsError, match="could not be asked to list database/"):
        list(bucket(f"http://127.0.0.1:{free_port()}").objects("database/"))


def test_an_endpoint_that_is_no_url_is_told() -> None:
    with pytest.raises(InvalidInput, match="cannot be reached as given"):
        bucket("s3.example.com:9000")


def test_an_authority_that_is_no_certificate_is_told() -> None:
    with pytest.raises(InvalidInput, match="not PEM text"):
        bucket("https://127.0.0.1:1", ca="/etc/ssl/ca.pem")


LISTING = b"""<ListBucketResult><Name>backups</Name><IsTruncated>false</IsTruncated>
<Contents><Key>database/h/x/dump</Key><Size>12</Size></Contents>
<Contents><Key>database/h/x/manifest.json</Key><Size>3</Size></Contents></ListBucketResult>"""


def test_tls_with_an_authority_of_ones_own(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    listing = answering(200, LISTING, {"Content-Type": "application/xml"})
    with http_server(listing, authority.server_context("127.0.0.1")) as port:
        endpoint = f"https://127.0.0.1:{port}"
        assert list(bucket(endpoint, authority.pem).objects("database/")) == [
            ("database/h/x/dump", 12),
            ("database/h/x/manifest.json", 3),
        ]
        with pytest.raises(ComposeOpsError, match="certificate"):
            list(bucket(endpoint).objects("database/"))
        other = tmp_path / "other"
        other.mkdir()
        with pytest.raises(ComposeOpsError, match="certificate"):
            list(bucket(endpoint, Authority(other).pem).objects("database/"))


def test_a_download_is_measured_and_for_its_owner_alone(tmp_path: Path) -> None:
    path = str(tmp_path / "dump")
    with http_server(answering(200, b"the dump")) as port:
        size, digest = bucket(f"http://127.0.0.1:{port}").download("dump", path)
    assert (size, digest) == (8, hashlib.sha256(b"the dump").hexdigest())
    assert Path(path).read_bytes() == b"the dump"
    assert os.stat(path).st_mode & 0o777 == 0o600


def test_a_download_that_breaks_off_is_an_error(tmp_path: Path) -> None:
    short = answering(200, b"only this", {"Content-Length": "100"})
    with http_server(short) as port, pytest.raises(ComposeOpsError, match="could not be asked to read dump"):
        bucket(f"http://127.0.0.1:{port}").download("dump", str(tmp_path / "dump"))


def test_an_upload_that_is_gone_already_is_aborted() -> None:
    with http_server(answering(404, refusal("NoSuchUpload"))) as port:
        bucket(f"http://127.0.0.1:{port}").abort("dump", "1")


def test_a_request_carries_no_checksum_that_other_stores_refuse() -> None:
    seen: list[str] = []

    def answer(request: http.server.BaseHTTPRequestHandler) -> None:
        seen.extend(name.lower() for name in request.headers)
        answering(200, b"", {"ETag": '"tag"'})(request)

    with http_server(answer) as port:
        assert bucket(f"http://127.0.0.1:{port}").part("dump", "1", 1, b"content") == '"tag"'
    assert not [name for name in seen if "checksum" in name or name == "x-amz-trailer"]


@pytest.mark.parametrize("part", [b"x" * 100_000, bytearray(b"x" * 100_000)], ids=["bytes", "bytearray"])
def test_a_part_passes_the_pace_in_pieces_and_arrives_whole(part: bytes | bytearray) -> None:
    arrived: list[bytes] = []
    pieces: list[int] = []

    def answer(request: http.server.BaseHTTPRequestHandler) -> None:
        arrived.append(request.rfile.read(int(request.headers["Content-Length"])))
        request.send_response(200)
        request.send_header("Content-Length", "0")
        request.send_header("ETag", "tag")
        request.end_headers()

    with http_server(answer) as port:
        store = bucket(f"http://127.0.0.1:{port}")
        store.pace(pieces.append)
        assert store.part("dump", "upload", 1, part) == "tag"
    assert arrived == [bytes(part)]
    assert sum(pieces) == len(part)
    assert max(pieces) <= 16 * 1024


DATED = b"""<ListBucketResult><Name>backups</Name><IsTruncated>false</IsTruncated>
<Contents><Key>database/h/wal/1/A</Key><Size>12</Size><LastModified>2026-11-22T12:00:00.000Z</LastModified></Contents>
<CommonPrefixes><Prefix>database/h/</Prefix></CommonPrefixes>
<CommonPrefixes><Prefix>database/h2/</Prefix></CommonPrefixes></ListBucketResult>"""


def test_a_listing_has_dates_and_folders() -> None:
    with http_server(answering(200, DATED, {"Content-Type": "application/xml"})) as port:
        store = bucket(f"http://127.0.0.1:{port}")
        assert store.folders("database/") == ["h", "h2"]
        moment = datetime(2026, 11, 22, 12, 0, tzinfo=timezone.utc)
        assert list(store.dated("database/")) == [("database/h/wal/1/A", 12, moment)]


def test_many_objects_are_deleted_a_thousand_at_a_time_in_order() -> None:
    asked: list[bytes] = []

    def answer(request: http.server.BaseHTTPRequestHandler) -> None:
        asked.append(request.rfile.read(int(request.headers["Content-Length"])))
        answering(200, b"<DeleteResult></DeleteResult>", {"Content-Type": "application/xml"})(_emptied(request))

    with http_server(answer) as port:
        bucket(f"http://127.0.0.1:{port}").delete_all([f"k{number:04}" for number in range(1001)])
    assert [body.count(b"<Key>") for body in asked] == [1000, 1]
    assert b"k0000" in asked[0] and b"k1000" in asked[1]


def _emptied(request: http.server.BaseHTTPRequestHandler) -> http.server.BaseHTTPRequestHandler:
    """Return the request without its body, which was read."""
    del request.headers["Content-Length"]
    return request


def test_an_object_that_the_store_keeps_is_told() -> None:
    kept = b"<DeleteResult><Error><Key>k1</Key><Code>AccessDenied</Code></Error></DeleteResult>"
    answer = answering(200, kept, {"Content-Type": "application/xml"})
    with (
        http_server(answer) as port,
        pytest.raises(ComposeOpsError, match=r"did not delete k1 .*AccessDenied") as raised,
    ):
        bucket(f"http://127.0.0.1:{port}").delete_all(["k0", "k1"])
    assert "backup_prune_store" in str(raised.value)


def test_an_object_is_digested_without_being_kept() -> None:
    with http_server(answering(200, b"the dump")) as port:
        size, digest = bucket(f"http://127.0.0.1:{port}").digest("dump")
    assert (size, digest) == (8, hashlib.sha256(b"the dump").hexdigest())


def test_a_connection_that_is_cut_is_no_digest() -> None:
    def cut(request: http.server.BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Content-Length", "100")
        request.end_headers()
        request.wfile.write(b"the du")
        request.close_connection = True

    with http_server(cut) as port, pytest.raises(ComposeOpsError, match="could not be asked to read dump"):
        bucket(f"http://127.0.0.1:{port}").digest("dump")


@pytest.mark.parametrize("part", [b"x" * 100_000, io.BytesIO(b"x" * 100_000)], ids=["bytes", "a file"])
def test_a_part_that_is_paced_is_sent_again_whole(part: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3, "ATTEMPTS", 2)
    arrived: list[int] = []

    def answer(request: http.server.BaseHTTPRequestHandler) -> None:
        arrived.append(len(request.rfile.read(int(request.headers["Content-Length"]))))
        status, body = (500, refusal("InternalError")) if len(arrived) == 1 else (200, b"")
        answering(status, body, {"ETag": "tag"})(_emptied(request))

    with http_server(answer) as port:
        store = bucket(f"http://127.0.0.1:{port}")
        store.pace(lambda size: None)
        assert store.part("dump", "upload", 1, part) == "tag"
    assert arrived == [100_000, 100_000]
