# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Asks certbot for certificates."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone

from ansible_collections.composeops.stack.plugins.module_utils.certificates import account, credentials, directory
from ansible_collections.composeops.stack.plugins.module_utils.certificates.model import Authority, WantedCertificate
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.io import files
from ansible_collections.composeops.stack.plugins.module_utils.io.runner import Completed, Runner

TIMEOUT = 300.0
LOG = "/var/log/letsencrypt/letsencrypt.log"
NEXT_STEP = f"{LOG} on the host has every step; what served before still does."

STALE_NONCE = re.compile(r"invalid anti-replay nonce|badNonce")
ATTEMPTS = 4
"""An authority may refuse a nonce at any time, and a client is to ask again with a new one (RFC 8555, section 6.5).
certbot does so once for each request, and gives up when it meets two in a row."""

MASKED = "AttributeError: can't set attribute"
BUSY = "Another instance of Certbot is already running"

PROFILES_SINCE = (4, 0)
OWN_ARI_SINCE = (4, 1)
"""From here on certbot itself asks the authority when to renew (RFC 9773)."""

_DETAIL = re.compile(r"Domain:\s*(?P<name>\S+)\s+Type:\s*(?P<type>\S+)\s+Detail:\s*(?P<detail>[^\n]+)")
_NOISE = re.compile(
    r"^(Saving debug log|Ask for help|See the logfile|Please see the logfile|Some challenges|Processing /|[- ]+$"
    r"|All renewals failed|The following certificates could not be renewed|\d+ renew failure)|\(failure\)$|^\s*$"
)
_RETRY_AFTER = re.compile(r"retry after (\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)")
_LOGGED_ERROR = re.compile(r"^acme\.messages\.Error: (\S.*)$", re.MULTILINE)
_RATE_LIMITED = "urn:ietf:params:acme:error:rateLimited"
_RETRY_HEADER = re.compile(r"^Retry-After:\s*(\d+)\s*$", re.IGNORECASE | re.MULTILINE)
_VERSION = re.compile(r"certbot (\d+)\.(\d+)")


class Refused(ComposeOpsError):
    """certbot got no certificate."""

    retry_at: datetime | None = None
    """When the authority will listen again, where it said so."""


def arguments(
    wanted: WantedCertificate, authority: Authority, webroot: str, *, replace: bool, rehearsal: bool = False
) -> list[str]:
    """Return the command line that issues ``wanted``; ``replace`` where certbot already keeps one of this name.

    A ``rehearsal`` asks for a certificate that nobody keeps.
    """
    names = [argument for name in wanted.names for argument in ("--domain", name)]
    email = ["--email", authority.email, "--no-eff-email"] if authority.email else ["--register-unsafely-without-email"]
    # Without these, certbot keeps a certificate that is not about to expire, whatever else changed.
    renew = ["--force-renewal", "--renew-with-new-domains"] if replace else []
    return [
        *("certbot", "certonly", "--non-interactive", "--agree-tos", *email),
        # Read beside certbot's own configuration; a key has no place in a command line, which every user can read.
        *(["--config", credentials.account_file()] if authority.bound else []),
        *("--server", authority.directory, *_challenge(wanted, authority, webroot)),
        *("--cert-name", wanted.site, *names, "--key-type", authority.key_type),
        *(["--required-profile", authority.profile] if authority.profile else []),
        *renew,
        *(["--dry-run"] if rehearsal else []),
    ]


def _challenge(wanted: WantedCertificate, authority: Authority, webroot: str) -> list[str]:
    if not wanted.over_dns:
        return ["--webroot", "--webroot-path", webroot]
    plugin = authority.authenticator(wanted)
    return [
        *("--authenticator", plugin, f"--{plugin}-credentials", credentials.dns_file(authority.dns_plugin)),
        *(f"--{plugin}-propagation-seconds", str(authority.dns_propagation_seconds)),
    ]


def issue(
    runner: Runner,
    wanted: WantedCertificate,
    authority: Authority,
    webroot: str,
    *,
    replace: bool,
    accounts: str = account.DIRECTORY,
) -> list[str]:
    """Have certbot issue ``wanted``; return what is worth telling of it, or raise what the authority had against it."""
    if authority.profile:
        _require_profile(runner, authority)
    command = arguments(wanted, authority, webroot, replace=replace)
    notes = []
    completed = ask(runner, command, authority)
    if account.unknown(output(completed)) and account.forget(authority.directory, accounts):
        notes.append(
            f"{wanted.site}: {authority.directory} no longer knew the account of this host; a new one was registered."
        )
        completed = ask(runner, command, authority)
    if not completed.ok:
        raise refused(wanted, authority, completed)
    return notes


def rehearse(runner: Runner, wanted: WantedCertificate, authority: Authority, webroot: str) -> None:
    """Have certbot ask for a certificate that nobody keeps; raise what the authority had against it."""
    completed = ask(runner, arguments(wanted, authority, webroot, replace=False, rehearsal=True), authority)
    if not completed.ok:
        raise refused(wanted, authority, completed)


def renew(runner: Runner, name: str, authority: Authority) -> Completed:
    """Have certbot renew the certificate ``name`` in the way it was issued, if certbot finds that it is time."""
    command = ["certbot", "renew", "--non-interactive", "--no-random-sleep-on-renew", "--cert-name", name]
    return ask(runner, command, authority)


def ask(runner: Runner, command: Sequence[str], authority: Authority) -> Completed:
    """Run certbot to an end that a refused nonce has no part in."""
    environment = {"REQUESTS_CA_BUNDLE": authority.ca_file} if authority.ca_file else {}
    for _attempt in range(ATTEMPTS):
        completed = _unmasked(runner.run(command, environment=environment, timeout=TIMEOUT, check=False))
        if completed.ok or not STALE_NONCE.search(output(completed)):
            break
    if not completed.ok and BUSY in output(completed):
        raise ComposeOpsError(
            "Another certbot runs on this host, so no authority was asked for anything.",
            "Wait until it has ended, `systemctl status certbot.service` perhaps, then run again.",
        )
    return completed


def _unmasked(completed: Completed) -> Completed:
    """Return what ended with the authority's own words, which certbot 2.1 loses on Python 3.11 but for its log."""
    if completed.ok or MASKED not in output(completed):
        return completed
    said = _LOGGED_ERROR.findall(files.read_text(LOG) or "")
    return Completed(completed.argv, completed.returncode, "", f"{said[-1]}\n") if said else completed


def version(runner: Runner) -> tuple[int, int]:
    """Return the version of this host's certbot; (0, 0) where it does not say."""
    found = _VERSION.search(output(runner.run(["certbot", "--version"], check=False)))
    return (int(found[1]), int(found[2])) if found else (0, 0)


def output(completed: Completed) -> str:
    return completed.stdout + completed.stderr


def refused(wanted: WantedCertificate, authority: Authority, completed: Completed) -> Refused:
    """Return the error that says why there is no certificate, and when to ask again where that is known."""
    said = complaint(output(completed))
    retry_at = retry_time(said) or _logged_retry_time(files.read_text(LOG) or "", datetime.now(timezone.utc))
    error = Refused(
        f"{wanted.site}: certbot got no certificate for {', '.join(wanted.names)} from {authority.directory}: {said}",
        f"Its rate limit ends at {retry_at:%Y-%m-%d %H:%M} UTC; asking before that is in vain. {NEXT_STEP}"
        if retry_at
        else NEXT_STEP,
    )
    error.retry_at = retry_at
    return error


def retry_time(said: str) -> datetime | None:
    """Return when the authority will listen again, in the words in which Let's Encrypt tells of rate limits."""
    found = _RETRY_AFTER.search(said)
    return datetime.fromisoformat(f"{found[1]}T{found[2]}").replace(tzinfo=timezone.utc) if found else None


def _logged_retry_time(log: str, now: datetime) -> datetime | None:
    """Return when the authority will listen again, by the header of its last answer in certbot's log of one run."""
    _, limited, after = log.rpartition("HTTP 429")
    found = _RETRY_HEADER.search(after) if limited and _RATE_LIMITED in after else None
    return now + timedelta(seconds=int(found[1])) if found else None


def complaint(output: str) -> str:
    """Return what matters of certbot's output: what the authority said of each name, or else its last words."""
    details = [f"{match['name']}: {match['detail'].strip()} ({match['type']})" for match in _DETAIL.finditer(output)]
    if details:
        return "; ".join(details)
    words = [line.strip() for line in output.splitlines() if not _NOISE.search(line)]
    return " ".join(words[-3:]) or "it did not say why."


def _require_profile(runner: Runner, authority: Authority) -> None:
    """Raise where the profile would come to nothing: certbot does not look, and some authorities ignore it."""
    found, profile = version(runner), authority.profile
    if found < PROFILES_SINCE:
        raise ComposeOpsError(
            f"acme_profile is {profile}, but certbot {found[0]}.{found[1]} of this host knows no profiles.",
            "Debian 13 has certbot 4.0, which does. On Debian 12, leave acme_profile empty.",
        )
    try:
        offered = directory.profiles(authority.directory, authority.ca_file)
    except ComposeOpsError:
        return  # certbot will not get there either, and says why
    if profile not in offered:
        raise ComposeOpsError(
            f"acme_profile is {profile}, which {authority.directory} does not offer. "
            f"Its profiles are: {', '.join(offered) or 'none'}.",
            "Choose one of them, or leave acme_profile empty.",
        )
