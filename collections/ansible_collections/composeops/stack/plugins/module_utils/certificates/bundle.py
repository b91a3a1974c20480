# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The TLS files of a site that nginx reads: certificate, key and HSTS, switched together by one link.

``<site>/current`` names one of the directories beside it. nginx never reads certbot's own directories: so a
placeholder can stand in on a clean host without touching them, and a renewal reaches nginx only through ``deploy``.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import ssl

from ansible_collections.composeops.stack.plugins.module_utils.certificates.model import Bundle, Source
from ansible_collections.composeops.stack.plugins.module_utils.certificates.plan import NO_HSTS
from ansible_collections.composeops.stack.plugins.module_utils.edge.live import point_link
from ansible_collections.composeops.stack.plugins.module_utils.edge.render import TLS_DIRECTORY
from ansible_collections.composeops.stack.plugins.module_utils.io import files
from ansible_collections.composeops.stack.plugins.module_utils.io.runner import Runner

PLACEHOLDER = "placeholder"
_END = b"-----END CERTIFICATE-----"


class Bundles:
    """The bundles of all sites below ``root``."""

    def __init__(self, runner: Runner, root: str = TLS_DIRECTORY) -> None:
        self._runner = runner
        self._root = root

    def sites(self) -> frozenset[str]:
        """Return the sites for which nginx finds files."""
        with contextlib.suppress(FileNotFoundError):
            return frozenset(site for site in os.listdir(self._root) if os.path.exists(self.fullchain(site)))
        return frozenset()

    def fullchain(self, site: str) -> str:
        """Return the path of the certificate that nginx reads for ``site``."""
        return os.path.join(self._root, site, "current", "fullchain.pem")

    def read(self, site: str) -> Bundle:
        """Return what nginx finds for ``site``."""
        current = os.path.join(self._root, site, "current")
        fullchain = files.read_bytes(self.fullchain(site))
        privkey = files.read_bytes(os.path.join(current, "privkey.pem"))
        if fullchain is None or privkey is None:
            return Bundle()
        return Bundle(
            source=Source.PLACEHOLDER if self.target(site) == PLACEHOLDER else Source.ACME,
            fullchain=fullchain,
            privkey=privkey,
            hsts=files.read_text(os.path.join(current, "hsts.conf")) or "",
            fingerprint=fingerprint(fullchain),
        )

    def target(self, site: str) -> str | None:
        """Return which directory is current."""
        with contextlib.suppress(OSError):
            return os.readlink(os.path.join(self._root, site, "current"))
        return None

    def make_placeholder(self, site: str) -> None:
        """Give ``site`` a self-signed certificate of its own, so that nginx can start before one was issued."""
        final = os.path.join(self._directory(site), PLACEHOLDER)
        if not os.path.exists(final):
            working = self._fresh(f"{final}.new")
            # openssl creates the key readable by its owner only; the directory hides it in any case.
            self._runner.run(
                [
                    *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
                    *("-keyout", os.path.join(working, "privkey.pem"), "-out", os.path.join(working, "fullchain.pem")),
                    *("-days", "3650", "-subj", "/CN=placeholder, no certificate was issued yet"),
                    *("-addext", f"subjectAltName=DNS:{site}"),
                ]
            )
            files.write_atomically(os.path.join(working, "hsts.conf"), NO_HSTS.encode(), mode=0o644)
            os.rename(working, final)
        self.switch(site, PLACEHOLDER)

    def write(self, site: str, fullchain: bytes, privkey: bytes, hsts: str) -> str:
        """Lay a new bundle beside the current one and return its directory's name."""
        parent = self._directory(site)
        numbers = [int(name) for name in os.listdir(parent) if name.isdigit()]
        name = str(max([0, *numbers]) + 1)
        directory = self._fresh(os.path.join(parent, name))
        files.write_atomically(os.path.join(directory, "privkey.pem"), privkey, mode=0o600)
        files.write_atomically(os.path.join(directory, "fullchain.pem"), fullchain, mode=0o644)
        files.write_atomically(os.path.join(directory, "hsts.conf"), hsts.encode(), mode=0o644)
        return name

    def switch(self, site: str, name: str) -> None:
        """Make the directory ``name`` current."""
        point_link(os.path.join(self._root, site, "current"), name)

    def prune(self, site: str) -> None:
        """Remove every bundle but the current one, keys included."""
        parent, keep = self._directory(site), {"current", self.target(site)}
        for name in os.listdir(parent):
            if name not in keep:
                shutil.rmtree(os.path.join(parent, name), ignore_errors=True)

    def remove(self, site: str) -> None:
        """Remove all TLS files of a site; what certbot keeps stays."""
        shutil.rmtree(os.path.join(self._root, site), ignore_errors=True)

    def _directory(self, site: str) -> str:
        directory = os.path.join(self._root, site)
        os.makedirs(directory, mode=0o700, exist_ok=True)
        os.chmod(self._root, 0o700)
        return directory

    @staticmethod
    def _fresh(directory: str) -> str:
        shutil.rmtree(directory, ignore_errors=True)
        os.mkdir(directory, mode=0o700)
        return directory


def fingerprint(chain: bytes) -> str:
    """Return the SHA-256 of the first certificate of a PEM chain, or nothing where there is none."""
    first, end, _ = chain.partition(_END)
    if not end:
        return ""
    pem = (first[first.find(b"-----BEGIN CERTIFICATE-----") :] + end).decode("ascii", "replace")
    try:
        return hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest()
    except ValueError:
        return ""
