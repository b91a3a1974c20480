# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What certbot keeps on this host, read from its own files and never changed here."""

from __future__ import annotations

import os
from collections.abc import Iterable

from ansible_collections.composeops.stack.plugins.module_utils.certificates import parse
from ansible_collections.composeops.stack.plugins.module_utils.certificates.model import CertificateFacts, Lineage
from ansible_collections.composeops.stack.plugins.module_utils.io import files
from ansible_collections.composeops.stack.plugins.module_utils.io.runner import Runner

CERTBOT_DIRECTORY = "/etc/letsencrypt"


def read_lineage(runner: Runner, site: str, directory: str = CERTBOT_DIRECTORY) -> Lineage | None:
    """Return what certbot keeps under the certificate name ``site``, or None where it keeps nothing."""
    fullchain_path = os.path.join(directory, "live", site, "fullchain.pem")
    renewal = files.read_text(os.path.join(directory, "renewal", f"{site}.conf"))
    fullchain = files.read_bytes(fullchain_path)
    privkey = files.read_bytes(os.path.join(directory, "live", site, "privkey.pem"))
    if renewal is None or fullchain is None or privkey is None:
        return None
    settings = parse.renewal(renewal)
    return Lineage(
        certificate=describe(runner, fullchain_path),
        server=settings.get("server", ""),
        # certbot writes the key type since 1.10 and made RSA keys before.
        key_type=settings.get("key_type", "rsa"),
        authenticator=settings.get("authenticator", "nothing"),
        fullchain=fullchain,
        privkey=privkey,
        trusted=trusted(runner, fullchain_path),
        profile=settings.get("required_profile", ""),
        renew_before=settings.get("renew_before_expiry", ""),
    )


def names_renewed_through(*places: str, directory: str = CERTBOT_DIRECTORY) -> list[str]:
    """Return the certificate names that certbot renews through what is ours, declared or not.

    ``places`` are paths that its renewal files name: the webroot, and the directory of the credentials for DNS.
    """
    renewals = os.path.join(directory, "renewal")
    return [name for name in names(directory) if _names_any(os.path.join(renewals, f"{name}.conf"), places)]


def names(directory: str = CERTBOT_DIRECTORY) -> list[str]:
    """Return the names of all certificates that certbot keeps."""
    renewals = os.path.join(directory, "renewal")
    there = os.listdir(renewals) if os.path.isdir(renewals) else []
    return sorted(name.removesuffix(".conf") for name in there if name.endswith(".conf"))


def _names_any(path: str, places: Iterable[str]) -> bool:
    text = files.read_text(path) or ""
    return any(place in text for place in places)


def describe(runner: Runner, path: str) -> CertificateFacts:
    """Return the facts of the first certificate in a file."""
    completed = runner.run(["openssl", "x509", "-in", path, *parse.X509_ARGUMENTS])
    return parse.certificate(completed.stdout, path)


def trusted(runner: Runner, path: str) -> bool:
    """Whether this host's own list of authorities leads to the first certificate of a file through the others in it.

    So staging servers and private authorities need no special case: they are trusted where they were made so.
    """
    return runner.run(["openssl", "verify", "-untrusted", path, path], check=False).ok


def fits_its_key(runner: Runner, kept: Lineage) -> bool:
    """Whether a private key is that of the certificate beside it."""
    return public_key(runner, kept.privkey).strip() == kept.certificate.public_key.strip()


def public_key(runner: Runner, privkey: bytes) -> str:
    """Return the public half of a private key, which goes through standard input."""
    return runner.run(["openssl", "pkey", "-pubout"], stdin=privkey.decode()).stdout
