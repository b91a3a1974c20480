# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Asks certbot for certificates."""

from __future__ import annotations

import re

from ansible_collections.composeops.stack.plugins.module_utils.certificates.model import Authority, WantedCertificate
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.io.runner import Runner

TIMEOUT = 300.0
LOG = "/var/log/letsencrypt/letsencrypt.log"

STALE_NONCE = re.compile(r"invalid anti-replay nonce|badNonce")
ATTEMPTS = 4
"""An authority may refuse a nonce at any time, and a client is to ask again with a new one (RFC 8555, section 6.5).
certbot does so once for each request, and gives up when it meets two in a row."""

_DETAIL = re.compile(r"Domain:\s*(?P<name>\S+)\s+Type:\s*(?P<type>\S+)\s+Detail:\s*(?P<detail>[^\n]+)")
_NOISE = re.compile(r"^(Saving debug log|Ask for help|See the logfile|Please see the logfile|Some challenges)|^\s*$")


def arguments(wanted: WantedCertificate, authority: Authority, webroot: str, *, replace: bool) -> list[str]:
    """Return the command line that issues ``wanted``; ``replace`` where certbot already keeps one of this name."""
    names = [argument for name in wanted.names for argument in ("--domain", name)]
    email = ["--email", authority.email, "--no-eff-email"] if authority.email else ["--register-unsafely-without-email"]
    # Without these, certbot keeps a certificate that is not about to expire, whatever else changed.
    renew = ["--force-renewal", "--renew-with-new-domains"] if replace else []
    return [
        *("certbot", "certonly", "--non-interactive", "--agree-tos", *email),
        *("--server", authority.directory, "--webroot", "--webroot-path", webroot),
        *("--cert-name", wanted.site, *names, "--key-type", authority.key_type, *renew),
    ]


def issue(runner: Runner, wanted: WantedCertificate, authority: Authority, webroot: str, *, replace: bool) -> None:
    """Have certbot issue ``wanted``; raise what the certificate authority had against it."""
    environment = {"REQUESTS_CA_BUNDLE": authority.ca_file} if authority.ca_file else {}
    command = arguments(wanted, authority, webroot, replace=replace)
    for _attempt in range(ATTEMPTS):
        completed = runner.run(command, environment=environment, timeout=TIMEOUT, check=False)
        if completed.ok or not STALE_NONCE.search(completed.stdout + completed.stderr):
            break
    if not completed.ok:
        raise ComposeOpsError(
            f"{wanted.site}: certbot got no certificate for {', '.join(wanted.names)} from {authority.directory}: "
            f"{complaint(completed.stdout + completed.stderr)}",
            f"{LOG} on the host has every step; what served before still does.",
        )


def complaint(output: str) -> str:
    """Return what matters of certbot's output: what the authority said of each name, or else its last words."""
    details = [f"{match['name']}: {match['detail'].strip()} ({match['type']})" for match in _DETAIL.finditer(output)]
    if details:
        return "; ".join(details)
    words = [line.strip() for line in output.splitlines() if not _NOISE.search(line)]
    return " ".join(words[-3:]) or "it did not say why."
