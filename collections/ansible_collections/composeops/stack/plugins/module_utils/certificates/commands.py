# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""``composeops certificates``: what certbot's hook and timer run, and what an operator looks at on the host."""

from __future__ import annotations

import argparse
import sys
from datetime import datetime, timezone
from typing import Any

from ansible_collections.composeops.stack.plugins.module_utils.certificates import (
    attempts,
    certbot,
    issuing,
    lineage,
    metrics,
    report,
    revoking,
    settings,
)
from ansible_collections.composeops.stack.plugins.module_utils.certificates.deploy import Deployment
from ansible_collections.composeops.stack.plugins.module_utils.certificates.model import WantedCertificate
from ansible_collections.composeops.stack.plugins.module_utils.certificates.renewal import Renewer
from ansible_collections.composeops.stack.plugins.module_utils.certificates.settings import Settings
from ansible_collections.composeops.stack.plugins.module_utils.edge.nginx import Nginx
from ansible_collections.composeops.stack.plugins.module_utils.edge.render import WEBROOT
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.io.runner import CommandRunner
from ansible_collections.composeops.stack.plugins.module_utils.tables import table


def register(subparsers: Any) -> None:
    """Add this domain's commands to the program's parser."""
    parser = subparsers.add_parser("certificates", help="certificates of the sites on this host")
    actions = parser.add_subparsers(dest="action", required=True)
    deploy = actions.add_parser(
        "deploy", help="hand renewed certificates to nginx and check that they are served; certbot's hook runs this"
    )
    deploy.set_defaults(handler=run_deploy)
    renew = actions.add_parser(
        "renew", help="renew what is due, or what its authority wants replaced; the timer runs this twice a day"
    )
    renew.set_defaults(handler=run_renew)
    revoke = actions.add_parser(
        "revoke",
        help="replace the certificate of a site by one with another key, and have the authority revoke the old one",
    )
    revoke.add_argument("name", help="name of the site")
    revoke.add_argument("--reason", choices=revoking.REASONS, default="unspecified", help="what the authority is told")
    revoke.set_defaults(handler=run_revoke)
    show = actions.add_parser("list", help="names, authority, end and what is served, for every site")
    show.set_defaults(handler=run_list)


def run_deploy(_arguments: argparse.Namespace) -> int:
    """Deploy what differs, site by site; one that fails does not keep the others from theirs."""
    deployment, declared = _deployment(), settings.read().sites
    outcomes = [_deployed(deployment, wanted) for wanted in declared]
    _measure(deployment, declared)
    return 0 if all(outcomes) else 1


def run_renew(_arguments: argparse.Namespace) -> int:
    """Renew site by site, and after them what certbot keeps that no site declares."""
    runner, declared = CommandRunner(), settings.read()
    renewer, status = Renewer(runner, declared.authority, _now()), 0
    for wanted in declared.sites:
        if wanted.provided:
            continue
        try:
            notes = renewer.renew(wanted)
        except ComposeOpsError as error:
            print(error, file=sys.stderr)
            status = 1
        else:
            print("\n".join(notes or [f"{wanted.site}: looked after"]))
    for name in lineage.names():
        if name not in {wanted.site for wanted in declared.sites}:
            status = max(status, _renew_undeclared(runner, name, declared))
    return max(status, run_deploy(_arguments))


def _renew_undeclared(runner: CommandRunner, name: str, declared: Settings) -> int:
    try:
        completed = certbot.renew(runner, name, declared.authority)
        problem = "" if completed.ok else certbot.complaint(certbot.output(completed))
    except ComposeOpsError as error:
        problem = str(error)
    if problem:
        print(f"{name}: not renewed: {problem}", file=sys.stderr)
    return 1 if problem else 0


def run_revoke(arguments: argparse.Namespace) -> int:
    """Issue and deploy the successor first: a visitor never meets the revoked one."""
    runner, declared, deployment = CommandRunner(), settings.read(), _deployment()
    wanted = _declared(declared, arguments.name)
    before = deployment.observe(wanted).lineage
    if before is None:
        raise ComposeOpsError(f"certbot keeps no certificate for {wanted.site}.", "`composeops certificates list`.")
    notes = issuing.issue(runner, wanted, declared.authority, WEBROOT, _now(), replace=True, try_challenges=False)
    print("\n".join([*notes, f"{wanted.site}: issued anew, with another key"]))
    deployment.deploy(wanted)
    print(f"{wanted.site}: the new one is served")
    revoking.revoke(runner, wanted.site, before, declared.authority, arguments.reason)
    print(f"{wanted.site}: {before.server} revoked {before.certificate.fingerprint[:16]} ({arguments.reason})")
    return 0


def run_list(_arguments: argparse.Namespace) -> int:
    """Print the certificates as a table, and below it what was asked for in vain."""
    deployment, now = _deployment(), _now()
    declared = settings.read().sites
    rows = [report.describe(wanted, deployment.observe(wanted), now) for wanted in declared]
    print("\n".join(table(report.COLUMNS, report.rows(rows))))
    for wanted in declared:
        memory = attempts.read(wanted.site)
        if memory.failures:
            print(
                f"{wanted.site}: {memory.failures} failures, the last {attempts.moment(memory.last_failed)}; the timer "
                f"asks again after {attempts.moment(memory.not_before)}. {memory.reason}"
            )
    return 0


def _deployed(deployment: Deployment, wanted: WantedCertificate) -> bool:
    try:
        reasons = deployment.deploy(wanted)
    except ComposeOpsError as error:
        print(error, file=sys.stderr)
        return False
    print(f"{wanted.site}: deployed, {'; '.join(reasons)}" if reasons else f"{wanted.site}: up to date")
    return True


def _declared(declared: Settings, name: str) -> WantedCertificate:
    found = next((wanted for wanted in declared.sites if wanted.site == name), None)
    if found is None:
        known = ", ".join(wanted.site for wanted in declared.sites) or "none"
        raise ComposeOpsError(f"No site is named {name}.", f"The sites are: {known}.")
    if found.provided:
        raise ComposeOpsError(
            f"The certificate of {name} was provided; its authority is not known here.",
            "Have whoever issued it revoke it, and provide another.",
        )
    return found


def _measure(deployment: Deployment, declared: tuple[WantedCertificate, ...]) -> None:
    metrics.write([(wanted, deployment.observe(wanted)) for wanted in declared], _now())


def _now() -> datetime:
    return datetime.now(timezone.utc)


def _deployment() -> Deployment:
    runner = CommandRunner()
    return Deployment(runner, Nginx(runner))
