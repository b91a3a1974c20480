# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.certificates import report
from ansible_collections.composeops.stack.plugins.module_utils.certificates.model import (
    Bundle,
    CertificateFacts,
    Lineage,
    Observed,
    Source,
    WantedCertificate,
)
from ansible_collections.composeops.stack.plugins.module_utils.certificates.plan import NO_HSTS

NOW = datetime(2026, 11, 22, tzinfo=timezone.utc)
WANTED = WantedCertificate("a.test", ("a.test",))
FACTS = CertificateFacts(("a.test",), "Test CA R1", NOW, NOW + timedelta(days=89, hours=5), "01", "f" * 64, "")
LINEAGE = Lineage(FACTS, "", "", "", b"chain", b"key", trusted=False)
PLACEHOLDER = Bundle(Source.PLACEHOLDER, b"p", b"k", NO_HSTS, "0" * 64)
DEPLOYED = Observed(LINEAGE, Bundle(Source.ACME, b"chain", b"key", NO_HSTS, "f" * 64), "f" * 64)


def test_a_site_in_order() -> None:
    assert report.rows([report.describe(WANTED, DEPLOYED, NOW)]) == [
        ["a.test", "a.test", "Test CA R1", "2027-02-19", "89", "acme"]
    ]


def test_a_site_without_certificate() -> None:
    described = report.describe(WANTED, Observed(None, PLACEHOLDER, "0" * 64), NOW)
    assert described["days_left"] is None
    assert report.rows([described]) == [["a.test", "a.test", "-", "-", "-", "placeholder"]]


@pytest.mark.parametrize(
    ("observed", "expected"),
    [
        (DEPLOYED, "acme"),
        (replace(DEPLOYED, served=None), "nothing"),
        (replace(DEPLOYED, served="1" * 64), "another certificate"),
        (Observed(LINEAGE, PLACEHOLDER, "0" * 64), "placeholder"),
    ],
    ids=["deployed", "no-answer", "older-one", "not-yet-deployed"],
)
def test_what_serves_is_what_was_presented(observed: Observed, expected: str) -> None:
    assert report.serving(observed) == expected
