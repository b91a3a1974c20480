# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Revokes a certificate: its successor, with another key, serves before it is revoked."""

from __future__ import annotations

import os
import tempfile

from ansible_collections.composeops.stack.plugins.module_utils.certificates import certbot
from ansible_collections.composeops.stack.plugins.module_utils.certificates.model import Authority, Lineage
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.io import files
from ansible_collections.composeops.stack.plugins.module_utils.io.runner import Runner

REASONS = ("unspecified", "keycompromise", "affiliationchanged", "superseded", "cessationofoperation")


def revoke(runner: Runner, site: str, kept: Lineage, authority: Authority, reason: str) -> None:
    """Have the authority that issued ``kept`` revoke it; what certbot keeps under the site's name stays.

    The key proves the right to do so, which works when the account is lost, and is the only way to tell an authority
    that a key became known.
    """
    with tempfile.TemporaryDirectory(prefix="composeops-revoke-") as directory:
        certificate, key = os.path.join(directory, "cert.pem"), os.path.join(directory, "privkey.pem")
        files.write_atomically(certificate, kept.fullchain, mode=0o600, uid=os.geteuid(), gid=os.getegid())
        files.write_atomically(key, kept.privkey, mode=0o600, uid=os.geteuid(), gid=os.getegid())
        command = [
            *("certbot", "revoke", "--non-interactive", "--server", kept.server, "--no-delete-after-revoke"),
            *("--cert-path", certificate, "--key-path", key, "--reason", reason),
        ]
        completed = certbot.ask(runner, command, authority)
    if not completed.ok:
        raise ComposeOpsError(
            f"{site}: {kept.server} did not revoke the certificate {kept.certificate.fingerprint[:16]}: "
            f"{certbot.complaint(certbot.output(completed))}",
            certbot.LOG + " on the host has every step. certbot keeps the old certificate and its key below "
            f"/etc/letsencrypt/archive/{site}, so that `certbot revoke --cert-path` can be tried again.",
        )
