"""What images take over from this machine: where Debian comes from, and which extra authorities are trusted."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import shutil
import ssl
from collections.abc import Iterable, Mapping
from pathlib import Path

from testbed.runner import run

DEBIAN = "http://deb.debian.org/debian"
SECURITY = "http://deb.debian.org/debian-security"

_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----(.+?)-----END CERTIFICATE-----", re.DOTALL)
_APT_SETTING = re.compile(
    r"^Acquire::(?:(?:https?)::(?:Proxy|Pipeline-Depth|Timeout)\b|Retries|Check-(?:Valid-Until|Date))"
)


def mirrors(sources: str) -> tuple[str, str]:
    """(Debian, its security archive) as the machine's own apt sources name them, else Debian's own."""
    lines = "\n".join(line for line in sources.splitlines() if not line.lstrip().startswith("#"))
    debian = re.search(r"https?://\S+/debian(?=/?\s|/?$)", lines, flags=re.MULTILINE)
    security = re.search(r"https?://\S+/debian-security(?=/?\s|/?$)", lines, flags=re.MULTILINE)
    return (debian.group() if debian else DEBIAN, security.group() if security else SECURITY)


def apt_settings(dump: str, environment: Mapping[str, str]) -> list[str]:
    """The machine's settings for fetching (proxy, retries, clock), from `apt-config dump` and the environment."""
    settings = [line for line in dump.splitlines() if _APT_SETTING.match(line) and not line.endswith(' "";')]
    for scheme in ("http", "https"):
        proxy = environment.get(f"{scheme}_proxy") or environment.get(f"{scheme.upper()}_PROXY")
        if proxy and not any(line.startswith(f"Acquire::{scheme}::Proxy ") for line in settings):
            settings.append(f'Acquire::{scheme}::Proxy "{proxy}";')
    return settings


def certificates(bundle: str) -> dict[str, str]:
    """The certificates of a PEM bundle by fingerprint."""
    found = {}
    for match in _CERTIFICATE.finditer(bundle):
        body = "".join(match.group(1).split())
        wrapped = "\n".join(body[start : start + 64] for start in range(0, len(body), 64))
        fingerprint = hashlib.sha256(base64.b64decode(body)).hexdigest()
        found[fingerprint] = f"-----BEGIN CERTIFICATE-----\n{wrapped}\n-----END CERTIFICATE-----\n"
    return found


def extra_certificates(bundle: str, known: Iterable[str]) -> dict[str, str]:
    """Certificates this machine trusts beyond Mozilla's list: a company's own, or an intercepting proxy's."""
    extra = certificates(bundle)
    for text in known:
        for fingerprint in certificates(text):
            extra.pop(fingerprint, None)
    return extra


def read_mirrors() -> tuple[str, str]:
    root = Path("/etc/apt")
    files = [root / "sources.list", *sorted((root / "sources.list.d").glob("*.list"))]
    files += sorted((root / "sources.list.d").glob("*.sources"))
    return mirrors("\n".join(file.read_text(encoding="utf-8") for file in files if file.is_file()))


def read_apt_settings() -> list[str]:
    dump = run(("apt-config", "dump")) if shutil.which("apt-config") else ""
    return apt_settings(dump, os.environ)


def read_extra_certificates() -> dict[str, str]:
    bundle = Path(os.environ.get("SSL_CERT_FILE") or ssl.get_default_verify_paths().cafile or "")
    if not bundle.is_file():
        return {}
    mozilla = Path("/usr/share/ca-certificates/mozilla").glob("*.crt")
    return extra_certificates(
        bundle.read_text(encoding="utf-8", errors="replace"),
        (file.read_text(encoding="utf-8", errors="replace") for file in mozilla),
    )
