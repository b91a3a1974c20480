# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reads what openssl and certbot write as text."""

from __future__ import annotations

import re
from datetime import datetime, timezone

from ansible_collections.composeops.stack.plugins.module_utils.certificates.model import CertificateFacts
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError

X509_ARGUMENTS = (
    *("-noout", "-issuer", "-startdate", "-enddate", "-serial", "-fingerprint", "-sha256"),
    *("-ext", "subjectAltName,authorityKeyIdentifier", "-pubkey", "-nameopt", "RFC2253,-esc_msb,utf8"),
)
"""What `openssl x509` is asked for, so that ``certificate`` can read it."""

_FIELD = re.compile(
    r"^(?P<key>issuer|notBefore|notAfter|serial|sha256 Fingerprint)=(?P<value>.*)$", re.I | re.MULTILINE
)
_NAME = re.compile(r"DNS:([^,\s]+)")
_KEY = re.compile(r"-----BEGIN PUBLIC KEY-----.*?-----END PUBLIC KEY-----", re.DOTALL)
_SIGNER = re.compile(r"Authority Key Identifier:[^\n]*\n\s*(?:keyid:)?((?:[0-9A-F]{2}:)+[0-9A-F]{2})")
_PART = re.compile(r"(?:^|(?<!\\),)(O|CN)=((?:\\.|[^,\\])*)")
_SETTING = re.compile(r"^\s*([a-z_]+)\s*=\s*(.*?)\s*$", re.MULTILINE)


def certificate(text: str, source: str) -> CertificateFacts:
    """Return the facts that `openssl x509` printed about the first certificate of the file ``source``."""
    fields = {match["key"].lower(): match["value"].strip() for match in _FIELD.finditer(text)}
    key, signer = _KEY.search(text), _SIGNER.search(text)
    try:
        return CertificateFacts(
            names=tuple(_NAME.findall(text)),
            issuer=_issuer(fields["issuer"]),
            not_before=_time(fields["notbefore"]),
            not_after=_time(fields["notafter"]),
            serial=fields["serial"].lower(),
            fingerprint=fields["sha256 fingerprint"].replace(":", "").lower(),
            public_key=key.group(0) if key else "",
            authority_key=signer[1].replace(":", "").lower() if signer else "",
        )
    except (KeyError, ValueError) as error:
        raise ComposeOpsError(
            f"{source} is not a certificate that openssl describes in full: {error} is missing or unreadable.",
            "Look at it with `openssl x509 -in FILE -text`.",
        ) from error


def renewal(text: str) -> dict[str, str]:
    """Return the settings of a certbot renewal file; what follows in its sections is of the same kind."""
    return {match[1]: match[2] for match in _SETTING.finditer(text)}


def _issuer(distinguished_name: str) -> str:
    """Return the organisation, and beside it the common name, which tells the intermediate."""
    parts = {key: re.sub(r"\\(.)", r"\1", value) for key, value in _PART.findall(distinguished_name)}
    return " ".join(parts[key] for key in ("O", "CN") if parts.get(key)) or distinguished_name


def _time(text: str) -> datetime:
    return datetime.strptime(text, "%b %d %H:%M:%S %Y GMT").replace(tzinfo=timezone.utc)
