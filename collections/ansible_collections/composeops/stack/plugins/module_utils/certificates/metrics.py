# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is known of the certificates of this host, as a file for Prometheus' node exporter (its textfile collector)."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from ansible_collections.composeops.stack.plugins.module_utils.certificates import attempts
from ansible_collections.composeops.stack.plugins.module_utils.certificates.model import Observed, WantedCertificate
from ansible_collections.composeops.stack.plugins.module_utils.certificates.report import as_kept
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.io import files

PATH = "/var/lib/composeops/metrics/certificates.prom"
PREFIX = "composeops_certificate"


@dataclass(frozen=True)
class Sample:
    """One site at the moment of writing."""

    site: str
    not_after: int
    """Seconds of the epoch; 0 while there is no certificate."""
    served: bool
    failures: int


def sample(wanted: WantedCertificate, observed: Observed, failures: int) -> Sample:
    """Return what the file says of a site."""
    certificate = observed.lineage.certificate if observed.lineage else None
    return Sample(
        wanted.site, int(certificate.not_after.timestamp()) if certificate else 0, as_kept(observed), failures
    )


def render(samples: Sequence[Sample], now: datetime) -> str:
    """Return the text of the file."""
    ends = [(one.site, one.not_after) for one in samples if one.not_after]
    served = [(one.site, int(one.served)) for one in samples]
    failures = [(one.site, one.failures) for one in samples]
    return (
        _metric("not_after_timestamp_seconds", "When the certificate of a site ends.", ends)
        + _metric("served", "Whether a handshake with this host presents it.", served)
        + _metric("failed_attempts", "How often in a row an authority was asked for it in vain.", failures)
        + "# HELP composeops_certificates_observed_timestamp_seconds When this file was written.\n"
        "# TYPE composeops_certificates_observed_timestamp_seconds gauge\n"
        f"composeops_certificates_observed_timestamp_seconds {int(now.timestamp())}\n"
    )


def write(
    observed: Iterable[tuple[WantedCertificate, Observed]],
    now: datetime,
    *,
    path: str = "",
    memory: str = "",
) -> None:
    """Write the file. A disk that is full must not fail a renewal for it."""
    samples = [sample(wanted, found, attempts.read(wanted.site, memory).failures) for wanted, found in observed]
    target = path or PATH
    with contextlib.suppress(ComposeOpsError, OSError):
        os.makedirs(os.path.dirname(target), mode=0o755, exist_ok=True)
        files.write_atomically(target, render(samples, now).encode(), mode=0o644, uid=os.geteuid(), gid=os.getegid())


def _metric(name: str, meaning: str, values: Iterable[tuple[str, int]]) -> str:
    # Names of sites have no character that would need escaping.
    lines = [f'{PREFIX}_{name}{{site="{site}"}} {value}\n' for site, value in values]
    return f"# HELP {PREFIX}_{name} {meaning}\n# TYPE {PREFIX}_{name} gauge\n{''.join(lines)}" if lines else ""
