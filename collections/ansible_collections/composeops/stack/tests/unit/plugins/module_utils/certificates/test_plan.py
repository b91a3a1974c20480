# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.certificates.model import (
    LETS_ENCRYPT,
    Authority,
    Bundle,
    CertificateFacts,
    Hsts,
    Lineage,
    Observed,
    Provided,
    Source,
    WantedCertificate,
)
from ansible_collections.composeops.stack.plugins.module_utils.certificates.plan import (
    HSTS_HEADER,
    NO_HSTS,
    SitePlan,
    hsts_configuration,
    make_plan,
    planned_lines,
    reasons_to_deploy,
    reasons_to_issue,
    state_lines,
    unfit,
)

NOW = datetime(2026, 11, 22, tzinfo=timezone.utc)
WANTED = WantedCertificate("a.test", ("a.test", "www.a.test"))
AUTHORITY = Authority()
FACTS = CertificateFacts(
    names=("a.test", "www.a.test"),
    issuer="Let's Encrypt E8",
    not_before=NOW - timedelta(days=10),
    not_after=NOW + timedelta(days=80),
    serial="01",
    fingerprint="f" * 64,
    public_key="PUBLIC",
)
LINEAGE = Lineage(FACTS, LETS_ENCRYPT, "ecdsa", "webroot", fullchain=b"chain", privkey=b"key", trusted=True)
BUNDLE = Bundle(Source.ACME, b"chain", b"key", HSTS_HEADER, FACTS.fingerprint)
SETTLED = Observed(LINEAGE, BUNDLE, FACTS.fingerprint)
PLACEHOLDER = Bundle(Source.PLACEHOLDER, b"p", b"k", NO_HSTS, "0" * 64)


def lineage(**changes: Any) -> Lineage:
    facts = {key: value for key, value in changes.items() if hasattr(FACTS, key)}
    own = {key: value for key, value in changes.items() if key not in facts}
    return replace(LINEAGE, certificate=replace(FACTS, **facts), **own)


def test_a_settled_site_needs_nothing() -> None:
    plan = make_plan(WANTED, AUTHORITY, SETTLED, NOW)
    assert plan == SitePlan(WANTED)
    assert not plan.changed


def test_a_new_site_is_issued_and_deployed() -> None:
    plan = make_plan(WANTED, AUTHORITY, Observed(None, PLACEHOLDER, "0" * 64), NOW)
    assert plan.sentences == [
        "a.test: issue a certificate for a.test, www.a.test: there is none yet",
        "a.test: hand the certificate to nginx: a new one will be there",
    ]


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        pytest.param(None, "there is none yet", id="none"),
        pytest.param(lineage(names=("a.test",)), "it lacks www.a.test", id="added-name"),
        pytest.param(lineage(names=(*FACTS.names, "old.test")), "it also names old.test", id="removed-name"),
        pytest.param(lineage(key_type="rsa"), "its key is rsa, not ecdsa", id="key-type"),
        pytest.param(
            lineage(server="https://staging.test/dir"),
            f"it comes from https://staging.test/dir, not {LETS_ENCRYPT}",
            id="staging-to-production",
        ),
        pytest.param(
            lineage(authenticator="standalone"),
            "certbot would renew it with standalone, not through nginx",
            id="renewal-would-stop-nginx",
        ),
        pytest.param(
            lineage(not_after=NOW + timedelta(days=1)),
            "it ends on 2026-11-23 and was not renewed in time",
            id="renewal-failed",
        ),
    ],
)
def test_reasons_to_issue(found: Lineage | None, reason: str) -> None:
    assert reasons_to_issue(WANTED, AUTHORITY, found, NOW) == (reason,)


def test_names_in_another_order_are_the_same_names() -> None:
    assert reasons_to_issue(WANTED, AUTHORITY, lineage(names=("www.a.test", "a.test")), NOW) == ()


def test_a_certificate_due_for_renewal_is_left_to_the_timer() -> None:
    assert reasons_to_issue(WANTED, AUTHORITY, lineage(not_after=NOW + timedelta(days=25)), NOW) == ()


@pytest.mark.parametrize(
    ("observed", "reasons"),
    [
        pytest.param(SETTLED, (), id="settled"),
        pytest.param(Observed(None, PLACEHOLDER), (), id="nothing-to-deploy"),
        pytest.param(replace(SETTLED, bundle=Bundle()), ("nginx has none",), id="no-bundle"),
        pytest.param(replace(SETTLED, bundle=PLACEHOLDER), ("nginx has a placeholder",), id="placeholder"),
        pytest.param(
            replace(SETTLED, bundle=replace(BUNDLE, fullchain=b"old")), ("nginx has an older one",), id="renewed"
        ),
        pytest.param(
            replace(SETTLED, bundle=replace(BUNDLE, privkey=b"old")), ("nginx has an older one",), id="key-differs"
        ),
        pytest.param(replace(SETTLED, bundle=replace(BUNDLE, hsts=NO_HSTS)), ("HSTS begins",), id="hsts-begins"),
        pytest.param(replace(SETTLED, lineage=lineage(trusted=False)), ("HSTS ends",), id="hsts-ends"),
        pytest.param(
            replace(SETTLED, served="0" * 64), ("nginx has it but serves another",), id="killed-before-the-reload"
        ),
        pytest.param(replace(SETTLED, served=None), ("nginx has it but serves none",), id="nginx-stopped"),
    ],
)
def test_reasons_to_deploy(observed: Observed, reasons: tuple[str, ...]) -> None:
    assert reasons_to_deploy(WANTED, observed) == reasons


@pytest.mark.parametrize(
    ("policy", "trusted", "expected"),
    [
        (Hsts.AUTO, True, HSTS_HEADER),
        (Hsts.AUTO, False, NO_HSTS),
        (Hsts.ALWAYS, False, HSTS_HEADER),
        (Hsts.NEVER, True, NO_HSTS),
    ],
    ids=["auto-trusted", "auto-staging-or-private", "always", "never"],
)
def test_hsts_by_policy_and_trust(policy: Hsts, trusted: bool, expected: str) -> None:
    assert hsts_configuration(replace(WANTED, hsts=policy), lineage(trusted=trusted)) == expected


def test_hsts_is_long_enough_for_the_best_mark() -> None:
    assert "max-age=63072000; includeSubDomains" in HSTS_HEADER


@pytest.mark.parametrize(
    ("found", "key", "present", "problem"),
    [
        pytest.param(LINEAGE, "PUBLIC\n", WANTED.names, "", id="fit"),
        pytest.param(LINEAGE, "OTHER", (), "its private key belongs to another certificate", id="foreign-key"),
        pytest.param(
            lineage(names=("a.test",)),
            "PUBLIC",
            WANTED.names,
            "it does not name www.a.test, which the one before did",
            id="name-lost",
        ),
        pytest.param(lineage(names=("a.test",)), "PUBLIC", ("a.test",), "", id="alias-never-had-a-certificate"),
        pytest.param(lineage(), "PUBLIC", ("a.test", "old.test"), "", id="name-no-longer-wanted"),
    ],
)
def test_an_unfit_certificate_does_not_reach_nginx(
    found: Lineage, key: str, present: tuple[str, ...], problem: str
) -> None:
    assert unfit(WANTED, found, key, present) == problem


def test_the_diff_of_an_issuance_shows_what_changes() -> None:
    observed = Observed(lineage(names=("a.test",)), BUNDLE, FACTS.fingerprint)
    plan = make_plan(WANTED, AUTHORITY, observed, NOW)
    before = state_lines(WANTED, observed.lineage, BUNDLE)
    after = planned_lines(plan, AUTHORITY, observed.lineage, BUNDLE)
    assert [pair for pair in zip(before, after, strict=True) if pair[0] != pair[1]] == [
        ("certificate: ffffffffffffffff", "certificate: (new)"),
        ("names: a.test", "names: a.test, www.a.test"),
    ]


def test_the_diff_of_a_deployment_shows_what_nginx_gets() -> None:
    observed = Observed(LINEAGE, PLACEHOLDER, "0" * 64)
    plan = make_plan(WANTED, AUTHORITY, observed, NOW)
    before = state_lines(WANTED, LINEAGE, PLACEHOLDER)
    after = planned_lines(plan, AUTHORITY, LINEAGE, PLACEHOLDER)
    assert [pair for pair in zip(before, after, strict=True) if pair[0] != pair[1]] == [
        ("nginx has: placeholder", "nginx has: acme"),
        ("hsts: off", "hsts: on"),
    ]


def test_a_way_or_a_profile_that_changed_is_issued_again() -> None:
    over_dns, authority = replace(WANTED, over_dns=True), Authority(dns_plugin="rfc2136")
    assert reasons_to_issue(over_dns, authority, LINEAGE, NOW) == (
        "certbot would renew it with webroot, not with dns-rfc2136",
    )
    assert reasons_to_issue(over_dns, authority, lineage(authenticator="dns-rfc2136"), NOW) == ()
    assert reasons_to_issue(WANTED, authority, lineage(authenticator="dns-rfc2136"), NOW) == (
        "certbot would renew it with dns-rfc2136, not through nginx",
    )
    assert reasons_to_issue(WANTED, Authority(profile="shortlived"), LINEAGE, NOW) == (
        "its profile is the authority's default, not shortlived",
    )
    assert reasons_to_issue(WANTED, AUTHORITY, lineage(profile="shortlived"), NOW) == (
        "its profile is shortlived, not the authority's default",
    )


def test_nobody_is_asked_for_a_certificate_that_was_provided() -> None:
    wanted = replace(WANTED, provided=Provided("/c", "/k"))
    assert make_plan(wanted, AUTHORITY, Observed(None, PLACEHOLDER, None), NOW) == SitePlan(wanted)
    assert make_plan(wanted, AUTHORITY, Observed(LINEAGE, PLACEHOLDER, None), NOW).deploy


def test_a_wildcard_stands_for_a_name_of_the_certificate_before() -> None:
    kept = lineage(names=("a.test", "*.a.test"))
    assert unfit(WANTED, kept, "PUBLIC", ["a.test", "www.a.test"]) == ""
