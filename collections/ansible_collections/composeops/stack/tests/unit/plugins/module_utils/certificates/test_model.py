# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.certificates.model import (
    CertificateFacts,
    Hsts,
    Lineage,
    WantedCertificate,
    parse_wanted,
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
        ([{"name": "a.test", "aliases": ["*.a.test"]}], r"sites: a.test, aliases: '\*.a.test' is not a full host name"),
    ],
    ids=["twice", "wildcard"],
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
