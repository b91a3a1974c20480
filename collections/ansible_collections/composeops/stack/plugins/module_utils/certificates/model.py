# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Certificates: what is wanted for each site, what certbot keeps, and what nginx serves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from typing import Any

from ansible_collections.composeops.stack.plugins.module_utils.edge.model import check_host_name
from ansible_collections.composeops.stack.plugins.module_utils.errors import InvalidInput

LETS_ENCRYPT = "https://acme-v02.api.letsencrypt.org/directory"
WEBROOT_PLUGIN = "webroot"


class Hsts(str, Enum):
    """When browsers are told to insist on HTTPS."""

    AUTO = "auto"
    """While the certificate that serves is trusted by this host's own list of authorities."""
    ALWAYS = "always"
    """While any certificate but the placeholder serves; for private authorities that all visitors trust."""
    NEVER = "never"


class Source(str, Enum):
    """Where the certificate that nginx is given comes from."""

    NONE = "none"
    PLACEHOLDER = "placeholder"
    ACME = "acme"


@dataclass(frozen=True)
class WantedCertificate:
    """What a site's certificate shall be; ``site`` is also its name at certbot."""

    site: str
    names: tuple[str, ...]
    hsts: Hsts = Hsts.AUTO


@dataclass(frozen=True)
class Authority:
    """Who issues, and how it is asked."""

    directory: str = LETS_ENCRYPT
    key_type: str = "ecdsa"
    email: str = ""
    ca_file: str = ""
    """Path of the CA that signed the ACME server's own HTTPS certificate; empty for the system's authorities."""


@dataclass(frozen=True)
class CertificateFacts:
    """What stands in a certificate."""

    names: tuple[str, ...]
    issuer: str
    not_before: datetime
    not_after: datetime
    serial: str
    fingerprint: str
    """SHA-256 of the DER form, lower-case hexadecimal."""
    public_key: str
    """PEM."""

    def remaining(self, now: datetime) -> timedelta:
        return self.not_after - now

    def overdue(self, now: datetime) -> bool:
        """Whether renewal has evidently failed: certbot renews with a third of the lifetime left, not with a sixth."""
        return self.remaining(now) < (self.not_after - self.not_before) / 6


@dataclass(frozen=True)
class Lineage:
    """What certbot keeps under a certificate name, and how it will renew it."""

    certificate: CertificateFacts
    server: str
    key_type: str
    authenticator: str
    fullchain: bytes = field(repr=False)
    privkey: bytes = field(repr=False)
    trusted: bool
    """Whether this host's own list of authorities leads to it."""


@dataclass(frozen=True)
class Bundle:
    """The files that nginx reads for a site."""

    source: Source = Source.NONE
    fullchain: bytes = field(default=b"", repr=False)
    privkey: bytes = field(default=b"", repr=False)
    hsts: str = ""
    fingerprint: str = ""


@dataclass(frozen=True)
class Observed:
    """One site as it is before anything changes."""

    lineage: Lineage | None = None
    bundle: Bundle = Bundle()
    served: str | None = None
    """Fingerprint of the certificate that answers on this host for the site; None when none does."""


def parse_wanted(declared: Iterable[Mapping[str, Any]], default_hsts: str) -> tuple[WantedCertificate, ...]:
    """Return the certificates wanted for the declared sites, or raise naming the value that cannot be certified."""
    wanted = []
    for entry in declared:
        site = check_host_name(str(entry["name"]), "sites")
        aliases = [check_host_name(str(alias), f"sites: {site}, aliases") for alias in entry.get("aliases") or []]
        names = tuple(dict.fromkeys([site, *aliases]))
        wanted.append(WantedCertificate(site, names, Hsts(entry.get("hsts") or default_hsts)))
    sites = [one.site for one in wanted]
    repeated = sorted({site for site in sites if sites.count(site) > 1})
    if repeated:
        raise InvalidInput(f"sites: {repeated[0]} is declared more than once.", "Keep one entry for each site.")
    return tuple(wanted)
