#!/usr/bin/python
# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Keeps a certificate for every site of a host, and nginx serving it."""

from __future__ import annotations

DOCUMENTATION = r"""
module: certificates
short_description: Keep certificates for the nginx sites of a host
version_added: 0.1.0
description:
  - Has certbot issue one certificate for each site, over HTTP and the webroot that nginx serves, and issue it again
    when its names, its kind of key or the authority's server changed, or when it is close to its end because renewal
    failed. certbot is not started when nothing of that is so.
  - Tries the challenge of every name before the authority does, so that a wrong name or a closed port costs no attempt.
  - Hands the certificate to nginx in a bundle of its own. Key, chain and names are checked, the bundle is switched by
    one link, nginx tested and reloaded, and a handshake with this host must then present that certificate. Otherwise
    the bundle from before is put back and the module fails.
  - A site that fails does not keep the others from theirs. The failure at the end names all that did.
  - Names with an asterisk are proven over DNS, by certbot's plugin O(dns_plugin); all others through nginx, unless
    O(dns_for=all).
  - A site with O(sites[].certificate) gets the operator's own, or one that the operator's own authority signs. It is
    checked like an issued one.
  - Where an authority does not know the account of this host any more, certbot is made to register a new one, once, and
    a warning says so.
  - A failure is remembered, and the timer asks again only after an hour, then two, up to a day. A run of this module
    asks at once. Let's Encrypt's staging server is asked before it, once something failed.
  - Renewal is the business of certbot's timer, which runs C(composeops certificates renew). Beside what certbot
    decides, that replaces what an authority wants replaced sooner (ACME Renewal Information, RFC 9773).
options:
  sites:
    description:
      - All sites of the host, as given to P(composeops.stack.nginx_sites#module).
      - What is not listed here has nothing to do with certificates. The filter
        C(composeops.stack.certified_sites) takes it away.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Full host name of the site, which is also the name of its certificate.
        type: str
        required: true
      aliases:
        description:
          - Further host names for the same certificate.
          - One may stand for all names one label below another, like V(*.shop.example.com), and needs O(dns_plugin).
        type: list
        elements: str
        default: []
      certificate:
        description: The operator's own certificate, in place of one that an authority is asked for.
        type: dict
        suboptions:
          source:
            description:
              - V(provided) takes O(sites[].certificate.certificate) and O(sites[].certificate.key). Nobody renews them.
              - V(private_ca) has one signed by O(ca_key), and again by a run in the last third of its 397 days.
            type: str
            choices: [provided, private_ca]
            default: provided
          certificate:
            description: The certificate with its chain, as PEM text, or as the absolute path of a file on the host.
            type: str
            default: ""
          key:
            description: Its private key, as PEM text, or as the absolute path of a file on the host.
            type: str
            default: ""
      hsts:
        description: Overrides O(hsts) for this site.
        type: str
        choices: [auto, always, never]
      routes:
        description: Accepted so that one list serves both modules; not used here.
        type: list
        elements: raw
        default: []
      redirect_to_https:
        description: Accepted so that one list serves both modules; not used here.
        type: bool
        default: true
      client_max_body_size:
        description: Accepted so that one list serves both modules; not used here.
        type: str
      headers:
        description: Accepted so that one list serves both modules; not used here.
        type: dict
        default: {}
      snippet:
        description: Accepted so that one list serves both modules; not used here.
        type: str
        default: ""
  acme_directory:
    description: Directory URL of the certificate authority's ACME server.
    type: str
    default: https://acme-v02.api.letsencrypt.org/directory
  acme_ca_file:
    description: Path, on the host, of the CA that signed the ACME server's own HTTPS certificate, for private servers.
    type: path
  acme_profile:
    description:
      - Kind of certificate, of those that the authority offers, like V(shortlived). It fails where the authority does
        not offer it. Empty for the authority's default.
      - Needs certbot 4.0, as Debian 13 has it.
    type: str
    default: ""
  eab_kid:
    description: Identifier of the key that binds a new account to a customer of the authority, which some ask for.
    type: str
    default: ""
  eab_hmac_key:
    description: That key, in base64url. It is kept on the host in a file that only root reads.
    type: str
    default: ""
  ca_certificate:
    description:
      - PEM text of an authority of the operator's own, with those above it, that signs for sites whose
        O(sites[].certificate.source=private_ca).
    type: str
    default: ""
  ca_key:
    description: PEM text of its key. It is used in memory and does not stay on the host.
    type: str
    default: ""
  dns_plugin:
    description:
      - certbot's plugin that writes records for challenges over DNS, without C(dns-) before its name, like V(rfc2136).
      - Debian's package of it, C(python3-certbot-dns-rfc2136), has to be there, as the role edge installs it.
    type: str
    default: ""
  dns_credentials:
    description:
      - The text that the plugin's documentation shows as its file of credentials.
      - It is kept on the host in a file that only root reads.
    type: str
    default: ""
  dns_propagation_seconds:
    description: Seconds that the plugin waits for all name servers to answer alike.
    type: int
    default: 10
  dns_for:
    description:
      - Which sites prove their names over DNS. V(all) is for hosts that the authority cannot reach over HTTP.
    type: str
    choices: [wildcards, all]
    default: wildcards
  email:
    description: Where the authority writes about the account. Without it the account has no address.
    type: str
    default: ""
  key_type:
    description: Kind of key.
    type: str
    choices: [ecdsa, rsa]
    default: ecdsa
  hsts:
    description:
      - When browsers are told to insist on HTTPS for two years, subdomains of the site's names included.
      - V(auto) does so while the host's own list of authorities leads to the certificate that serves, so never for a
        placeholder, a staging server or a private authority that the host was not told to trust.
      - V(always) does so with any certificate but the placeholder. V(never) never does.
    type: str
    choices: [auto, always, never]
    default: auto
  try_challenges:
    description:
      - Whether to try the challenges before certbot is started.
      - Switch it off where the host cannot reach its own public address.
    type: bool
    default: true
requirements:
  - certbot, openssl and nginx on the host, as the role edge installs them
attributes:
  check_mode:
    description: Can run in check mode and return changed status prediction without modifying the target.
    support: full
  diff_mode:
    description: Returns certificate, names, key, authority and HSTS of each site that changes; keys are never shown.
    support: full
notes:
  - A certificate that no site declares any more is kept and named in a warning, because certbot goes on renewing it.
seealso:
  - module: composeops.stack.nginx_sites
author:
  - ComposeOps (@composeops)
"""

EXAMPLES = r"""
- name: Keep certificates for all sites
  composeops.stack.certificates:
    sites: "{{ edge_sites }}"
    email: ops@example.com

- name: Try everything against the staging server first
  composeops.stack.certificates:
    sites:
      - name: shop.example.com
        aliases: [www.example.com]
    acme_directory: https://acme-staging-v02.api.letsencrypt.org/directory

- name: Ask a private authority
  composeops.stack.certificates:
    sites:
      - name: intranet.example.com
        hsts: always
    acme_directory: https://ca.example.com/acme/directory
    acme_ca_file: /etc/composeops/acme-ca.pem

- name: Have a wildcard, proven over DNS
  composeops.stack.certificates:
    sites:
      - name: shop.example.com
        aliases: ["*.shop.example.com"]
    dns_plugin: rfc2136
    dns_credentials: |
      dns_rfc2136_server = 192.0.2.53
      dns_rfc2136_name = host.example.com.
      dns_rfc2136_secret = {{ vault_tsig_secret }}
      dns_rfc2136_algorithm = HMAC-SHA256
"""

RETURN = r"""
certificates:
  description: The certificate of every site.
  returned: always
  type: list
  elements: dict
  contains:
    site:
      description: Name of the site.
      type: str
      returned: always
    names:
      description: Names in the certificate, or the wanted ones while there is none.
      type: list
      elements: str
      returned: always
    issuer:
      description: Organisation and name of the issuer; null while there is no certificate.
      type: str
      returned: always
    not_after:
      description: When it ends, in UTC; null while there is no certificate.
      type: str
      returned: always
    days_left:
      description: Whole days until then; null while there is no certificate.
      type: int
      returned: always
    fingerprint:
      description: SHA-256 of the certificate; null while there is none.
      type: str
      returned: always
    serving:
      description:
        - What a handshake with this host presents, V(acme) or V(provided) for the certificate above, V(placeholder),
          V(another certificate) or V(nothing).
      type: str
      returned: always
    hsts:
      description: Whether browsers are told to insist on HTTPS.
      type: bool
      returned: always
    trusted:
      description: Whether the host's own list of authorities leads to the certificate.
      type: bool
      returned: always
  sample:
    - site: shop.example.com
      names: [shop.example.com, www.example.com]
      issuer: Let's Encrypt E8
      not_after: "2027-02-20T04:30:00Z"
      days_left: 89
      fingerprint: 436b55cc9500774722c5a492232385b483b35a524f91be2c6ff4cc1ead1850f5
      serving: acme
      hsts: true
      trusted: true
plan:
  description: What is done, or would be done in check mode, one sentence each.
  returned: always
  type: list
  elements: str
  sample: ["shop.example.com: issue a certificate for shop.example.com: there is none yet"]
summary:
  description: The certificates as a table, for the callback P(composeops.stack.summary#callback).
  returned: always
  type: list
  elements: dict
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timezone
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.composeops.stack.plugins.module_utils.certificates import (
    credentials,
    issuing,
    lineage,
    metrics,
    private_ca,
    provided,
    report,
    settings,
)
from ansible_collections.composeops.stack.plugins.module_utils.certificates.deploy import Deployment
from ansible_collections.composeops.stack.plugins.module_utils.certificates.model import (
    LETS_ENCRYPT,
    Observed,
    WantedCertificate,
    parse_authority,
    parse_wanted,
    require_provable,
)
from ansible_collections.composeops.stack.plugins.module_utils.certificates.plan import (
    SitePlan,
    make_plan,
    planned_lines,
    state_lines,
)
from ansible_collections.composeops.stack.plugins.module_utils.certificates.private_ca import PrivateCa
from ansible_collections.composeops.stack.plugins.module_utils.edge import declared
from ansible_collections.composeops.stack.plugins.module_utils.edge.nginx import Nginx
from ansible_collections.composeops.stack.plugins.module_utils.edge.render import WEBROOT
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError, InvalidInput
from ansible_collections.composeops.stack.plugins.module_utils.io import files
from ansible_collections.composeops.stack.plugins.module_utils.io.runner import CommandRunner
from ansible_collections.composeops.stack.plugins.module_utils.shell import exit_with, failing

SITE_OPTIONS: dict[str, Any] = {
    **{name: declared.SITE_OPTIONS[name] for name in ("name", "aliases", "hsts", "certificate")},
    "routes": {"type": "list", "elements": "raw", "default": []},
    "redirect_to_https": {"type": "bool", "default": True},
    "client_max_body_size": {"type": "str"},
    "headers": {"type": "dict", "default": {}},
    "snippet": {"type": "str", "default": ""},
}
ARGUMENT_SPEC: dict[str, Any] = {
    "sites": {"type": "list", "elements": "dict", "required": True, "options": SITE_OPTIONS},
    "acme_directory": {"type": "str", "default": LETS_ENCRYPT},
    "acme_ca_file": {"type": "path"},
    "acme_profile": {"type": "str", "default": ""},
    "eab_kid": {"type": "str", "default": ""},
    "eab_hmac_key": {"type": "str", "default": "", "no_log": True},
    "ca_certificate": {"type": "str", "default": ""},
    "ca_key": {"type": "str", "default": "", "no_log": True},
    "dns_plugin": {"type": "str", "default": ""},
    # Text and not a dictionary: each value of that would be hidden wherever it occurs in a result, ports included.
    "dns_credentials": {"type": "str", "default": "", "no_log": True},
    "dns_propagation_seconds": {"type": "int", "default": 10},
    "dns_for": {"type": "str", "choices": ["wildcards", "all"], "default": "wildcards"},
    "email": {"type": "str", "default": ""},
    # The name would be taken for a secret's otherwise.
    "key_type": {"type": "str", "choices": ["ecdsa", "rsa"], "default": "ecdsa", "no_log": False},
    "hsts": {"type": "str", "choices": ["auto", "always", "never"], "default": "auto"},
    "try_challenges": {"type": "bool", "default": True},
}


class Certificates:
    """One run over all sites of this host."""

    def __init__(self, params: Mapping[str, Any]) -> None:
        self._authority = parse_authority(params)
        self._secrets = credentials.wanted_files(
            dns_plugin=self._authority.dns_plugin,
            dns_credentials=params.get("dns_credentials") or "",
            eab_kid=params.get("eab_kid") or "",
            eab_hmac_key=params.get("eab_hmac_key") or "",
        )
        parsed = parse_wanted(params["sites"], params["hsts"], dns_for=params.get("dns_for") or "wildcards")
        self._private_ca = private_ca.parse(params.get("ca_certificate") or "", params.get("ca_key") or "")
        self._signed: dict[str, PrivateCa] = {}
        self._provided: dict[str, dict[str, bytes]] = {}
        self._wanted = [self._place(one, entry) for one, entry in zip(parsed, params["sites"], strict=True)]
        require_provable([one for one in self._wanted if not one.provided], self._authority)
        self._try_challenges = bool(params["try_challenges"])
        self._runner = CommandRunner()
        self._deployment = Deployment(self._runner, Nginx(self._runner))
        self._now = datetime.now(timezone.utc)
        self._notes: list[str] = []

    def run(self, *, check: bool) -> tuple[dict[str, Any], list[str]]:
        """Return the module's result and what failed; a step that failed is not reported as done."""
        before = {wanted.site: self._deployment.observe(wanted) for wanted in self._wanted}
        plans = [self._plan(wanted, before[wanted.site]) for wanted in self._wanted]
        recorded, content = files.read_text(settings.PATH), settings.serialise(self._wanted, self._authority)
        secrets, obsolete = credentials.to_write(self._secrets), credentials.to_remove(self._secrets)
        problems: list[str] = []
        if not check:
            credentials.write(self._secrets)
            if recorded != content:
                os.makedirs(os.path.dirname(settings.PATH), mode=0o755, exist_ok=True)
                files.write_atomically(settings.PATH, content.encode(), mode=0o644)
            plans, problems = self._apply(plans, before)
            # What still renews with them keeps them until another way has worked.
            obsolete = [] if problems else obsolete
            credentials.remove(obsolete)
        acted = any(plan.changed for plan in plans) and not check
        after = {wanted.site: self._deployment.observe(wanted) for wanted in self._wanted} if acted else before
        if not check:
            metrics.write([(wanted, after[wanted.site]) for wanted in self._wanted], self._now)
        described = [report.describe(wanted, after[wanted.site], self._now) for wanted in self._wanted]
        return {
            "changed": bool(recorded != content or secrets or obsolete or any(plan.changed for plan in plans)),
            "plan": [
                *(f"write {path}" for path in secrets),
                *(sentence for plan in plans for sentence in plan.sentences),
                *(f"remove {path}" for path in obsolete),
                *([f"record the sites for renewals in {settings.PATH}"] if recorded != content else []),
            ],
            "diff": [
                *(_diff(path, "(another secret, or none)\n", "(the declared secret)\n") for path in secrets),
                *(self._site_diff(plan, before[plan.wanted.site]) for plan in plans if plan.changed),
                *(_diff(path, "(a secret)\n", "") for path in obsolete),
                *([_diff(settings.PATH, recorded or "", content)] if recorded != content else []),
            ],
            "certificates": described,
            "summary": [{"title": "Certificates", "columns": report.COLUMNS, "rows": report.rows(described)}],
        }, problems

    def warnings(self) -> list[str]:
        declared = {wanted.site for wanted in self._wanted if not wanted.provided}
        return [
            *self._notes,
            *(
                f"No site asks an authority for the certificate {name} any more, but certbot keeps renewing it. "
                f"`certbot delete --cert-name {name}` on the host ends that."
                for name in lineage.names_renewed_through(WEBROOT, credentials.DIRECTORY)
                if name not in declared
            ),
            *self._ending(),
        ]

    def _ending(self) -> list[str]:
        """Name the provided certificates whose end is near, because nobody renews them."""
        found = [(one.site, provided.read(self._runner, one.provided)) for one in self._wanted if one.provided]
        return [
            f"The certificate provided for {site} ends on {kept.certificate.not_after:%Y-%m-%d}, and nobody renews it. "
            "Provide its successor."
            for site, kept in found
            if kept and kept.certificate.remaining(self._now).days < provided.WARN_DAYS
        ]

    def _place(self, wanted: WantedCertificate, entry: Mapping[str, Any]) -> WantedCertificate:
        own = entry.get("certificate")
        if not own:
            return wanted
        if own.get("source") == "private_ca":
            if self._private_ca is None:
                raise InvalidInput(
                    f"sites: {wanted.site}: its certificate is to come from a private authority, and none is given.",
                    "Set edge_private_ca_certificate and edge_private_ca_key.",
                )
            self._signed[wanted.site] = self._private_ca
            where, self._provided[wanted.site] = provided.own_place(wanted.site), {}
        else:
            where, self._provided[wanted.site] = provided.place(wanted.site, own)
        return replace(wanted, provided=where, over_dns=False)

    def _plan(self, wanted: WantedCertificate, observed: Observed) -> SitePlan:
        if wanted.site in self._signed:
            reasons = self._reasons_to_sign(wanted, observed)
            if reasons:
                return SitePlan(wanted, deploy=(f"the private authority signs it: {'; '.join(reasons)}",))
        written = self._provided.get(wanted.site, {})
        if any(files.read_bytes(path) != content for path, content in written.items()):
            return SitePlan(wanted, deploy=("another one was provided",))
        if wanted.provided and observed.lineage is None:
            raise ComposeOpsError(
                f"sites: {wanted.site}: {wanted.provided.certificate} or {wanted.provided.key} is not on the host.",
                "Put both there, or give their text.",
            )
        return make_plan(wanted, self._authority, observed, self._now)

    def _apply(self, plans: Sequence[SitePlan], before: Mapping[str, Observed]) -> tuple[list[SitePlan], list[str]]:
        """Carry out the plans, and return what of them was done and what failed."""
        done, problems = [], []
        for plan in plans:
            achieved = SitePlan(plan.wanted)
            try:
                if plan.issue:
                    self._issue(plan.wanted, existing=before[plan.wanted.site].lineage is not None)
                    achieved = replace(achieved, issue=plan.issue)
                if plan.deploy:
                    self._provide(plan.wanted, before[plan.wanted.site])
                    self._deployment.deploy(plan.wanted)
                    achieved = replace(achieved, deploy=plan.deploy)
            except ComposeOpsError as error:
                problems.append(str(error))
            done.append(achieved)
        return done, problems

    def _issue(self, wanted: WantedCertificate, *, existing: bool) -> None:
        self._notes += issuing.issue(
            self._runner,
            wanted,
            self._authority,
            WEBROOT,
            self._now,
            replace=existing,
            try_challenges=self._try_challenges,
        )

    def _reasons_to_sign(self, wanted: WantedCertificate, observed: Observed) -> tuple[str, ...]:
        authority, kept = self._signed[wanted.site], observed.lineage
        return private_ca.reasons_to_sign(
            wanted,
            self._authority.key_type,
            kept,
            fits_its_key=bool(kept and lineage.fits_its_key(self._runner, kept)),
            signed_by_ca=bool(kept and private_ca.signed_by(self._runner, authority, kept)),
            now=self._now,
        )

    def _provide(self, wanted: WantedCertificate, before: Observed) -> None:
        if wanted.provided is None:
            return
        if wanted.site in self._signed:
            if self._reasons_to_sign(wanted, before):
                signed = private_ca.sign(self._runner, wanted, self._signed[wanted.site], self._authority.key_type)
                provided.check(self._runner, wanted, *signed, datetime.now(timezone.utc))
                provided.write(dict(zip((wanted.provided.certificate, wanted.provided.key), signed, strict=True)))
        else:
            written = self._provided[wanted.site]
            certificate = written.get(wanted.provided.certificate) or files.read_bytes(wanted.provided.certificate)
            key = written.get(wanted.provided.key) or files.read_bytes(wanted.provided.key)
            provided.check(self._runner, wanted, certificate or b"", key or b"", self._now)
            provided.write(written)

    def _site_diff(self, plan: SitePlan, observed: Observed) -> dict[str, str]:
        return _diff(
            f"certificate of {plan.wanted.site}",
            "\n".join(state_lines(plan.wanted, observed.lineage, observed.bundle)) + "\n",
            "\n".join(planned_lines(plan, self._authority, observed.lineage, observed.bundle)) + "\n",
        )


def _diff(header: str, before: str, after: str) -> dict[str, str]:
    return {"before_header": header, "after_header": header, "before": before, "after": after}


def run(params: dict[str, Any], *, check: bool) -> dict[str, Any]:
    certificates = Certificates(params)
    result, problems = certificates.run(check=check)
    return failing({**result, "warnings": certificates.warnings()}, problems)


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    exit_with(module, lambda: run(module.params, check=module.check_mode))


if __name__ == "__main__":
    main()
