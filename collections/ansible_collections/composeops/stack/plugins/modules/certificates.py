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
  - Renewal is the business of certbot's own timer. The role edge installs a hook that runs C(composeops certificates
    deploy), which is the same hand-over.
options:
  sites:
    description: All sites of the host, as given to P(composeops.stack.nginx_sites#module).
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Full host name of the site, which is also the name of its certificate.
        type: str
        required: true
      aliases:
        description: Further host names for the same certificate.
        type: list
        elements: str
        default: []
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
        - What a handshake with this host presents, V(acme) for the certificate above, V(placeholder),
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
    certbot,
    challenge,
    lineage,
    report,
    settings,
)
from ansible_collections.composeops.stack.plugins.module_utils.certificates.deploy import Deployment
from ansible_collections.composeops.stack.plugins.module_utils.certificates.model import (
    LETS_ENCRYPT,
    Authority,
    Observed,
    WantedCertificate,
    parse_wanted,
)
from ansible_collections.composeops.stack.plugins.module_utils.certificates.plan import (
    SitePlan,
    make_plan,
    planned_lines,
    state_lines,
)
from ansible_collections.composeops.stack.plugins.module_utils.edge.nginx import Nginx
from ansible_collections.composeops.stack.plugins.module_utils.edge.render import WEBROOT
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.io import files
from ansible_collections.composeops.stack.plugins.module_utils.io.runner import CommandRunner

SITE_OPTIONS: dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "aliases": {"type": "list", "elements": "str", "default": []},
    "hsts": {"type": "str", "choices": ["auto", "always", "never"]},
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
    "email": {"type": "str", "default": ""},
    # The name would be taken for a secret's otherwise.
    "key_type": {"type": "str", "choices": ["ecdsa", "rsa"], "default": "ecdsa", "no_log": False},
    "hsts": {"type": "str", "choices": ["auto", "always", "never"], "default": "auto"},
    "try_challenges": {"type": "bool", "default": True},
}


class Certificates:
    """One run over all sites of this host."""

    def __init__(self, params: Mapping[str, Any]) -> None:
        self._wanted = parse_wanted(params["sites"], params["hsts"])
        self._authority = Authority(
            directory=params["acme_directory"],
            key_type=params["key_type"],
            email=params["email"],
            ca_file=params["acme_ca_file"] or "",
        )
        self._try_challenges = bool(params["try_challenges"])
        self._runner = CommandRunner()
        self._deployment = Deployment(self._runner, Nginx(self._runner))

    def run(self, *, check: bool) -> tuple[dict[str, Any], list[str]]:
        """Return the module's result and what failed; a step that failed is not reported as done."""
        now = datetime.now(timezone.utc)
        before = {wanted.site: self._deployment.observe(wanted.site) for wanted in self._wanted}
        plans = [make_plan(wanted, self._authority, before[wanted.site], now) for wanted in self._wanted]
        recorded, content = files.read_text(settings.PATH), settings.serialise(self._wanted)
        problems: list[str] = []
        if not check:
            if recorded != content:
                os.makedirs(os.path.dirname(settings.PATH), mode=0o755, exist_ok=True)
                files.write_atomically(settings.PATH, content.encode(), mode=0o644)
            plans, problems = self._apply(plans, before)
        acted = any(plan.changed for plan in plans) and not check
        after = {wanted.site: self._deployment.observe(wanted.site) for wanted in self._wanted} if acted else before
        described = [report.describe(wanted, after[wanted.site], now) for wanted in self._wanted]
        return {
            "changed": recorded != content or any(plan.changed for plan in plans),
            "plan": [
                *(sentence for plan in plans for sentence in plan.sentences),
                *([f"record the sites for renewals in {settings.PATH}"] if recorded != content else []),
            ],
            "diff": [
                *(self._site_diff(plan, before[plan.wanted.site]) for plan in plans if plan.changed),
                *([_diff(settings.PATH, recorded or "", content)] if recorded != content else []),
            ],
            "certificates": described,
            "summary": [{"title": "Certificates", "columns": report.COLUMNS, "rows": report.rows(described)}],
        }, problems

    def warnings(self) -> list[str]:
        declared = {wanted.site for wanted in self._wanted}
        return [
            f"No site declares the certificate {name} any more, but certbot keeps renewing it. "
            f"`certbot delete --cert-name {name}` on the host ends that."
            for name in lineage.names_renewed_through(WEBROOT)
            if name not in declared
        ]

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
                    self._deployment.deploy(plan.wanted)
                    achieved = replace(achieved, deploy=plan.deploy)
            except ComposeOpsError as error:
                problems.append(str(error))
            done.append(achieved)
        return done, problems

    def _issue(self, wanted: WantedCertificate, *, existing: bool) -> None:
        if self._try_challenges:
            challenge.check(wanted, WEBROOT)
        certbot.issue(self._runner, wanted, self._authority, WEBROOT, replace=existing)

    def _site_diff(self, plan: SitePlan, observed: Observed) -> dict[str, str]:
        return _diff(
            f"certificate of {plan.wanted.site}",
            "\n".join(state_lines(plan.wanted, observed.lineage, observed.bundle)) + "\n",
            "\n".join(planned_lines(plan, self._authority, observed.lineage, observed.bundle)) + "\n",
        )


def _diff(header: str, before: str, after: str) -> dict[str, str]:
    return {"before_header": header, "after_header": header, "before": before, "after": after}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    try:
        certificates = Certificates(module.params)
        result, problems = certificates.run(check=module.check_mode)
        for warning in certificates.warnings():
            module.warn(warning)
    except ComposeOpsError as error:
        module.fail_json(msg=str(error))
    if not module._diff:
        del result["diff"]
    if problems:
        module.fail_json(msg="\n".join(problems), **result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
