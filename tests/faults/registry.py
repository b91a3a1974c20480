"""Images that nobody builds: one in the bed's registry with a layer or a label more, under another tag."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from dataclasses import dataclass, field
from typing import Any

import urllib3

MANIFESTS = "application/vnd.docker.distribution.manifest.v2+json, application/vnd.oci.image.manifest.v1+json"

# No proxy of this machine leads to the bed.
_http = urllib3.PoolManager(timeout=urllib3.Timeout(30), retries=False)


@dataclass
class Registry:
    """The registry at ``url``, whose engines and hosts are the bed's own."""

    url: str
    _published: set[tuple[str, str]] = field(default_factory=set)

    @property
    def address(self) -> str:
        """Where it is, as the first part of an image's name."""
        return urllib3.util.parse_url(self.url).netloc or ""

    def publish(self, base: str, tag: str, *, label: str = "", megabytes: int = 0) -> str:
        """Publish ``base`` under another tag, with a label and a layer of noise of its own; return the digest."""
        repository, _, base_tag = base.rpartition(":")
        manifest, kind = self._manifest(repository, base_tag)
        config = json.loads(self._get(repository, f"blobs/{manifest['config']['digest']}")[0])
        config["config"]["Labels"] = {**(config["config"].get("Labels") or {}), "test.label": label}
        if megabytes:
            layer = _layer(megabytes)
            packed = gzip.compress(layer, compresslevel=1, mtime=0)
            config["rootfs"]["diff_ids"].append(_digest(layer))
            config.setdefault("history", []).append({"created_by": "noise"})
            media = manifest["layers"][0]["mediaType"]
            manifest["layers"].append(self._blob(repository, packed, media))
        encoded = json.dumps(config).encode()
        manifest["config"] = self._blob(repository, encoded, manifest["config"]["mediaType"])
        content = json.dumps(manifest).encode()
        self._send("PUT", f"{self.url}/v2/{repository}/manifests/{tag}", content, kind)
        self._published.add((repository, _digest(content)))
        return _digest(content)

    def remove(self, repository: str, digest: str) -> None:
        """Remove an image, under whatever tag it is."""
        self._send("DELETE", f"{self.url}/v2/{repository}/manifests/{digest}")
        self._published.discard((repository, digest))

    def tidy_up(self) -> None:
        """Remove everything that was published here."""
        for repository, digest in sorted(self._published):
            self.remove(repository, digest)

    def _manifest(self, repository: str, reference: str) -> tuple[dict[str, Any], str]:
        content, kind = self._get(repository, f"manifests/{reference}")
        return dict(json.loads(content)), kind

    def _get(self, repository: str, path: str) -> tuple[bytes, str]:
        answer = self._ask("GET", f"{self.url}/v2/{repository}/{path}", headers={"Accept": MANIFESTS})
        return answer.data, answer.headers["Content-Type"]

    def _blob(self, repository: str, content: bytes, media: str) -> dict[str, Any]:
        digest = _digest(content)
        place = self._send("POST", f"{self.url}/v2/{repository}/blobs/uploads/")
        separator = "&" if "?" in place else "?"
        self._send("PUT", f"{place}{separator}digest={digest}", content, "application/octet-stream")
        return {"mediaType": media, "size": len(content), "digest": digest}

    def _send(self, method: str, url: str, content: bytes = b"", kind: str = "") -> str:
        headers = {"Content-Type": kind} if kind else {}
        return self._ask(method, url, headers=headers, body=content).headers.get("Location", "")

    @staticmethod
    def _ask(method: str, url: str, **request: Any) -> urllib3.BaseHTTPResponse:
        answer = _http.request(method, url, **request)
        assert answer.status < 300, f"{method} {url} answers {answer.status}: {answer.data[:300]!r}"
        return answer


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _layer(megabytes: int) -> bytes:
    """Return a layer with one file that does not compress, the same one every time."""
    noise = b"".join(hashlib.sha256(number.to_bytes(8, "big")).digest() for number in range(megabytes << 15))
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        member = tarfile.TarInfo("noise")
        member.size = len(noise)
        archive.addfile(member, io.BytesIO(noise))
    return stream.getvalue()
