# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import subprocess
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.certificates import lineage, private_ca, provided
from ansible_collections.composeops.stack.plugins.module_utils.certificates.model import (
    Lineage,
    Provided,
    WantedCertificate,
)
from ansible_collections.composeops.stack.plugins.module_utils.certificates.private_ca import PrivateCa
from ansible_collections.composeops.stack.plugins.module_utils.errors import InvalidInput
from ansible_collections.composeops.stack.plugins.module_utils.io.runner import CommandRunner

RUNNER = CommandRunner()
WANTED = WantedCertificate("a.test", ("a.test", "*.a.test"))
NOW = datetime.now(timezone.utc) + timedelta(hours=1)
PEM = "-----BEGIN X-----\n-----END X-----"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> PrivateCa:
    return make_authority(tmp_path_factory.mktemp("ca"))


def make_authority(directory: Path) -> PrivateCa:
    key, certificate = directory / "ca.key", directory / "ca.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
            *("-days", "30", "-subj", "/O=Ours", "-keyout", str(key), "-out", str(certificate)),
        ],
        check=True,
        capture_output=True,
    )
    return PrivateCa(certificate.read_text(), key.read_text())


def signed(directory: Path, authority: PrivateCa, key_type: str = "ecdsa") -> Lineage:
    certificate, key = private_ca.sign(RUNNER, WANTED, authority, key_type)
    where = Provided(str(directory / "fullchain.pem"), str(directory / "privkey.pem"))
    provided.write({where.certificate: certificate, where.key: key})
    kept = provided.read(RUNNER, where)
    assert kept
    return kept


@pytest.mark.parametrize("key_type", ["ecdsa", "rsa"])
def test_what_is_signed_fits_and_is_left_alone(tmp_path: Path, authority: PrivateCa, key_type: str) -> None:
    kept = signed(tmp_path, authority, key_type)
    provided.check(RUNNER, WANTED, kept.fullchain, kept.privkey, NOW)
    assert private_ca.signed_by(RUNNER, authority, kept)
    assert lineage.fits_its_key(RUNNER, kept)
    assert kept.fullchain.endswith(authority.certificate.encode())
    assert (kept.certificate.issuer, private_ca.key_kind(kept.certificate.public_key)) == ("Ours", key_type)
    reasons = private_ca.reasons_to_sign(WANTED, key_type, kept, fits_its_key=True, signed_by_ca=True, now=NOW)
    assert reasons == ()


def test_each_reason_to_sign_again_is_told(tmp_path: Path, authority: PrivateCa) -> None:
    kept = signed(tmp_path, authority)
    assert private_ca.reasons_to_sign(WANTED, "ecdsa", None, fits_its_key=True, signed_by_ca=True, now=NOW) == (
        "there is none yet",
    )
    more = replace(WANTED, names=("a.test", "b.test"))
    late = NOW + timedelta(days=300)
    assert private_ca.reasons_to_sign(more, "rsa", kept, fits_its_key=False, signed_by_ca=False, now=late) == (
        "it names a.test, *.a.test",
        "its key belongs to another certificate",
        "its key is ecdsa, not rsa",
        "another authority signed it",
        f"it ends on {kept.certificate.not_after:%Y-%m-%d}",
    )


def test_another_authority_of_the_same_name_is_seen(tmp_path: Path, authority: PrivateCa) -> None:
    kept = signed(tmp_path, authority)
    assert not private_ca.signed_by(RUNNER, make_authority(tmp_path), kept)


@pytest.mark.parametrize(
    ("certificate", "key", "named"),
    [(PEM, "", "ca_key"), ("", PEM, "ca_certificate"), ("/etc/ca.pem", PEM, "ca_certificate")],
    ids=["no-key", "no-certificate", "a-path"],
)
def test_half_an_authority_is_refused(certificate: str, key: str, named: str) -> None:
    with pytest.raises(InvalidInput, match=f"{named} is not PEM text"):
        private_ca.parse(certificate, key)


def test_no_authority_is_no_error_and_its_key_is_not_shown() -> None:
    assert private_ca.parse("", "") is None
    assert "secret" not in repr(PrivateCa(PEM, "secret"))
