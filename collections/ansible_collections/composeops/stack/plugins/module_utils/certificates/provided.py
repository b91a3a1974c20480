# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Certificates that the operator provides, as text from the inventory or as files that somebody else keeps."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from ansible_collections.composeops.stack.plugins.module_utils.certificates import lineage, parse
from ansible_collections.composeops.stack.plugins.module_utils.certificates.model import (
    Lineage,
    Provided,
    Source,
    WantedCertificate,
    covers,
)
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError, InvalidInput
from ansible_collections.composeops.stack.plugins.module_utils.io import files
from ansible_collections.composeops.stack.plugins.module_utils.io.runner import Runner

DIRECTORY = "/etc/composeops/certificates"
WARN_DAYS = 21
"""So close to its end, a certificate that nobody renews is worth a warning."""
_BEGIN = "-----BEGIN "


def place(site: str, declared: Mapping[str, Any], directory: str = DIRECTORY) -> tuple[Provided, dict[str, bytes]]:
    """Return where a site's certificate and key lie, and the files that have to be written for that."""
    paths, to_write = [], {}
    for option, name in (("certificate", "fullchain.pem"), ("key", "privkey.pem")):
        value = str(declared.get(option) or "").strip()
        if value.startswith(_BEGIN):
            path = os.path.join(directory, site, name)
            to_write[path] = f"{value}\n".encode()
        elif value.startswith("/"):
            path = value
        else:
            raise InvalidInput(
                f"sites: {site}: certificate.{option} is neither PEM text nor an absolute path on the host.",
                "A provided certificate needs certificate, with its chain, and key.",
            )
        paths.append(path)
    return Provided(*paths), to_write


def own_place(site: str, directory: str = DIRECTORY) -> Provided:
    """Return where a certificate lies that is neither certbot's nor somebody else's file."""
    return Provided(*(os.path.join(directory, site, name) for name in ("fullchain.pem", "privkey.pem")))


def read(runner: Runner, provided: Provided) -> Lineage | None:
    """Return what was provided in the form of what certbot keeps; None while there is nothing."""
    fullchain, privkey = files.read_bytes(provided.certificate), files.read_bytes(provided.key)
    if fullchain is None or privkey is None:
        return None
    return Lineage(
        certificate=lineage.describe(runner, provided.certificate),
        server=Source.PROVIDED.value,
        key_type="",
        authenticator="",
        fullchain=fullchain,
        privkey=privkey,
        trusted=lineage.trusted(runner, provided.certificate),
        source=Source.PROVIDED,
    )


def check(runner: Runner, wanted: WantedCertificate, certificate: bytes, key: bytes, now: datetime) -> None:
    """Raise for a certificate that is not fit to serve, before it takes the place of one that is."""
    described = runner.run(["openssl", "x509", *parse.X509_ARGUMENTS], stdin=certificate.decode("ascii", "replace"))
    facts = parse.certificate(described.stdout, f"The certificate provided for {wanted.site}")
    problems = []
    if lineage.public_key(runner, key).strip() != facts.public_key.strip():
        problems.append("its key belongs to another certificate")
    missing = [name for name in wanted.names if not covers(facts.names, name)]
    if missing:
        problems.append(f"it does not name {', '.join(missing)}")
    if facts.not_after <= now:
        problems.append(f"it ended on {facts.not_after:%Y-%m-%d}")
    if facts.not_before > now:
        problems.append(f"it begins on {facts.not_before:%Y-%m-%d}")
    if problems:
        raise ComposeOpsError(
            f"{wanted.site}: the provided certificate is not used: {'; '.join(problems)}.",
            "Provide one that fits; what served before still does.",
        )


def write(wanted: Mapping[str, bytes]) -> None:
    """Write what differs; keys are readable by root alone, and so are the directories."""
    for path, content in wanted.items():
        if files.read_bytes(path) != content:
            os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
            files.write_atomically(path, content, mode=0o600, uid=os.geteuid(), gid=os.getegid())
