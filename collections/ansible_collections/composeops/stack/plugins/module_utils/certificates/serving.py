# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which certificate answers on this host, asked by a real handshake."""

from __future__ import annotations

import hashlib
import socket
import ssl

from ansible_collections.composeops.stack.plugins.module_utils.edge.model import is_wildcard

TIMEOUT = 3.0
PROBE = "composeops-probe."
"""Asks for a wildcard's certificate in the place of its asterisk."""


def served_fingerprint(name: str, *, address: str = "127.0.0.1", port: int = 443) -> str | None:
    """Return the SHA-256 of the certificate presented for ``name``, or None when no handshake succeeds.

    Nothing is verified: the question is which certificate answers, not whether it is trusted.
    """
    asked = PROBE + name[2:] if is_wildcard(name) else name
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        with (
            socket.create_connection((address, port), timeout=TIMEOUT) as plain,
            context.wrap_socket(plain, server_hostname=asked) as secured,
        ):
            presented = secured.getpeercert(binary_form=True)
    except OSError:
        return None
    return hashlib.sha256(presented).hexdigest() if presented else None
