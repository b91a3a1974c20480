# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.certificates import certbot
from ansible_collections.composeops.stack.plugins.module_utils.certificates.model import Authority, WantedCertificate
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
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
