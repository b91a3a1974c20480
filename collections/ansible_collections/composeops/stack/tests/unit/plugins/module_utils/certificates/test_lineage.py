# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.certificates import lineage
from ansible_collections.composeops.stack.plugins.module_utils.certificates.bundle import fingerprint
from ansible_collections.composeops.stack.plugins.module_utils.io.runner import CommandRunner
from ansible_collections.composeops.stack.tests.unit.support import letsencrypt

RUNNER = CommandRunner()


def test_nothing_is_kept_on_a_bare_host(tmp_path: Path) -> None:
    assert lineage.read_lineage(RUNNER, "a.test", str(tmp_path)) is None
    assert lineage.names_renewed_through("/var/www/composeops-acme", directory=str(tmp_path)) == []


@pytest.mark.parametrize("key_type", ["ecdsa", "rsa"])
def test_what_certbot_keeps_is_read_from_its_files(tmp_path: Path, key_type: str) -> None:
    live = letsencrypt.issue(tmp_path, "a.test", "b.test", key_type=key_type)
    found = lineage.read_lineage(RUNNER, "a.test", str(tmp_path))
    assert found is not None
    assert found.certificate.names == ("a.test", "b.test")
    assert found.certificate.issuer == "Test CA R1"
    assert found.certificate.fingerprint == fingerprint((live / "fullchain.pem").read_bytes())
    assert (found.server, found.key_type, found.authenticator) == ("https://acme.test/dir", key_type, "webroot")
    assert found.privkey == (live / "privkey.pem").read_bytes()


def test_an_authority_that_the_host_does_not_know_is_not_trusted(tmp_path: Path) -> None:
    letsencrypt.issue(tmp_path, "a.test")
    found = lineage.read_lineage(RUNNER, "a.test", str(tmp_path))
    assert found is not None
    assert not found.trusted


def test_the_public_half_tells_whose_key_it_is(tmp_path: Path) -> None:
    for site in ("a.test", "b.test"):
        letsencrypt.issue(tmp_path, site)
    own, other = (lineage.read_lineage(RUNNER, site, str(tmp_path)) for site in ("a.test", "b.test"))
    assert own is not None
    assert other is not None
    assert lineage.public_key(RUNNER, own.privkey).strip() == own.certificate.public_key.strip()
    assert lineage.public_key(RUNNER, other.privkey).strip() != own.certificate.public_key.strip()


def test_half_of_a_lineage_is_none(tmp_path: Path) -> None:
    live = letsencrypt.issue(tmp_path, "a.test")
    (live / "privkey.pem").unlink()
    assert lineage.read_lineage(RUNNER, "a.test", str(tmp_path)) is None


def test_certificates_of_others_are_not_counted_as_ours(tmp_path: Path) -> None:
    for site in ("a.test", "mail.test"):
        letsencrypt.issue(tmp_path, site)
    foreign = tmp_path / "renewal/mail.test.conf"
    foreign.write_text(foreign.read_text().replace("/var/www/composeops-acme", "/var/www/html"))
    assert lineage.names_renewed_through("/var/www/composeops-acme", directory=str(tmp_path)) == ["a.test"]
