# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The certificates that Traefik keeps for the sites, and whether they are what it serves."""

from __future__ import annotations

import base64
import contextlib
import json
import socket
import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.composeops.stack.plugins.module_utils.edge.model import Site
from ansible_collections.composeops.stack.plugins.module_utils.io import files

ADDRESS = ("127.0.0.1", 443)
TIMEOUT = 5.0


@dataclass(frozen=True)
class Served:
    """What answers for a name on this host."""

    certificate: bytes = b""
    """DER; empty where nothing answers."""
    trusted: bool = False
    """Whether the host's own list of authorities leads to it."""


def stored(text: str | None, resolver: str) -> dict[frozenset[str], bytes]:
    """Return the certificates in Traefik's storage, in DER, by the names that each was asked for; pure."""
    entries: list[Mapping[str, Any]] = []
    with contextlib.suppress(ValueError, AttributeError):
        entries = (json.loads(text or "{}").get(resolver) or {}).get("Certificates") or []
    found = {}
    for entry in entries:
        domain = entry.get("domain") or {}
        names = frozenset([domain.get("main", ""), *(domain.get("sans") or [])])
        chain = base64.b64decode(entry.get("certificate", "")).decode("ascii", "replace")
        leaf, end, _ = chain.partition("-----END CERTIFICATE-----")
        if end:
            found[names] = ssl.PEM_cert_to_DER_cert(f"{leaf}{end}\n")
    return found


def read(path: str, resolver: str) -> dict[frozenset[str], bytes]:
    """Return the certificates in the file in which Traefik keeps them."""
    return stored(files.read_text(path), resolver)


def waiting(
    sites: Iterable[Site], kept: Mapping[frozenset[str], bytes], served: Mapping[str, Served]
) -> dict[str, str]:
    """Return each site whose own certificate does not answer yet, and what is missing; pure."""
    found = {}
    for site in sites:
        certificate = kept.get(frozenset(site.names))
        if certificate is None:
            found[site.name] = "it has no certificate yet"
        elif served[site.name].certificate != certificate:
            found[site.name] = "its certificate is there but does not answer"
    return found


def look(name: str) -> Served:
    """Return what answers for ``name`` on this host."""
    trusting = ssl.create_default_context()
    with contextlib.suppress(OSError), _handshake(name, trusting) as connection:
        return Served(connection.getpeercert(binary_form=True) or b"", trusted=True)
    blind = ssl.create_default_context()
    blind.check_hostname = False
    blind.verify_mode = ssl.CERT_NONE
    with contextlib.suppress(OSError), _handshake(name, blind) as connection:
        return Served(connection.getpeercert(binary_form=True) or b"")
    return Served()


def _handshake(name: str, context: ssl.SSLContext) -> ssl.SSLSocket:
    plain = socket.create_connection(ADDRESS, timeout=TIMEOUT)
    try:
        return context.wrap_socket(plain, server_hostname=name)
    except BaseException:
        plain.close()
        raise


def complaints(journal: str, names: Iterable[str]) -> list[str]:
    """Return what Traefik logged about the certificates of these names, newest last; pure."""
    wanted = tuple(names)
    lines = (line.strip() for line in journal.splitlines())
    return [line for line in lines if "ACME" in line and any(name in line for name in wanted)]
