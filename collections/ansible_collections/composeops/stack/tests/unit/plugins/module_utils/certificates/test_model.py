# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.certificates.model import (
    LETS_ENCRYPT,
    LETS_ENCRYPT_STAGING,
    Authority,
    CertificateFacts,
    Hsts,
    Lineage,
    WantedCertificate,
    covers,
    parse_authority,
    parse_wanted,
    require_provable,
)
from ansible_collections.composeops.stack.plugins.module_utils.errors import InvalidInput

NOW = datetime(2026, 11, 22, tzinfo=timezone.utc)


def test_a_site_and_its_aliases_share_a_certificate() -> None:
    assert parse_wanted([{"name": "a.test", "aliases": ["b.test", "a.test"]}], "auto") == (
        WantedCertificate("a.test", ("a.test", "b.test"), Hsts.AUTO),
    )


def test_a_site_may_have_its_own_hsts() -> None:
    wanted = parse_wanted([{"name": "a.test", "hsts": "never"}, {"name": "b.test", "hsts": None}], "always")
    assert [one.hsts for one in wanted] == [Hsts.NEVER, Hsts.ALWAYS]


@pytest.mark.parametrize(
    ("entries", "complaint"),
    [
        ([{"name": "10.0.0.1"}, {"name": "10.0.0.1"}], "sites: 10.0.0.1 is declared more than once"),
        ([{"name": "*.a.test"}], r"sites: '\*.a.test' is not a full host name"),
        ([{"name": "a.test", "aliases": ["b.*.test"]}], r"sites: a.test, aliases: 'b.\*.test' is not a full host name"),
    ],
    ids=["twice", "wildcard-as-a-site", "asterisk-in-the-middle"],
)
def test_what_cannot_be_certified_is_refused(entries: list[dict[str, object]], complaint: str) -> None:
    with pytest.raises(InvalidInput, match=complaint):
        parse_wanted(entries, "auto")


@pytest.mark.parametrize(
    ("lifetime", "left", "overdue"),
    [(90, 31, False), (90, 16, False), (90, 14, True), (45, 9, False), (45, 7, True), (6, 2, False), (90, -1, True)],
)
def test_renewal_has_failed_when_a_sixth_of_the_lifetime_is_left(lifetime: int, left: int, overdue: bool) -> None:
    end = NOW + timedelta(days=left)
    facts = CertificateFacts((), "", end - timedelta(days=lifetime), end, "", "", "")
    assert facts.overdue(NOW) is overdue


def test_a_private_key_is_not_part_of_what_is_printed() -> None:
    facts = CertificateFacts((), "", NOW, NOW, "", "", "")
    lineage = Lineage(facts, "", "", "", fullchain=b"chain", privkey=b"-----BEGIN PRIVATE KEY-----", trusted=False)
    assert "PRIVATE" not in repr(lineage)


PARAMS = {"acme_directory": LETS_ENCRYPT, "key_type": "ecdsa", "email": "", "acme_ca_file": None}
DNS = {"dns_plugin": "rfc2136", "dns_credentials": "dns_rfc2136_server = 192.0.2.1"}


def test_wildcards_are_proven_over_dns_and_others_where_that_is_asked_for() -> None:
    sites = [{"name": "a.test", "aliases": ["*.a.test"]}, {"name": "b.test"}]
    assert [one.over_dns for one in parse_wanted(sites, "auto")] == [True, False]
    assert [one.over_dns for one in parse_wanted(sites, "auto", dns_for="all")] == [True, True]


def test_names_that_nobody_can_prove_are_refused_before_anything_is_asked() -> None:
    wanted = parse_wanted([{"name": "a.test", "aliases": ["*.a.test"]}], "auto")
    with pytest.raises(InvalidInput, match=r"a\.test: \*\.a\.test can only be proven over DNS.*Set edge_dns_plugin"):
        require_provable(wanted, parse_authority(PARAMS))
    require_provable(wanted, parse_authority({**PARAMS, **DNS}))


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"dns_plugin": "rfc2136"}, "dns_plugin rfc2136 has no dns_credentials"),
        ({"dns_credentials": "x = y"}, "is missing beside dns_credentials"),
        ({**DNS, "dns_plugin": "--config"}, "'--config' is not the name of a plugin"),
        ({**DNS, "dns_plugin": "route53"}, "route53 takes its credentials from no file"),
        ({"eab_kid": "customer"}, "eab_kid and eab_hmac_key belong together"),
        ({"eab_hmac_key": "a2V5"}, "eab_kid and eab_hmac_key belong together"),
        ({"acme_profile": "short lived"}, "is not a name of a profile"),
    ],
    ids=["no-credentials", "no-plugin", "option-as-plugin", "route53", "no-key", "no-customer", "profile"],
)
def test_what_does_not_describe_an_authority_is_refused(options: dict[str, str], complaint: str) -> None:
    with pytest.raises(InvalidInput, match=complaint):
        parse_authority({**PARAMS, **options})


def test_secrets_are_no_part_of_an_authority() -> None:
    authority = parse_authority({**PARAMS, **DNS, "eab_kid": "customer", "eab_hmac_key": "a2V5"})
    assert authority == Authority(bound=True, dns_plugin="rfc2136")


def test_only_lets_encrypt_has_a_known_place_for_rehearsals() -> None:
    assert Authority(LETS_ENCRYPT).rehearsals_at == LETS_ENCRYPT_STAGING
    assert Authority("https://ca.example.com/dir").rehearsals_at == ""


@pytest.mark.parametrize(
    ("name", "covered"),
    [("a.test", True), ("www.b.test", True), ("*.b.test", True), ("b.test", False), ("x.www.b.test", False)],
)
def test_a_wildcard_covers_one_label(name: str, covered: bool) -> None:
    assert covers(("a.test", "*.b.test"), name) is covered


def test_a_third_before_its_end_a_certificate_is_due() -> None:
    made = datetime(2026, 1, 1, tzinfo=timezone.utc)
    facts = CertificateFacts(("a.test",), "CA", made, made + timedelta(days=90), "01", "f", "p")
    assert [facts.due(made + timedelta(days=days)) for days in (59, 60, 91)] == [False, True, True]


def test_half_before_its_end_one_that_lives_less_than_ten_days_is_due() -> None:
    made = datetime(2026, 1, 1, tzinfo=timezone.utc)
    facts = CertificateFacts(("a.test",), "CA", made, made + timedelta(days=6), "01", "f", "p")
    assert [facts.due(made + timedelta(days=days)) for days in (2.9, 3, 7)] == [False, True, True]
