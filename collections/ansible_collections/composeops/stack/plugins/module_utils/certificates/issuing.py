# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Has a certificate issued with care for the authority's limits, and remembers what failed."""

from __future__ import annotations

from dataclasses import replace as changed
from datetime import datetime

from ansible_collections.composeops.stack.plugins.module_utils.certificates import (
    attempts,
    certbot,
    challenge,
    incomplete,
    lineage,
)
from ansible_collections.composeops.stack.plugins.module_utils.certificates.certbot import Refused
from ansible_collections.composeops.stack.plugins.module_utils.certificates.model import Authority, WantedCertificate
from ansible_collections.composeops.stack.plugins.module_utils.io.runner import Runner


def issue(
    runner: Runner,
    wanted: WantedCertificate,
    authority: Authority,
    webroot: str,
    now: datetime,
    *,
    replace: bool,
    try_challenges: bool,
    memory: str = "",
    certbot_directory: str = lineage.CERTBOT_DIRECTORY,
) -> list[str]:
    """Have ``wanted`` issued; return what is worth telling of it.

    What this host can find out by itself comes first and costs nothing. What failed before is rehearsed where the
    authority has a place for that. Only then the authority is asked.
    """
    if try_challenges and not wanted.over_dns:
        challenge.check(wanted, webroot)
    before = attempts.read(wanted.site, memory)
    notes = incomplete.put_aside(wanted.site, certbot_directory)
    try:
        if before.failures and authority.rehearsals_at:
            certbot.rehearse(runner, wanted, changed(authority, directory=authority.rehearsals_at), webroot)
        notes += certbot.issue(runner, wanted, authority, webroot, replace=replace and not notes)
    except Refused as error:
        attempts.write(wanted.site, attempts.failed(before, error.message, now, error.retry_at), memory)
        raise
    attempts.forget(wanted.site, memory)
    return notes
