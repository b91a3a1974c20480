# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Certificates that the operator's own authority signs, whose key comes with a run and does not stay on the host.

So nobody who breaks into a host can sign, and nobody renews there: a run does, from the last third of a lifetime on.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from ansible_collections.composeops.stack.plugins.module_utils.certificates.model import Lineage, WantedCertificate
from ansible_collections.composeops.stack.plugins.module_utils.errors import InvalidInput
from ansible_collections.composeops.stack.plugins.module_utils.io import files
from ansible_collections.composeops.stack.plugins.module_utils.io.runner import Runner

LONGEST_ECDSA = 300
"""Characters of a public key in PEM."""
LONGEST_COMMON_NAME = 64
"""Characters, by X.520; longer names are among the alternative ones alone."""
DAYS = 397
"""What browsers accept at most of public authorities; private ones are held to 825."""
_BEGIN = "-----BEGIN "
_KEY_ARGUMENTS = {
    "ecdsa": ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
    "rsa": ("-newkey", "rsa:2048"),
}
_EXTENSIONS = """\
subjectAltName = {names}
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature{encipherment}
extendedKeyUsage = serverAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
"""


@dataclass(frozen=True)
class PrivateCa:
    """The authority's certificate, with those above it, and its key, both as PEM."""

    certificate: str
    key: str = field(repr=False)


def parse(certificate: str, key: str) -> PrivateCa | None:
    """Return the authority that was given; None where none was, and an error where only half of one was."""
    if not certificate and not key:
        return None
    for option, value in (("ca_certificate", certificate), ("ca_key", key)):
        if not value.strip().startswith(_BEGIN):
            raise InvalidInput(f"{option} is not PEM text.", "Give both ca_certificate and ca_key, or neither.")
    return PrivateCa(f"{certificate.strip()}\n", f"{key.strip()}\n")


def reasons_to_sign(
    wanted: WantedCertificate,
    key_type: str,
    kept: Lineage | None,
    *,
    fits_its_key: bool,
    signed_by_ca: bool,
    now: datetime,
) -> tuple[str, ...]:
    """Return why the certificate that is there does not do."""
    if kept is None:
        return ("there is none yet",)
    reasons = []
    if sorted(kept.certificate.names) != sorted(wanted.names):
        reasons.append(f"it names {', '.join(kept.certificate.names)}")
    if not fits_its_key:
        reasons.append("its key belongs to another certificate")
    if key_kind(kept.certificate.public_key) != key_type:
        reasons.append(f"its key is {key_kind(kept.certificate.public_key)}, not {key_type}")
    if not signed_by_ca:
        reasons.append("another authority signed it")
    if kept.certificate.due(now):
        reasons.append(f"it ends on {kept.certificate.not_after:%Y-%m-%d}")
    return tuple(reasons)


def key_kind(public_key: str) -> str:
    """Tell RSA from ECDSA by the length of a public key: the smallest of the one has twice the other's."""
    return "rsa" if len(public_key) > LONGEST_ECDSA else "ecdsa"


def signed_by(runner: Runner, authority: PrivateCa, kept: Lineage) -> bool:
    """Whether the authority signed a certificate; dates do not matter here."""
    with _private_directory() as directory:
        ca = _written(directory, "ca.pem", authority.certificate.encode())
        certificate = _written(directory, "certificate.pem", kept.fullchain)
        argv = ["openssl", "verify", "-partial_chain", "-no_check_time", "-CAfile", ca, certificate]
        return runner.run(argv, check=False).ok


def sign(
    runner: Runner, wanted: WantedCertificate, authority: PrivateCa, key_type: str, *, days: int = DAYS
) -> tuple[bytes, bytes]:
    """Return a new certificate with its chain, and its key."""
    with _private_directory() as directory:
        ca = _written(directory, "ca.pem", authority.certificate.encode())
        ca_key = _written(directory, "ca.key", authority.key.encode())
        extensions = _written(directory, "extensions", _extensions(wanted.names, key_type).encode())
        key, request, certificate = (os.path.join(directory, name) for name in ("key", "request", "certificate"))
        runner.run(
            [
                *("openssl", "req", "-new", "-nodes", *_KEY_ARGUMENTS[key_type], "-keyout", key, "-out", request),
                *("-subj", f"/CN={wanted.site}" if len(wanted.site) <= LONGEST_COMMON_NAME else "/"),
            ]
        )
        runner.run(
            [
                *("openssl", "x509", "-req", "-sha256", "-in", request, "-out", certificate, "-days", str(days)),
                *("-CA", ca, "-CAkey", ca_key, "-set_serial", f"0x{os.urandom(16).hex()}", "-extfile", extensions),
            ]
        )
        signed, made = files.read_bytes(certificate), files.read_bytes(key)
        return (signed or b"") + authority.certificate.encode(), made or b""


def _extensions(names: Sequence[str], key_type: str) -> str:
    listed = ", ".join(f"DNS:{name}" for name in names)
    return _EXTENSIONS.format(names=listed, encipherment=", keyEncipherment" if key_type == "rsa" else "")


def _private_directory() -> tempfile.TemporaryDirectory[str]:
    """Return a directory in memory where the host has one, so that the authority's key reaches no disk."""
    memory = "/dev/shm"  # noqa: S108 (a directory of a random name below it, 0700)
    return tempfile.TemporaryDirectory(prefix="composeops-", dir=memory if os.path.isdir(memory) else None)


def _written(directory: str, name: str, content: bytes) -> str:
    path = os.path.join(directory, name)
    files.write_atomically(path, content, mode=0o600, uid=os.geteuid(), gid=os.getegid())
    return path
