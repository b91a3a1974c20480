# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Certificates: what is wanted for each site, what certbot keeps, and what nginx serves."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from typing import Any

from ansible_collections.composeops.stack.plugins.module_utils.edge.model import (
    check_alias,
    check_host_name,
    is_wildcard,
)
from ansible_collections.composeops.stack.plugins.module_utils.errors import InvalidInput

LETS_ENCRYPT = "https://acme-v02.api.letsencrypt.org/directory"
LETS_ENCRYPT_STAGING = "https://acme-staging-v02.api.letsencrypt.org/directory"
WEBROOT_PLUGIN = "webroot"

_DNS_PLUGIN = re.compile(r"^[a-z0-9]+(-[a-z0-9]+)*$")
_PROFILE = re.compile(r"^[A-Za-z0-9_.-]*$")


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
    PROVIDED = "provided"


@dataclass(frozen=True)
class Provided:
    """Where an operator's own certificate, with its chain, and its key lie on the host."""

    certificate: str
    key: str


@dataclass(frozen=True)
class WantedCertificate:
    """What a site's certificate shall be; ``site`` is also its name at certbot."""

    site: str
    names: tuple[str, ...]
    hsts: Hsts = Hsts.AUTO
    over_dns: bool = False
    """Whether its names are proven by records, which wildcards have to be, and not by files below the webroot."""
    provided: Provided | None = None
    """The operator's own certificate, which nobody issues or renews; None where an authority is asked."""


@dataclass(frozen=True)
class Authority:
    """Who issues, and how it is asked. There are no secrets here: they are in files (``credentials``)."""

    directory: str = LETS_ENCRYPT
    key_type: str = "ecdsa"
    email: str = ""
    ca_file: str = ""
    """Path of the CA that signed the ACME server's own HTTPS certificate; empty for the system's authorities."""
    profile: str = ""
    """Kind of certificate, of those that the authority offers; empty for its default."""
    bound: bool = False
    """Whether the account is bound to a customer of the authority (RFC 8555, section 7.3.4)."""
    dns_plugin: str = ""
    """certbot's plugin that writes records, without `dns-` before it; empty where there is none."""
    dns_propagation_seconds: int = 10

    @property
    def rehearsals_at(self) -> str:
        """Where to try first what failed before, so that the limits of the real one are spared; empty for nowhere."""
        return LETS_ENCRYPT_STAGING if self.directory == LETS_ENCRYPT else ""

    def authenticator(self, wanted: WantedCertificate) -> str:
        """Return what certbot calls the way in which the names of ``wanted`` are proven."""
        return f"dns-{self.dns_plugin}" if wanted.over_dns else WEBROOT_PLUGIN


SHORT = timedelta(days=10)
"""A shorter life is renewed when half of it is left: certbot's own number."""


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
    authority_key: str = ""
    """Identifier of the key that signed it, hexadecimal; empty where it does not say."""

    def remaining(self, now: datetime) -> timedelta:
        return self.not_after - now

    @property
    def lifetime(self) -> timedelta:
        return self.not_after - self.not_before

    def due(self, now: datetime) -> bool:
        """Whether a third of the lifetime is left or less, half of a short one: when certbot means to renew."""
        return self.remaining(now) <= self.lifetime / (2 if self.lifetime < SHORT else 3)

    def overdue(self, now: datetime) -> bool:
        """Whether renewal has evidently failed: certbot renews with a third of the lifetime left, not with a sixth."""
        return self.remaining(now) < self.lifetime / 6


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
    profile: str = ""
    renew_before: str = ""
    """How long before the end certbot is to renew it, where somebody wrote that into its file."""
    source: Source = Source.ACME


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


def covers(names: Iterable[str], name: str) -> bool:
    """Whether a certificate of ``names`` is valid for ``name``, by a wildcard in the place of one label perhaps."""
    _, _, parent = name.partition(".")
    return name in names or f"*.{parent}" in names


def parse_authority(params: Mapping[str, Any]) -> Authority:
    """Return the authority that a module's parameters describe, or raise naming the one that does not fit."""
    plugin = str(params.get("dns_plugin") or "")
    if plugin and not _DNS_PLUGIN.match(plugin):
        raise InvalidInput(
            f"dns_plugin: {plugin!r} is not the name of a plugin.", "Write it without dns- before it, like rfc2136."
        )
    if plugin == "route53":
        raise InvalidInput(
            "dns_plugin: route53 takes its credentials from no file, so they cannot be kept for certbot alone.",
            "Delegate _acme-challenge to a zone that another plugin can write.",
        )
    if bool(plugin) != bool(params.get("dns_credentials")):
        raise InvalidInput(
            f"dns_plugin {plugin or '(none)'} {'has no' if plugin else 'is missing beside'} dns_credentials.",
            "Give both, or neither. The credentials are the text that the plugin's documentation shows as its file.",
        )
    if bool(params.get("eab_kid")) != bool(params.get("eab_hmac_key")):
        raise InvalidInput(
            "eab_kid and eab_hmac_key belong together, and one of them is empty.",
            "Give both as the authority's customer pages show them, or neither.",
        )
    profile = str(params.get("acme_profile") or "")
    if not _PROFILE.match(profile):
        raise InvalidInput(f"acme_profile: {profile!r} is not a name of a profile.", "Write it like shortlived.")
    return Authority(
        directory=str(params["acme_directory"]),
        key_type=str(params["key_type"]),
        email=str(params["email"]),
        ca_file=str(params["acme_ca_file"] or ""),
        profile=profile,
        bound=bool(params.get("eab_kid")),
        dns_plugin=plugin,
        dns_propagation_seconds=int(params.get("dns_propagation_seconds") or 10),
    )


def parse_wanted(
    declared: Iterable[Mapping[str, Any]], default_hsts: str, *, dns_for: str = "wildcards"
) -> tuple[WantedCertificate, ...]:
    """Return the certificates wanted for the declared sites, or raise naming the value that cannot be certified."""
    wanted = []
    for entry in declared:
        site = check_host_name(str(entry["name"]), "sites")
        aliases = [check_alias(str(alias), f"sites: {site}, aliases") for alias in entry.get("aliases") or []]
        names = tuple(dict.fromkeys([site, *aliases]))
        over_dns = dns_for == "all" or any(is_wildcard(name) for name in names)
        wanted.append(WantedCertificate(site, names, Hsts(entry.get("hsts") or default_hsts), over_dns))
    sites = [one.site for one in wanted]
    repeated = sorted({site for site in sites if sites.count(site) > 1})
    if repeated:
        raise InvalidInput(f"sites: {repeated[0]} is declared more than once.", "Keep one entry for each site.")
    return tuple(wanted)


def require_provable(wanted: Iterable[WantedCertificate], authority: Authority) -> None:
    """Raise for a site whose names can only be proven by records that nobody was told how to write."""
    for one in wanted:
        if one.over_dns and not authority.dns_plugin:
            wildcards = [name for name in one.names if is_wildcard(name)]
            raise InvalidInput(
                f"sites: {one.site}: {', '.join(wildcards) or 'its names'} can only be proven over DNS, "
                "and no dns_plugin is set.",
                "Set edge_dns_plugin and edge_dns_credentials, or declare the names one by one.",
            )
