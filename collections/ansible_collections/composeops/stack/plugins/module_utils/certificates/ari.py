# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Asks an authority when it wants a certificate replaced (ACME Renewal Information, RFC 9773).

An authority that has to revoke certificates moves their windows into the past, days before it does. Debian's certbot,
up to 4.0, does not ask.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from ansible_collections.composeops.stack.plugins.module_utils.certificates import directory
from ansible_collections.composeops.stack.plugins.module_utils.certificates.model import CertificateFacts
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.io import http

ASK_AGAIN, LEAST, MOST = 6 * 3600, 60, 24 * 3600
"""Seconds until the authority is asked again: where it does not say, and the limits of what it may say."""


@dataclass(frozen=True)
class Window:
    """When the authority wants a certificate replaced."""

    start: datetime
    end: datetime
    explanation: str = ""
    """Address of a page that tells people why, for instance of a revocation."""


@dataclass(frozen=True)
class Answer:
    """A window, and for how many seconds the authority does not want to be asked again."""

    window: Window
    retry_after: int


Get = Callable[[str], http.Response]


def identifier(certificate: CertificateFacts) -> str:
    """Return what names a certificate here: its authority's key and its serial number; empty where it has no such key.

    The serial number is in its encoding of ASN.1, in which a leading bit that is set is preceded by a zero byte.
    """
    if not certificate.authority_key:
        return ""
    serial = bytes.fromhex(certificate.serial.zfill(len(certificate.serial) + len(certificate.serial) % 2))
    return f"{_base64url(bytes.fromhex(certificate.authority_key))}.{_base64url(_positive(serial))}"


def moment(window: Window, serial: str) -> datetime:
    """Return the moment in the window that is this certificate's: everyone's renewals are spread over it."""
    share = int.from_bytes(hashlib.sha256(serial.encode()).digest()[:4], "big") / 2**32
    return window.start + (window.end - window.start) * share


def ask(server: str, name: str, ca_file: str = "", *, get: Get | None = None) -> Answer | None:
    """Return what the authority of the ACME directory ``server`` wants for the certificate ``name``.

    None where it has no such service.
    """
    fetch = get or (lambda url: directory.get(url, ca_file))
    base = directory.content(fetch(server), server).get("renewalInfo")
    if not name or not isinstance(base, str):
        return None
    url = f"{base.rstrip('/')}/{name}"
    response = fetch(url)
    return Answer(_window(directory.content(response, url), url), retry_after(response.headers.get("retry-after", "")))


def retry_after(header: str) -> int:
    """Return the seconds that a Retry-After means, within reason."""
    return min(max(int(header), LEAST), MOST) if header.isdigit() else ASK_AGAIN


def _window(content: dict[str, Any], url: str) -> Window:
    try:
        suggested = content["suggestedWindow"]
        window = Window(_time(suggested["start"]), _time(suggested["end"]), str(content.get("explanationURL") or ""))
    except (KeyError, TypeError, ValueError) as error:
        raise ComposeOpsError(f"{url} answered without a window that can be read: {error!r}.") from error
    if window.end <= window.start:
        raise ComposeOpsError(f"{url} answered with a window that ends before it begins.")
    return window


def _time(text: str) -> datetime:
    """Read RFC 3339, whose fractions of a second have more digits than Python 3.10 takes."""
    whole, _, rest = text.partition(".")
    zone = rest.lstrip("0123456789") if rest else ""
    found = datetime.fromisoformat(f"{whole}{zone}".replace("Z", "+00:00"))
    return found if found.tzinfo else found.replace(tzinfo=timezone.utc)


def _positive(number: bytes) -> bytes:
    stripped = number.lstrip(b"\0") or b"\0"
    return b"\0" + stripped if stripped[0] & 0x80 else stripped


def _base64url(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
