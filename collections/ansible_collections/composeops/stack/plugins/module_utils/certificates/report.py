# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is told of a site's certificate: as a module's result, and as a row of a table."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from ansible_collections.composeops.stack.plugins.module_utils.certificates.model import (
    Observed,
    Source,
    WantedCertificate,
)
from ansible_collections.composeops.stack.plugins.module_utils.certificates.plan import HSTS_HEADER

COLUMNS = ["site", "names", "authority", "ends", "days left", "serving"]
MISSING = "-"


def describe(wanted: WantedCertificate, observed: Observed, now: datetime) -> dict[str, Any]:
    """Return the facts of one site; those of a certificate are None while certbot keeps none."""
    certificate = observed.lineage.certificate if observed.lineage else None
    return {
        "site": wanted.site,
        "names": list(certificate.names) if certificate else list(wanted.names),
        "issuer": certificate.issuer if certificate else None,
        "not_after": certificate.not_after.strftime("%Y-%m-%dT%H:%M:%SZ") if certificate else None,
        "days_left": certificate.remaining(now).days if certificate else None,
        "fingerprint": certificate.fingerprint if certificate else None,
        "serving": serving(observed),
        "hsts": observed.bundle.hsts == HSTS_HEADER,
        "trusted": bool(observed.lineage and observed.lineage.trusted),
    }


def serving(observed: Observed) -> str:
    """Return what answers on this host: by what is presented, not by what lies on disk."""
    if observed.served is None:
        return "nothing"
    if observed.lineage and as_kept(observed):
        return observed.lineage.source.value
    if observed.bundle.source is Source.PLACEHOLDER and observed.served == observed.bundle.fingerprint:
        return Source.PLACEHOLDER.value
    return "another certificate"


def as_kept(observed: Observed) -> bool:
    """Whether what answers is the certificate that is kept for the site."""
    return observed.lineage is not None and observed.served == observed.lineage.certificate.fingerprint


def rows(described: Iterable[dict[str, Any]]) -> list[list[str]]:
    """Return the table of ``describe``'s results."""
    return [
        [
            site["site"],
            ", ".join(site["names"]),
            site["issuer"] or MISSING,
            (site["not_after"] or MISSING)[:10],
            MISSING if site["days_left"] is None else str(site["days_left"]),
            site["serving"],
        ]
        for site in described
    ]
