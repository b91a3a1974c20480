# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One bucket of an S3 store, through boto3's low-level calls; the only place that imports boto3."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any, BinaryIO

from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError, InvalidInput

CHUNK = 1024 * 1024
CONNECT_TIMEOUT = 10
READ_TIMEOUT = 60
ATTEMPTS = 4
MOST_IN_A_CALL = 1000
"""How many objects S3 deletes at once."""


class MissingLibrary(ComposeOpsError):
    """This host cannot speak S3 yet."""


class Bucket:
    """A bucket: list, read, write in parts, and clear away uploads that were never completed.

    With ``ca`` the store's certificate must be signed by that authority; without it, by one the system trusts.
    An empty ``endpoint`` is Amazon's own.
    """

    def __init__(
        self,
        name: str,
        *,
        access_key: str,
        secret_key: str,
        endpoint: str = "",
        region: str = "us-east-1",
        ca: str = "",
        path_style: bool = True,
    ) -> None:
        self.name = name
        self._where = endpoint or "Amazon S3"
        self._authority = _authority_file(ca) if ca else None
        self._client = _client(
            access_key=access_key,
            secret_key=secret_key,
            endpoint=endpoint,
            region=region,
            verify=self._authority.name if self._authority else None,
            path_style=path_style,
        )

    def pace(self, wait: Callable[[int], None]) -> None:
        """Call ``wait`` with how much is about to be sent, before each piece of a part."""

        def slow(request: Any, **_: Any) -> None:
            # It is signed by now, and made anew for another attempt.
            request.body = _Paced(request.body, wait)

        self._client.meta.events.register("before-send.s3.UploadPart", slow)

    def objects(self, prefix: str) -> Iterator[tuple[str, int]]:
        """Yield key and size of every object whose key begins with ``prefix``."""
        with self._errors(f"list {prefix}"):
            for page in self._client.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=prefix):
                for item in page.get("Contents", []):
                    yield item["Key"], int(item["Size"])

    def dated(self, prefix: str) -> Iterator[tuple[str, int, datetime]]:
        """Yield key, size and the store's own date of every object whose key begins with ``prefix``."""
        with self._errors(f"list {prefix}"):
            for page in self._client.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=prefix):
                for item in page.get("Contents", []):
                    yield item["Key"], int(item["Size"]), item["LastModified"]

    def folders(self, prefix: str = "") -> list[str]:
        """Return the names directly below ``prefix`` that have objects below them."""
        found = []
        with self._errors(f"list {prefix or 'what there is'}"):
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self.name, Prefix=prefix, Delimiter="/"
            )
            for page in pages:
                found += [str(item["Prefix"])[len(prefix) : -1] for item in page.get("CommonPrefixes", [])]
        return found

    def size(self, key: str) -> int:
        """Return the size of an object as the store holds it."""
        with self._errors(f"look at {key}"):
            return int(self._client.head_object(Bucket=self.name, Key=key)["ContentLength"])

    def read(self, key: str) -> bytes:
        """Return a small object whole."""
        with self._errors(f"read {key}"):
            return bytes(self._client.get_object(Bucket=self.name, Key=key)["Body"].read())

    def write(self, key: str, content: bytes) -> None:
        """Store a small object whole."""
        with self._errors(f"write {key}"):
            self._client.put_object(Bucket=self.name, Key=key, Body=content)

    def delete(self, key: str) -> None:
        with self._errors(f"delete {key}"):
            self._client.delete_object(Bucket=self.name, Key=key)

    def delete_all(self, keys: Sequence[str]) -> None:
        """Delete many objects, in order, a thousand in a call; raise where the store keeps any."""
        for start in range(0, len(keys), MOST_IN_A_CALL):
            some = keys[start : start + MOST_IN_A_CALL]
            wanted = {"Objects": [{"Key": key} for key in some], "Quiet": True}
            with self._errors(f"delete {some[0]} and {len(some) - 1} more"):
                answer = self._client.delete_objects(Bucket=self.name, Delete=wanted)
            for error in answer.get("Errors", []):
                code = str(error.get("Code", ""))
                raise ComposeOpsError(
                    f"{self._where} did not delete {error.get('Key')} in bucket {self.name}: {code}.",
                    _REMEDIES.get(code, "Look at the store."),
                )

    def download(self, key: str, path: str) -> tuple[int, str]:
        """Write an object to the new file ``path``, readable by its owner alone; return its size and SHA-256."""
        digest = hashlib.sha256()
        count = 0
        with self._errors(f"read {key}"):
            body = self._client.get_object(Bucket=self.name, Key=key)["Body"]
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as stream, contextlib.closing(body):
                for chunk in body.iter_chunks(CHUNK):
                    stream.write(chunk)
                    digest.update(chunk)
                    count += len(chunk)
                stream.flush()
                os.fsync(stream.fileno())
        return count, digest.hexdigest()

    def digest(self, key: str) -> tuple[int, str]:
        """Read an object to its end, keep nothing of it, and return its size and SHA-256."""
        digest = hashlib.sha256()
        count = 0
        with (
            self._errors(f"read {key}"),
            contextlib.closing(self._client.get_object(Bucket=self.name, Key=key)["Body"]) as body,
        ):
            for chunk in body.iter_chunks(CHUNK):
                digest.update(chunk)
                count += len(chunk)
        return count, digest.hexdigest()

    def begin(self, key: str) -> str:
        """Begin an upload in parts and return its id; there is no object before ``complete``."""
        with self._errors(f"begin to write {key}"):
            return str(self._client.create_multipart_upload(Bucket=self.name, Key=key)["UploadId"])

    def part(self, key: str, upload_id: str, number: int, content: bytes | bytearray | BinaryIO) -> str:
        """Send one part and return its tag."""
        with self._errors(f"write part {number} of {key}"):
            answer = self._client.upload_part(
                Bucket=self.name, Key=key, UploadId=upload_id, PartNumber=number, Body=content
            )
            return str(answer["ETag"])

    def complete(self, key: str, upload_id: str, tags: list[str]) -> None:
        """Make the parts, in order of their numbers, one object."""
        parts = [{"PartNumber": number, "ETag": tag} for number, tag in enumerate(tags, 1)]
        with self._errors(f"complete {key}"):
            self._client.complete_multipart_upload(
                Bucket=self.name, Key=key, UploadId=upload_id, MultipartUpload={"Parts": parts}
            )

    def abort(self, key: str, upload_id: str) -> None:
        """Give an upload up and free its parts; one that is gone already is as wanted."""
        with self._errors(f"abort the upload of {key}"):
            try:
                self._client.abort_multipart_upload(Bucket=self.name, Key=key, UploadId=upload_id)
            except self._client.exceptions.NoSuchUpload:
                return

    def uploads(self, prefix: str) -> list[tuple[str, str, datetime]]:
        """Return key, id and beginning of the uploads below ``prefix`` that nobody completed or aborted."""
        found = []
        with self._errors(f"list uploads of {prefix}"):
            pages = self._client.get_paginator("list_multipart_uploads").paginate(Bucket=self.name, Prefix=prefix)
            for page in pages:
                for item in page.get("Uploads", []):
                    found.append((str(item["Key"]), str(item["UploadId"]), item["Initiated"]))
        return found

    @contextlib.contextmanager
    def _errors(self, purpose: str) -> Iterator[None]:
        """Turn boto3's errors into ours, saying what was being done and what to do next."""
        from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError

        try:
            yield
        except ClientError as error:
            code = str(error.response.get("Error", {}).get("Code", ""))
            raise ComposeOpsError(
                f"{self._where} did not {purpose} in bucket {self.name}: {_said(error)}.",
                _REMEDIES.get(code, "Look at the store; nothing of this run was committed."),
            ) from error
        except (BotoCoreError, HTTPClientError) as error:
            raise ComposeOpsError(
                f"{self._where} could not be asked to {purpose} in bucket {self.name}: {error}.",
                "Check that the store runs and that backup_store names its endpoint, certificate authority and region.",
            ) from error


_NOT_ALLOWED = (
    "Let backup_store.access_key list, read and write in this bucket; only that of backup_prune_store has to delete."
)


class _Paced:
    """A part as a stream that is read no faster than it may be sent."""

    PIECE = 16 * 1024

    def __init__(self, content: bytes | bytearray | BinaryIO, wait: Callable[[int], None]) -> None:
        self._content = io.BytesIO(content) if isinstance(content, (bytes, bytearray)) else content
        self._wait = wait

    def read(self, size: int) -> bytes:
        # However much is asked for at once: less is no end.
        piece = self._content.read(min(size, self.PIECE))
        if piece:
            self._wait(len(piece))
        return piece

    def seek(self, position: int) -> int:
        """Go back to where another attempt begins; without it, boto3 makes none."""
        return self._content.seek(position)


_REMEDIES = {
    "NoSuchBucket": "Create the bucket, or correct backup_store.bucket.",
    "404": "It is not there; choose another one.",
    "NoSuchKey": "It is not there; choose another one.",
    "AccessDenied": _NOT_ALLOWED,
    "403": _NOT_ALLOWED,
    "InvalidAccessKeyId": "Correct backup_store.access_key.",
    "SignatureDoesNotMatch": "Correct backup_store.secret_key.",
    "RequestTimeTooSkewed": "Set this host's clock; timedatectl says whether it is synchronised.",
}


def _said(error: Any) -> str:
    detail = error.response.get("Error", {})
    return f"{detail.get('Code', 'error')} {detail.get('Message', '')}".strip().rstrip(".")


def _authority_file(ca: str) -> Any:
    """Write the authority where boto3 can read it; the file goes when the bucket does."""
    if "-----BEGIN CERTIFICATE-----" not in ca:
        raise InvalidInput("The store's certificate authority is not PEM text.", "Correct backup_store.ca.")
    stream = tempfile.NamedTemporaryFile("w", suffix=".pem", encoding="ascii")  # noqa: SIM115 (lives with the bucket)
    stream.write(ca)
    stream.flush()
    return stream


def _client(
    *, access_key: str, secret_key: str, endpoint: str, region: str, verify: str | None, path_style: bool
) -> Any:
    try:
        import boto3.session
        from botocore.config import Config
    except ImportError as error:
        raise MissingLibrary(
            "Python's boto3 is not installed on this host.", "Run playbooks/site.yml, or: apt-get install python3-boto3"
        ) from error
    options: dict[str, Any] = {
        "connect_timeout": CONNECT_TIMEOUT,
        "read_timeout": READ_TIMEOUT,
        "retries": {"mode": "standard", "total_max_attempts": ATTEMPTS},
        "s3": {"addressing_style": "path" if path_style else "virtual"},
        "signature_version": "s3v4",
    }
    if "request_checksum_calculation" in Config.OPTION_DEFAULTS:
        # Newer boto3 adds checksums that other stores than Amazon's may refuse; we keep a SHA-256 of our own.
        options["request_checksum_calculation"] = "when_required"
        options["response_checksum_validation"] = "when_required"
    try:
        return boto3.session.Session().client(
            "s3",
            aws_access_key_id=access_key,
            aws_secret_access_key=secret_key,
            endpoint_url=endpoint or None,
            region_name=region,
            verify=verify,
            config=Config(**options),
        )
    except ValueError as error:
        raise InvalidInput(f"The store cannot be reached as given: {error}.", "Correct backup_store.") from error
