"""The signature, as Amazon and boto3 compute it, and what a store's answers mean."""

from __future__ import annotations

from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.backup.model import Store
from ansible_collections.composeops.stack.plugins.module_utils.preflight.bucket import (
    object_url,
    signed_headers,
    try_to_write,
)
from ansible_collections.composeops.stack.tests.unit.support.servers import http_server
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

ACCESS, SECRET = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"


def store(endpoint: str = "", **options: Any) -> Store:
    return Store(bucket="backups", access_key=ACCESS, secret_key=SECRET, endpoint=endpoint, **options)


def test_signature_is_that_of_amazons_example() -> None:
    headers = signed_headers(
        store(),
        "GET",
        "https://examplebucket.s3.amazonaws.com/?lifecycle=",
        datetime(2013, 5, 24, tzinfo=timezone.utc),
    )
    assert headers["Authorization"] == (
        f"AWS4-HMAC-SHA256 Credential={ACCESS}/20130524/us-east-1/s3/aws4_request, "
        "SignedHeaders=host;x-amz-content-sha256;x-amz-date, "
        "Signature=fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"
    )


@pytest.mark.parametrize(
    ("method", "query"),
    [("GET", "list-type=2&max-keys=0"), ("POST", "uploads="), ("DELETE", "uploadId=a%2Bb%2F%3D")],
    ids=["list", "begin", "give-up"],
)
def test_signature_is_that_of_boto3(method: str, query: str) -> None:
    url = object_url(store("https://s3.example:8333"), ".probe", query)
    now = datetime.now(timezone.utc)
    request = AWSRequest(method, url, data=b"")
    request.context["timestamp"] = now.strftime("%Y%m%dT%H%M%SZ")
    S3SigV4Auth(Credentials(ACCESS, SECRET), "s3", "us-east-1").add_auth(request)
    ours = signed_headers(store(), method, url, datetime.strptime(request.context["timestamp"], "%Y%m%dT%H%M%SZ"))
    assert ours["Authorization"].split("Signature=")[1] == request.headers["Authorization"].split("Signature=")[1]


@pytest.mark.parametrize(
    ("options", "url"),
    [
        ({"endpoint": "https://s3.example/"}, "https://s3.example/backups/k?q="),
        ({"endpoint": "https://s3.example", "path_style": False}, "https://backups.s3.example/k?q="),
        ({"region": "eu-west-1"}, "https://s3.eu-west-1.amazonaws.com/backups/k?q="),
    ],
    ids=["path", "host", "amazon"],
)
def test_bucket_is_in_the_path_or_in_the_host(options: dict[str, Any], url: str) -> None:
    assert object_url(store(**options), "k", "q=") == url


def test_secret_is_not_in_what_is_shown_of_a_store() -> None:
    assert SECRET not in repr(store())


class FakeStore:
    """A store that begins and ends uploads, or answers with an error."""

    def __init__(self, status: int = 200, body: bytes = b"<X><UploadId>u/1</UploadId></X>", ended: int = 204) -> None:
        self.status, self.body, self.ended = status, body, ended
        self.seen: list[str] = []

    def __call__(self, handler: BaseHTTPRequestHandler) -> None:
        self.seen.append(f"{handler.command} {handler.path}")
        status, body = (self.ended, b"") if handler.command == "DELETE" else (self.status, self.body)
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)


def answer(server: FakeStore) -> Any:
    with http_server(server) as port:
        return try_to_write(store(f"http://127.0.0.1:{port}"), timeout=2)


def test_upload_is_begun_and_given_up() -> None:
    server = FakeStore()
    said = answer(server)
    assert (said.problem, server.seen) == (
        "",
        [
            "GET /backups/?list-type=2&max-keys=0",
            "POST /backups/.composeops-preflight?uploads=",
            "DELETE /backups/.composeops-preflight?uploadId=u%2F1",
        ],
    )


@pytest.mark.parametrize(
    ("code", "remedy"),
    [
        ("NoSuchBucket", "Create it"),
        ("AccessDenied", "access_key"),
        ("SignatureDoesNotMatch", "secret_key"),
        ("RequestTimeTooSkewed", "clock"),
        ("SlowDown", "Look at the store"),
    ],
)
def test_refusal_names_bucket_store_and_next_step(code: str, remedy: str) -> None:
    said = answer(FakeStore(403, f"<Error><Code>{code}</Code><Message>No.</Message></Error>".encode()))
    assert said.problem.startswith("bucket backups at http://127.0.0.1:")
    assert said.problem.endswith(f"does not take objects: {code}: No.")
    assert remedy in said.remedy


def test_nothing_is_written_to_a_bucket_that_cannot_be_listed() -> None:
    server = FakeStore(404, b"<Error><Code>NoSuchBucket</Code></Error>")
    assert "NoSuchBucket" in answer(server).problem
    assert server.seen == ["GET /backups/?list-type=2&max-keys=0"]


def test_refusal_without_words_names_the_status() -> None:
    assert "does not take objects: 503: no reason." in answer(FakeStore(503, b"")).problem


def test_something_else_than_s3_is_named() -> None:
    assert "answered something else than S3 does" in answer(FakeStore(200, b"<html>")).problem


def test_upload_that_cannot_be_given_up_is_a_problem() -> None:
    assert "403" in answer(FakeStore(ended=403)).problem


def test_clock_of_the_store_is_returned() -> None:
    said = answer(FakeStore())
    assert abs((datetime.now(timezone.utc) - said.date).total_seconds()) < 60
