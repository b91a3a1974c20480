# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import json
from datetime import datetime, timezone
from pathlib import Path

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.certificates import certbot, directory
from ansible_collections.composeops.stack.plugins.module_utils.certificates.model import Authority, WantedCertificate
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.io.http import Response
from ansible_collections.composeops.stack.tests.unit.support.recorded import RecordedRunner

WANTED = WantedCertificate("a.test", ("a.test", "www.a.test"))

REFUSED = """\
Saving debug log to /var/log/letsencrypt/letsencrypt.log
Renewing an existing certificate for a.test and www.a.test

Certbot failed to authenticate some domains (authenticator: webroot). The Certificate Authority reported these problems:
  Domain: www.a.test
  Type:   unauthorized
  Detail: 10.0.0.9: Invalid response from http://www.a.test/.well-known/acme-challenge/abc: 404

Hint: The Certificate Authority failed to download the temporary challenge files created by Certbot.

Some challenges have failed.
Ask for help or search for solutions at https://community.letsencrypt.org.
"""
UNREACHABLE = """\
Saving debug log to /var/log/letsencrypt/letsencrypt.log
An unexpected error occurred:
requests.exceptions.ConnectionError: Failed to establish a new connection
Ask for help or search for solutions at https://community.letsencrypt.org.
"""


def test_a_first_issuance() -> None:
    authority = Authority("https://acme.test/dir", "ecdsa", "ops@a.test")
    assert certbot.arguments(WANTED, authority, "/var/www/acme", replace=False) == [
        *("certbot", "certonly", "--non-interactive", "--agree-tos", "--email", "ops@a.test", "--no-eff-email"),
        *("--server", "https://acme.test/dir", "--webroot", "--webroot-path", "/var/www/acme"),
        *("--cert-name", "a.test", "--domain", "a.test", "--domain", "www.a.test", "--key-type", "ecdsa"),
    ]


def test_a_replacement_is_forced_and_may_change_the_names() -> None:
    arguments = certbot.arguments(WANTED, Authority(), "/var/www/acme", replace=True)
    assert arguments[-2:] == ["--force-renewal", "--renew-with-new-domains"]


def test_an_account_needs_no_address() -> None:
    arguments = certbot.arguments(WANTED, Authority(), "/var/www/acme", replace=False)
    assert "--register-unsafely-without-email" in arguments
    assert "--email" not in arguments


@pytest.mark.parametrize(
    ("ca_file", "environment"),
    [("/etc/composeops/acme-ca.pem", {"REQUESTS_CA_BUNDLE": "/etc/composeops/acme-ca.pem"}), ("", {})],
    ids=["private-server", "public-server"],
)
def test_a_private_servers_ca_is_for_certbot_alone(ca_file: str, environment: dict[str, str]) -> None:
    runner = RecordedRunner()
    certbot.issue(runner, WANTED, Authority(ca_file=ca_file), "/var/www/acme", replace=False)
    assert runner.environments == [environment]


@pytest.mark.parametrize(
    ("output", "said"),
    [
        pytest.param(
            REFUSED,
            "www.a.test: 10.0.0.9: Invalid response from http://www.a.test/.well-known/acme-challenge/abc: 404 "
            "(unauthorized)",
            id="refused-by-the-authority",
        ),
        pytest.param(
            UNREACHABLE,
            "An unexpected error occurred: requests.exceptions.ConnectionError: Failed to establish a new connection",
            id="authority-not-reached",
        ),
        pytest.param("", "it did not say why.", id="silent"),
    ],
)
def test_a_failure_tells_what_the_authority_said(output: str, said: str) -> None:
    assert certbot.complaint(output) == said
    with pytest.raises(ComposeOpsError) as raised:
        certbot.issue(RecordedRunner(lambda argv: (1, "", output)), WANTED, Authority(), "/w", replace=False)
    assert "a.test: certbot got no certificate for a.test, www.a.test from https://acme-v02" in str(raised.value)
    assert said in str(raised.value)


STALE = "An unexpected error occurred:\nJWS has an invalid anti-replay nonce: I1cuKsBLRzdKZLiZvwjMxQ\n"


@pytest.mark.parametrize(
    ("outputs", "calls"),
    [((STALE, ""), 2), ((STALE, STALE, STALE, ""), 4), (("", STALE), 1)],
    ids=["refused-once", "refused-three-times", "not-refused"],
)
def test_a_refused_nonce_is_asked_again_with_a_new_one(outputs: tuple[str, ...], calls: int) -> None:
    left = iter(outputs)
    runner = RecordedRunner(lambda argv: (1, "", said) if (said := next(left)) else (0, "", ""))
    certbot.issue(runner, WANTED, Authority(), "/w", replace=False)
    assert len(runner.calls) == calls


@pytest.mark.parametrize(("output", "calls"), [(STALE, certbot.ATTEMPTS), (REFUSED, 1)], ids=["nonce", "anything-else"])
def test_it_gives_up_at_once_or_after_some_nonces(output: str, calls: int) -> None:
    runner = RecordedRunner(lambda argv: (1, "", output))
    with pytest.raises(ComposeOpsError):
        certbot.issue(runner, WANTED, Authority(), "/w", replace=False)
    assert len(runner.calls) == calls


WILD = WantedCertificate("a.test", ("a.test", "*.a.test"), over_dns=True)


def test_over_dns_a_file_has_the_credentials() -> None:
    authority = Authority("https://acme.test/dir", dns_plugin="rfc2136", dns_propagation_seconds=5)
    arguments = certbot.arguments(WILD, authority, "/var/www/acme", replace=False)
    assert arguments[arguments.index("--server") + 2 : arguments.index("--cert-name")] == [
        *("--authenticator", "dns-rfc2136", "--dns-rfc2136-credentials", "/etc/composeops/acme/dns-rfc2136"),
        *("--dns-rfc2136-propagation-seconds", "5"),
    ]
    assert "--webroot" not in arguments


def test_a_bound_account_a_profile_and_a_rehearsal() -> None:
    arguments = certbot.arguments(
        WANTED, Authority(bound=True, profile="shortlived"), "/w", replace=False, rehearsal=True
    )
    assert arguments[arguments.index("--config") + 1] == "/etc/composeops/acme/account.ini"
    assert arguments[arguments.index("--required-profile") + 1] == "shortlived"
    assert arguments[-1] == "--dry-run"


@pytest.mark.parametrize(
    ("said", "found"),
    [("certbot 4.0.0\n", (4, 0)), ("certbot 2.1.0\n", (2, 1)), ("", (0, 0))],
)
def test_the_version_of_certbot(said: str, found: tuple[int, int]) -> None:
    assert certbot.version(RecordedRunner(lambda argv: (0, said, ""))) == found


def test_a_certbot_that_knows_no_profiles_is_named_before_it_is_asked() -> None:
    runner = RecordedRunner(lambda argv: (0, "certbot 2.1.0\n", ""))
    with pytest.raises(ComposeOpsError, match=r"acme_profile is shortlived, but certbot 2\.1 of this host knows no"):
        certbot.issue(runner, WANTED, Authority(profile="shortlived"), "/w", replace=False)
    assert runner.calls == [["certbot", "--version"]]


@pytest.mark.parametrize(
    ("offered", "said"),
    [({"tlsserver": "page"}, "Its profiles are: tlsserver"), ({}, "Its profiles are: none"), (None, "none")],
    ids=["others", "none", "knows-no-profiles"],
)
def test_a_profile_that_the_authority_does_not_offer_is_told_before_it_is_asked(
    monkeypatch: pytest.MonkeyPatch, offered: object, said: str
) -> None:
    body = json.dumps({"meta": {} if offered is None else {"profiles": offered}}).encode()
    monkeypatch.setattr(directory, "get", lambda url, ca_file: Response(200, {}, body, 0))
    runner = RecordedRunner(lambda argv: (0, "certbot 4.0.0\n", ""))
    with pytest.raises(ComposeOpsError, match=said):
        certbot.issue(runner, WANTED, Authority(profile="shortlived"), "/w", replace=False)
    assert len(runner.calls) == 1


def test_a_profile_that_the_authority_offers_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    body = b'{"meta": {"profiles": {"shortlived": "page"}}}'
    monkeypatch.setattr(directory, "get", lambda url, ca_file: Response(200, {}, body, 0))
    runner = RecordedRunner(lambda argv: (0, "certbot 4.0.0\n", ""))
    certbot.issue(runner, WANTED, Authority(profile="shortlived"), "/w", replace=False)
    assert "shortlived" in runner.calls[-1]


UNKNOWN_ACCOUNT = """\
An unexpected error occurred:
Account https://acme.test/my-account/1 not found.
"""


def test_an_account_that_the_authority_forgot_is_registered_again_and_told(tmp_path: Path) -> None:
    registered = tmp_path / "accounts/acme.test:14000/dir/0123"
    registered.mkdir(parents=True)
    left = iter([UNKNOWN_ACCOUNT, ""])
    runner = RecordedRunner(lambda argv: (1, "", said) if (said := next(left)) else (0, "", ""))
    authority = Authority("https://acme.test:14000/dir")
    notes = certbot.issue(runner, WANTED, authority, "/w", replace=False, accounts=str(tmp_path / "accounts"))
    assert notes == [
        "a.test: https://acme.test:14000/dir no longer knew the account of this host; a new one was registered."
    ]
    assert not registered.exists()
    assert (tmp_path / "accounts-forgotten/acme.test:14000/dir/0123").is_dir()


@pytest.mark.parametrize("accounts", [["0123"], []], ids=["forgotten-twice", "nothing-to-forget"])
def test_an_account_is_registered_again_only_once(tmp_path: Path, accounts: list[str]) -> None:
    for account in accounts:
        (tmp_path / "accounts/acme.test/dir" / account).mkdir(parents=True)
    runner = RecordedRunner(lambda argv: (1, "", UNKNOWN_ACCOUNT))
    with pytest.raises(certbot.Refused, match="not found"):
        certbot.issue(
            runner, WANTED, Authority("https://acme.test/dir"), "/w", replace=False, accounts=str(tmp_path / "accounts")
        )
    assert len(runner.calls) == 1 + len(accounts)


def test_a_rate_limit_tells_when_it_ends() -> None:
    output = (
        "An unexpected error occurred:\nError creating new order :: too many certificates (5) already issued for this "
        "exact set of identifiers in the last 168h0m0s, retry after 2026-11-23 04:05:06 UTC: see https://letsencrypt.org\n"
    )
    with pytest.raises(certbot.Refused, match=r"Its rate limit ends at 2026-11-23 04:05 UTC") as raised:
        certbot.issue(RecordedRunner(lambda argv: (1, "", output)), WANTED, Authority(), "/w", replace=False)
    assert raised.value.retry_at == datetime(2026, 11, 23, 4, 5, 6, tzinfo=timezone.utc)


def test_a_renewal_leaves_to_certbot_whether_it_is_time() -> None:
    runner = RecordedRunner()
    certbot.renew(runner, "a.test", Authority(ca_file="/ca"))
    assert runner.calls == [
        ["certbot", "renew", "--non-interactive", "--no-random-sleep-on-renew", "--cert-name", "a.test"]
    ]
    assert runner.environments == [{"REQUESTS_CA_BUNDLE": "/ca"}]


LOGGED = """\
DEBUG:acme.client:Received response:
HTTP {status}
Content-Type: application/problem+json
Retry-After: 7200

{{
  "type": "urn:ietf:params:acme:error:{kind}"
}}
"""


@pytest.mark.parametrize(
    ("log", "limited"),
    [
        (LOGGED.format(status=429, kind="rateLimited"), True),
        (LOGGED.format(status=400, kind="malformed"), False),
        ("", False),
    ],
    ids=["rate-limited", "anything-else", "no-log"],
)
def test_a_rate_limit_may_tell_its_end_in_a_header_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, log: str, limited: bool
) -> None:
    (tmp_path / "letsencrypt.log").write_text(log)
    monkeypatch.setattr(certbot, "LOG", str(tmp_path / "letsencrypt.log"))
    runner = RecordedRunner(lambda argv: (1, "", "An unexpected error occurred:\ntoo much\n"))
    with pytest.raises(certbot.Refused) as raised:
        certbot.issue(runner, WANTED, Authority(), "/w", replace=False)
    asked = datetime.now(timezone.utc)
    assert (raised.value.retry_at is not None) is limited
    assert not raised.value.retry_at or abs((raised.value.retry_at - asked).total_seconds() - 7200) < 60


def test_what_an_older_certbot_hides_is_read_from_its_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = tmp_path / "letsencrypt.log"
    log.write_text(
        "acme.messages.Error: urn:ietf:params:acme:error:badNonce :: JWS has an invalid anti-replay nonce\n"
        "During handling of the above exception, another exception occurred:\n"
        "AttributeError: can't set attribute\n"
    )
    monkeypatch.setattr(certbot, "LOG", str(log))
    masked = "An unexpected error occurred:\nAttributeError: can't set attribute\n"
    runner = RecordedRunner(lambda argv: (1, "", masked))
    with pytest.raises(certbot.Refused, match=r"from https://acme\S+: urn:ietf:params:acme:error:badNonce :: JWS has"):
        certbot.issue(runner, WANTED, Authority(), "/w", replace=False)
    assert len(runner.calls) == certbot.ATTEMPTS
    log.write_text("")
    with pytest.raises(certbot.Refused, match="can't set attribute"):
        certbot.issue(runner, WANTED, Authority(), "/w", replace=False)
