# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Asks an S3 store whether it takes objects, before there is boto3 on the host.

Listing the bucket tells whether it is there; some servers make a missing one when something is written to it.
Beginning an upload in parts and giving it up proves the endpoint, the clock, the keys, the bucket and the permission
to write, and leaves nothing behind: no object, and in a versioned or locked bucket no version either, as writing and
deleting an object would. The three requests that this needs are signed below; hosts get boto3 later, from the role that
uses it.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from urllib.parse import quote, urlsplit

from ansible_collections.composeops.stack.plugins.module_utils.backup.model import Store
from ansible_collections.composeops.stack.plugins.module_utils.io import http

KEY = ".composeops-preflight"
"""Key of the upload that is begun and given up."""

_ELEMENT = r"<{0}>([^<]*)</{0}>"
_OK, _NO_CONTENT = 200, 204

REMEDIES = {
    "NoSuchBucket": "Create it, or correct backup_store.bucket.",
    "AccessDenied": "Let backup_store.access_key list, read and write in this bucket.",
    "InvalidAccessKeyId": "Correct backup_store.access_key.",
    "SignatureDoesNotMatch": "Correct backup_store.secret_key.",
    "RequestTimeTooSkewed": "Set this host's clock: `timedatectl` says whether it is synchronised.",
    "PermanentRedirect": "Correct backup_store.region or its endpoint.",
    "AuthorizationHeaderMalformed": "Correct backup_store.region.",
}


@dataclass(frozen=True)
class Answer:
    """What a store said to a probe."""

    problem: str = ""
    remedy: str = ""
    date: datetime | None = None
    """The store's clock."""


def try_to_write(store: Store, *, timeout: float = 10) -> Answer:
    """List the bucket, begin an upload and give it up; return what stands against it."""
    listed = _judge(store, _send(store, "GET", "", "list-type=2&max-keys=0", timeout), _OK)
    if listed.problem:
        return listed
    begun = _send(store, "POST", KEY, "uploads=", timeout)
    answer = _judge(store, begun, _OK)
    if answer.problem:
        return answer
    upload = _element("UploadId", begun.body)
    if not upload:
        return Answer(f"{_where(store)} answered something else than S3 does.", "Correct backup_store.endpoint.")
    ended = _judge(store, _send(store, "DELETE", KEY, f"uploadId={quote(upload, safe='')}", timeout), _NO_CONTENT)
    return answer if not ended.problem else ended


def object_url(store: Store, key: str, query: str) -> str:
    """Return the URL of an object."""
    endpoint = (store.endpoint or f"https://s3.{store.region}.amazonaws.com").rstrip("/")
    if store.path_style:
        return f"{endpoint}/{quote(store.bucket)}/{quote(key)}?{query}"
    scheme, _, host = endpoint.partition("://")
    return f"{scheme}://{store.bucket}.{host}/{quote(key)}?{query}"


def signed_headers(
    store: Store, method: str, url: str, now: datetime, headers: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Return the headers of a request without a body, signed with AWS Signature Version 4."""
    parts = urlsplit(url)
    stamp = now.strftime("%Y%m%dT%H%M%SZ")
    payload = hashlib.sha256(b"").hexdigest()
    signed = {**(headers or {}), "host": parts.netloc, "x-amz-content-sha256": payload, "x-amz-date": stamp}
    names = ";".join(sorted(signed))
    query = "&".join(sorted(parts.query.split("&"))) if parts.query else ""
    lines = [
        method,
        parts.path,
        query,
        *(f"{name}:{signed[name].strip()}" for name in sorted(signed)),
        "",
        names,
        payload,
    ]
    scope = f"{stamp[:8]}/{store.region}/s3/aws4_request"
    digest = hashlib.sha256("\n".join(lines).encode()).hexdigest()
    key = f"AWS4{store.secret_key}".encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{digest}"
    signature = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    authorization = (
        f"AWS4-HMAC-SHA256 Credential={store.access_key}/{scope}, SignedHeaders={names}, Signature={signature}"
    )
    del signed["host"]
    return {**signed, "Authorization": authorization}


def _send(store: Store, method: str, key: str, query: str, timeout: float) -> http.Response:
    url = object_url(store, key, query)
    headers = signed_headers(store, method, url, datetime.now(timezone.utc))
    body = None if method == "GET" else b""
    return http.request(url, method=method, headers=headers, body=body, ca=store.ca, timeout=timeout)


def _judge(store: Store, response: http.Response, expected: int) -> Answer:
    date = parsedate_to_datetime(response.headers["date"]) if response.headers.get("date") else None
    if response.status == expected:
        return Answer(date=date)
    code = _element("Code", response.body) or str(response.status)
    said = _element("Message", response.body) or "no reason"
    return Answer(
        f"{_where(store)} does not take objects: {code}: {said.rstrip('.')}.",
        REMEDIES.get(code, "Look at the store and at backup_store."),
        date,
    )


def _where(store: Store) -> str:
    return f"bucket {store.bucket} at {store.endpoint or 'Amazon S3'}"


def _element(name: str, body: bytes) -> str:
    match = re.search(_ELEMENT.format(name), body.decode("utf-8", "replace"))
    return match[1] if match else ""
