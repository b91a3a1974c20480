# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Renews what certbot keeps, certificate by certificate, as the timer wants it twice a day.

certbot decides by what is left of a lifetime. The authority may want one replaced sooner, when it has to revoke it for
instance, and says so when it is asked (``ari``). What failed is not tried again at once (``attempts``). About lives of
less than 90 days certbot is not asked before it is time: up to 4.0 it renews whatever ends within 30 days, and so a
certificate of six days every time that it is asked.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from ansible_collections.composeops.stack.plugins.module_utils.certificates import (
    account,
    ari,
    attempts,
    certbot,
    issuing,
    lineage,
)
from ansible_collections.composeops.stack.plugins.module_utils.certificates.model import (
    Authority,
    Lineage,
    WantedCertificate,
)
from ansible_collections.composeops.stack.plugins.module_utils.edge.render import WEBROOT
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.io.runner import Runner

DNS = "dns-"
HURRIES_BELOW = timedelta(days=90)
"""A third of more is 30 days and more, and then certbot's two rules come to the same."""


class Renewer:
    """Renews the certificates of this host."""

    def __init__(
        self,
        runner: Runner,
        authority: Authority,
        now: datetime,
        *,
        memory: str = "",
        certbot_directory: str = lineage.CERTBOT_DIRECTORY,
    ) -> None:
        self._runner = runner
        self._authority = authority
        self._now = now
        self._memory = memory
        self._certbot_directory = certbot_directory
        self._old = certbot.version(runner) < certbot.OWN_ARI_SINCE

    def renew(self, wanted: WantedCertificate) -> list[str]:
        """Renew a site's certificate where it is time; return what is worth telling, or raise what failed."""
        kept = lineage.read_lineage(self._runner, wanted.site, self._certbot_directory)
        if kept is None:
            return [f"{wanted.site}: certbot keeps nothing yet; playbooks/site.yml has it issued."]
        memory = attempts.read(wanted.site, self._memory).of(kept.certificate.serial)
        if memory.waiting(self._now):
            return [
                f"{wanted.site}: not asked before {attempts.moment(memory.not_before)}, after {memory.failures} "
                f"failures. The last: {memory.reason}"
            ]
        # The names that it has, from whom it has them: what was declared since is for the playbook to carry out.
        same = replace(wanted, names=kept.certificate.names, over_dns=kept.authenticator.startswith(DNS))
        authority = replace(
            self._authority,
            directory=kept.server,
            profile=kept.profile,
            key_type=kept.key_type,
            dns_plugin=kept.authenticator.removeprefix(DNS) if same.over_dns else "",
        )
        memory, notes = self._ask_window(wanted.site, kept, authority, memory)
        if memory.renew_at and memory.renew_at <= self._now.timestamp():
            notes.append(f"{wanted.site}: {kept.server} wants it replaced since {attempts.moment(memory.renew_at)}.")
            return notes + self._issue(same, authority)
        if memory.failures and authority.rehearsals_at and kept.certificate.due(self._now):
            return notes + self._issue(same, authority)
        if self._old and _too_early(kept, self._now):
            self._succeeded(wanted.site, memory)
            return notes
        return notes + self._renew(same, authority, memory)

    def _ask_window(
        self, site: str, kept: Lineage, authority: Authority, memory: attempts.Attempts
    ) -> tuple[attempts.Attempts, list[str]]:
        """Ask the authority when to replace a certificate; not being told is no failure, certbot's own rule remains."""
        if not self._old or self._now.timestamp() < memory.ask_window_at:
            return memory, []
        try:
            answer = ari.ask(kept.server, ari.identifier(kept.certificate), authority.ca_file)
        except ComposeOpsError as error:
            return memory, [f"{site}: {kept.server} was not asked when to renew: {error.message}"]
        if answer is None:
            return memory, []
        memory = replace(
            memory,
            renew_at=int(ari.moment(answer.window, kept.certificate.serial).timestamp()),
            ask_window_at=int(self._now.timestamp() + answer.retry_after),
        )
        attempts.write(site, memory, self._memory)
        return memory, []

    def _renew(self, wanted: WantedCertificate, authority: Authority, memory: attempts.Attempts) -> list[str]:
        completed = certbot.renew(self._runner, wanted.site, authority)
        if completed.ok:
            self._succeeded(wanted.site, memory)
            return []
        if account.unknown(certbot.output(completed)):
            return self._issue(wanted, authority)
        error = certbot.refused(wanted, authority, completed)
        attempts.write(wanted.site, attempts.failed(memory, error.message, self._now, error.retry_at), self._memory)
        raise error

    def _succeeded(self, site: str, memory: attempts.Attempts) -> None:
        if memory.failures:
            attempts.forget(site, self._memory)

    def _issue(self, wanted: WantedCertificate, authority: Authority) -> list[str]:
        # Without a try of ours: from inside, a host may not reach its own public address.
        return issuing.issue(
            self._runner,
            wanted,
            authority,
            WEBROOT,
            self._now,
            replace=True,
            try_challenges=False,
            memory=self._memory,
            certbot_directory=self._certbot_directory,
        )


def _too_early(kept: Lineage, now: datetime) -> bool:
    """Whether certbot would renew long before it is time, and nobody has told it to."""
    return kept.certificate.lifetime < HURRIES_BELOW and not kept.renew_before and not kept.certificate.due(now)
