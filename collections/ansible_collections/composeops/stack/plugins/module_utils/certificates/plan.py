# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Why a certificate has to be issued, and why one has to be handed to nginx."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from ansible_collections.composeops.stack.plugins.module_utils.certificates.model import (
    WEBROOT_PLUGIN,
    Authority,
    Bundle,
    Hsts,
    Lineage,
    Observed,
    Source,
    WantedCertificate,
    covers,
)

HSTS_HEADER = 'add_header Strict-Transport-Security "max-age=63072000; includeSubDomains" always;\n'
NO_HSTS = "# No HSTS: see the option hsts of this site.\n"


@dataclass(frozen=True)
class SitePlan:
    """What is done for one site, with the reasons; empty reasons mean that it is not done."""

    wanted: WantedCertificate
    issue: tuple[str, ...] = ()
    deploy: tuple[str, ...] = ()

    @property
    def changed(self) -> bool:
        return bool(self.issue or self.deploy)

    @property
    def sentences(self) -> list[str]:
        site = self.wanted.site
        return [
            *(
                [f"{site}: issue a certificate for {', '.join(self.wanted.names)}: {_joined(self.issue)}"]
                * bool(self.issue)
            ),
            *([f"{site}: hand the certificate to nginx: {_joined(self.deploy)}"] * bool(self.deploy)),
        ]


def make_plan(wanted: WantedCertificate, authority: Authority, observed: Observed, now: datetime) -> SitePlan:
    """Decide for one site."""
    issue = () if wanted.provided else reasons_to_issue(wanted, authority, observed.lineage, now)
    deploy = ("a new one will be there",) if issue else reasons_to_deploy(wanted, observed)
    return SitePlan(wanted, issue, deploy)


def reasons_to_issue(
    wanted: WantedCertificate, authority: Authority, lineage: Lineage | None, now: datetime
) -> tuple[str, ...]:
    """Return why the certificate that certbot keeps does not do; renewal in time is the timer's business, not ours."""
    if lineage is None:
        return ("there is none yet",)
    reasons = []
    added = [name for name in wanted.names if name not in lineage.certificate.names]
    removed = [name for name in lineage.certificate.names if name not in wanted.names]
    if added:
        reasons.append(f"it lacks {', '.join(added)}")
    if removed:
        reasons.append(f"it also names {', '.join(removed)}")
    if lineage.key_type != authority.key_type:
        reasons.append(f"its key is {lineage.key_type}, not {authority.key_type}")
    if lineage.server != authority.directory:
        reasons.append(f"it comes from {lineage.server}, not {authority.directory}")
    authenticator = authority.authenticator(wanted)
    if lineage.authenticator != authenticator:
        way = "through nginx" if authenticator == WEBROOT_PLUGIN else f"with {authenticator}"
        reasons.append(f"certbot would renew it with {lineage.authenticator}, not {way}")
    if lineage.profile != authority.profile:
        reasons.append(f"its profile is {_profile(lineage.profile)}, not {_profile(authority.profile)}")
    if lineage.certificate.overdue(now):
        reasons.append(f"it ends on {lineage.certificate.not_after:%Y-%m-%d} and was not renewed in time")
    return tuple(reasons)


def reasons_to_deploy(wanted: WantedCertificate, observed: Observed) -> tuple[str, ...]:
    """Return why what nginx has or serves is not what certbot keeps."""
    lineage, bundle = observed.lineage, observed.bundle
    if lineage is None:
        return ()
    if bundle.source is Source.NONE:
        return ("nginx has none",)
    if bundle.source is Source.PLACEHOLDER:
        return ("nginx has a placeholder",)
    reasons = []
    if bundle.fullchain != lineage.fullchain or bundle.privkey != lineage.privkey:
        reasons.append("nginx has an older one")
    hsts = hsts_configuration(wanted, lineage)
    if bundle.hsts != hsts:
        reasons.append("HSTS begins" if hsts == HSTS_HEADER else "HSTS ends")
    if not reasons and observed.served != lineage.certificate.fingerprint:
        reasons.append("nginx has it but serves another" if observed.served else "nginx has it but serves none")
    return tuple(reasons)


def hsts_configuration(wanted: WantedCertificate, lineage: Lineage) -> str:
    """Return what nginx sends with every answer while this certificate serves."""
    insist = wanted.hsts is Hsts.ALWAYS or (wanted.hsts is Hsts.AUTO and lineage.trusted)
    return HSTS_HEADER if insist else NO_HSTS


def unfit(wanted: WantedCertificate, lineage: Lineage, public_key: str, present: Iterable[str]) -> str:
    """Return why a certificate must not reach nginx, or nothing.

    ``public_key`` is that of the private key, ``present`` are the names of the certificate that nginx has now. One that
    lacks a wanted name is still better than an older one that lacks it too: an alias whose challenge fails must not
    keep a renewal from the other names.
    """
    if public_key.strip() != lineage.certificate.public_key.strip():
        return "its private key belongs to another certificate"
    lost = [name for name in present if name in wanted.names and not covers(lineage.certificate.names, name)]
    if lost:
        return f"it does not name {', '.join(lost)}, which the one before did"
    return ""


def state_lines(wanted: WantedCertificate, lineage: Lineage | None, bundle: Bundle) -> list[str]:
    """Describe a site's present state for a diff."""
    if lineage is None:
        certificate = ["certificate: none"]
    else:
        certificate = [
            f"certificate: {lineage.certificate.fingerprint[:16]}",
            f"names: {', '.join(lineage.certificate.names)}",
            f"key: {lineage.key_type}",
            f"authority: {lineage.server}",
        ]
    return [f"site: {wanted.site}", *certificate, *_serving(bundle.source, bundle.hsts == HSTS_HEADER)]


def planned_lines(plan: SitePlan, authority: Authority, lineage: Lineage | None, bundle: Bundle) -> list[str]:
    """Describe a site's state as the plan will leave it, in the form of ``state_lines``."""
    wanted = plan.wanted
    if plan.issue:
        # Whether the host will trust what is issued is known only afterwards, and with it whether HSTS begins.
        hsts = wanted.hsts is Hsts.ALWAYS or (wanted.hsts is Hsts.AUTO and bundle.hsts == HSTS_HEADER)
        return [
            f"site: {wanted.site}",
            "certificate: (new)",
            f"names: {', '.join(wanted.names)}",
            f"key: {authority.key_type}",
            f"authority: {authority.directory}",
            *_serving(Source.ACME, hsts),
        ]
    if plan.deploy and lineage:
        after = Bundle(source=Source.ACME, hsts=hsts_configuration(wanted, lineage))
        return state_lines(wanted, lineage, after)
    return state_lines(wanted, lineage, bundle)


def _serving(source: Source, hsts: bool) -> list[str]:
    return [f"nginx has: {source.value}", f"hsts: {'on' if hsts else 'off'}"]


def _profile(name: str) -> str:
    return name or "the authority's default"


def _joined(reasons: Iterable[str]) -> str:
    return "; ".join(reasons)
