# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import base64
import json
import ssl

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.edge.model import parse_sites
from ansible_collections.composeops.stack.plugins.module_utils.edge.traefik import certificates
from ansible_collections.composeops.stack.plugins.module_utils.edge.traefik.certificates import Served

LEAF, ISSUER = ssl.DER_cert_to_PEM_cert(b"leaf"), ssl.DER_cert_to_PEM_cert(b"issuer")
ROUTES = [{"path": "/", "upstream": ["127.0.0.1:1"]}]
SITES = parse_sites([{"name": "a.test", "aliases": ["b.test"], "routes": ROUTES}])
NAMES = frozenset({"a.test", "b.test"})


def storage(*names: str) -> str:
    entry = {
        "domain": {"main": names[0], "sans": list(names[1:]) or None},
        "certificate": base64.b64encode(f"{LEAF}\n{ISSUER}".encode()).decode(),
    }
    return json.dumps({"composeops": {"Account": {}, "Certificates": [entry]}})


def test_the_leaf_of_each_certificate_is_found_by_its_names() -> None:
    assert certificates.stored(storage("a.test", "b.test"), "composeops") == {NAMES: b"leaf"}
    assert certificates.stored(storage("a.test"), "composeops") == {frozenset({"a.test"}): b"leaf"}


@pytest.mark.parametrize(
    "text", [None, "", "{", "{}", '{"composeops": null}', '{"composeops": {"Certificates": null}}', "[]"]
)
def test_a_storage_without_certificates(text: str | None) -> None:
    assert certificates.stored(text, "composeops") == {}


@pytest.mark.parametrize(
    ("kept", "served", "expected"),
    [
        pytest.param({NAMES: b"leaf"}, Served(b"leaf"), {}, id="served"),
        pytest.param({}, Served(), {"a.test": "it has no certificate yet"}, id="none yet"),
        pytest.param(
            {frozenset({"a.test"}): b"leaf"},
            Served(b"leaf"),
            {"a.test": "it has no certificate yet"},
            id="a name is new",
        ),
        pytest.param(
            {NAMES: b"leaf"},
            Served(b"other"),
            {"a.test": "its certificate is there but does not answer"},
            id="another answers",
        ),
    ],
)
def test_sites_that_wait(kept: dict[frozenset[str], bytes], served: Served, expected: dict[str, str]) -> None:
    assert certificates.waiting(SITES, kept, {"a.test": served}) == expected


def test_what_traefik_logged_about_a_certificate() -> None:
    journal = (
        "INF other a.test\nERR Unable to obtain ACME certificate for domains error=x domains=[a.test]\nERR ACME c.test"
    )
    assert certificates.complaints(journal, ["a.test"]) == [
        "ERR Unable to obtain ACME certificate for domains error=x domains=[a.test]"
    ]
