# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from datetime import datetime, timezone

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.certificates import parse
from ansible_collections.composeops.stack.plugins.module_utils.certificates.model import CertificateFacts
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError

X509 = """\
issuer=CN=E8,O=Let's Encrypt,C=US
notBefore=Nov  2 04:27:33 2026 GMT
notAfter=Jan 31 04:27:32 2027 GMT
serial=4914D35A7C85AD4CD63AEA2635B6BBA52C7C13F1
sha256 Fingerprint=43:6B:55:CC:95:00:77:47:22:C5:A4:92:23:23:85:B4:83:B3:5A:52:4F:91:BE:2C:6F:F4:CC:1E:AD:18:50:F5
X509v3 Subject Alternative Name: critical
    DNS:app.petcare.com, DNS:www.petcare.com
X509v3 Authority Key Identifier:
    8F:0D:13:A2:11:C0
-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEET5ApFVZRNL9yZ1ii2psIlSfAVMz
yq0+/Ej2hip70UoJS/MBc4YTC5Xp1AcPMLTqFPn/aOAN8/hBe2aQGspjkw==
-----END PUBLIC KEY-----
"""

RENEWAL = """\
# renew_before_expiry = 30 days
version = 4.0.0
archive_dir = /etc/letsencrypt/archive/app.petcare.com

# Options used in the renewal process
[renewalparams]
account = 0123
authenticator = webroot
webroot_path = /var/www/composeops-acme,
server = https://acme-v02.api.letsencrypt.org/directory
key_type = ecdsa
[[webroot_map]]
app.petcare.com = /var/www/composeops-acme
"""


def test_a_certificate_is_read_as_openssl_describes_it() -> None:
    assert parse.certificate(X509, "fullchain.pem") == CertificateFacts(
        names=("app.petcare.com", "www.petcare.com"),
        issuer="Let's Encrypt E8",
        not_before=datetime(2026, 11, 2, 4, 27, 33, tzinfo=timezone.utc),
        not_after=datetime(2027, 1, 31, 4, 27, 32, tzinfo=timezone.utc),
        serial="4914d35a7c85ad4cd63aea2635b6bba52c7c13f1",
        fingerprint="436b55cc9500774722c5a492232385b483b35a524f91be2c6ff4cc1ead1850f5",
        public_key=X509[X509.index("-----BEGIN") :].strip(),
        authority_key="8f0d13a211c0",
    )


@pytest.mark.parametrize(
    ("issuer", "expected"),
    [
        ("CN=Pebble Intermediate CA 391826", "Pebble Intermediate CA 391826"),
        (r"CN=R1,O=Ex\, Inc.", "Ex, Inc. R1"),
        ("OU=only a unit", "OU=only a unit"),
    ],
    ids=["no-organisation", "escaped-comma", "neither"],
)
def test_issuers_are_named_by_organisation_and_intermediate(issuer: str, expected: str) -> None:
    text = X509.replace("issuer=CN=E8,O=Let's Encrypt,C=US", f"issuer={issuer}")
    assert parse.certificate(text, "x").issuer == expected


@pytest.mark.parametrize(
    "text",
    ["", X509.replace("notAfter", "notEver"), X509.replace("Jan 31", "Jen 31")],
    ids=["empty", "no-end", "no-date"],
)
def test_what_is_no_certificate_is_an_error_with_its_file(text: str) -> None:
    with pytest.raises(ComposeOpsError, match=r"/x/fullchain\.pem is not a certificate"):
        parse.certificate(text, "/x/fullchain.pem")


def test_renewal_settings_are_read() -> None:
    settings = parse.renewal(RENEWAL)
    assert {key: settings[key] for key in ("server", "key_type", "authenticator")} == {
        "server": "https://acme-v02.api.letsencrypt.org/directory",
        "key_type": "ecdsa",
        "authenticator": "webroot",
    }


def test_older_openssl_says_which_kind_of_key_identifier_it_is() -> None:
    text = X509.replace("    8F:0D", "    keyid:8F:0D")
    assert parse.certificate(text, "fullchain.pem").authority_key == "8f0d13a211c0"
