# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import stat
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.certificates import provided
from ansible_collections.composeops.stack.plugins.module_utils.certificates.model import (
    Provided,
    Source,
    WantedCertificate,
)
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError, InvalidInput
from ansible_collections.composeops.stack.plugins.module_utils.io.runner import CommandRunner
from ansible_collections.composeops.stack.tests.unit.support import letsencrypt

RUNNER = CommandRunner()
WANTED = WantedCertificate("a.test", ("a.test", "www.a.test"))
PEM = "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----"
NOW = datetime.now(timezone.utc) + timedelta(hours=1)


@pytest.fixture
def live(tmp_path: Path) -> Path:
    return letsencrypt.issue(tmp_path, "a.test", "*.a.test")


def check(live: Path, *, wanted: WantedCertificate = WANTED, key: bytes | None = None, now: datetime = NOW) -> None:
    provided.check(
        RUNNER, wanted, (live / "fullchain.pem").read_bytes(), key or (live / "privkey.pem").read_bytes(), now
    )


def test_text_gets_a_place_and_a_path_is_one() -> None:
    where, to_write = provided.place("a.test", {"certificate": PEM, "key": "/etc/ssl/private/a.key"})
    assert where == Provided("/etc/composeops/certificates/a.test/fullchain.pem", "/etc/ssl/private/a.key")
    assert to_write == {where.certificate: f"{PEM}\n".encode()}


@pytest.mark.parametrize("key", ["", "a.key", "secret"])
def test_what_is_neither_is_refused_without_showing_it(key: str) -> None:
    with pytest.raises(InvalidInput, match=r"a\.test: certificate\.key is neither PEM text nor") as raised:
        provided.place("a.test", {"certificate": PEM, "key": key})
    assert "secret" not in str(raised.value)


def test_what_was_provided_is_described_like_an_issued_one(live: Path) -> None:
    found = provided.read(RUNNER, Provided(str(live / "fullchain.pem"), str(live / "privkey.pem")))
    assert found
    assert (found.source, found.certificate.names, found.trusted) == (Source.PROVIDED, ("a.test", "*.a.test"), False)
    assert provided.read(RUNNER, Provided(str(live / "fullchain.pem"), str(live / "missing"))) is None


def test_one_that_fits_passes(live: Path) -> None:
    check(live)


def test_one_that_does_not_fit_is_refused_with_every_reason(live: Path, tmp_path: Path) -> None:
    other = letsencrypt.issue(tmp_path / "other", "a.test")
    wanted = WantedCertificate("a.test", ("a.test", "b.test"))
    with pytest.raises(ComposeOpsError) as raised:
        check(live, wanted=wanted, key=(other / "privkey.pem").read_bytes(), now=NOW + timedelta(days=91))
    assert "its key belongs to another certificate; it does not name b.test; it ended on" in str(raised.value)
    with pytest.raises(ComposeOpsError, match="it begins on"):
        check(live, now=NOW - timedelta(days=2))


def test_keys_are_readable_by_root_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.test/privkey.pem"
    provided.write({str(path): b"key"})
    assert (stat.S_IMODE(path.stat().st_mode), stat.S_IMODE(path.parent.stat().st_mode)) == (0o600, 0o700)
