# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.certificates.bundle import Bundles, fingerprint
from ansible_collections.composeops.stack.plugins.module_utils.certificates.model import Bundle, Source
from ansible_collections.composeops.stack.plugins.module_utils.certificates.plan import HSTS_HEADER, NO_HSTS
from ansible_collections.composeops.stack.plugins.module_utils.io.runner import CommandRunner


@pytest.fixture
def bundles(tmp_path: Path) -> Bundles:
    return Bundles(CommandRunner(), str(tmp_path / "tls"))


def modes(directory: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mode & 0o777 for path in directory.iterdir()}


def test_a_bare_host_has_none(bundles: Bundles) -> None:
    assert bundles.sites() == frozenset()
    assert bundles.read("a.test") == Bundle()


def test_a_placeholder_is_complete_and_sends_no_hsts(bundles: Bundles, tmp_path: Path) -> None:
    bundles.make_placeholder("a.test")
    found = bundles.read("a.test")
    assert bundles.sites() == {"a.test"}
    assert (found.source, found.hsts) == (Source.PLACEHOLDER, NO_HSTS)
    assert found.fingerprint == fingerprint(found.fullchain) != ""
    assert modes(tmp_path / "tls/a.test/placeholder")["privkey.pem"] == 0o600
    assert modes(tmp_path)["tls"] == modes(tmp_path / "tls")["a.test"] == 0o700


def test_a_placeholder_is_made_once(bundles: Bundles) -> None:
    bundles.make_placeholder("a.test")
    before = bundles.read("a.test")
    bundles.make_placeholder("a.test")
    assert bundles.read("a.test") == before


def test_a_half_made_placeholder_is_made_anew(bundles: Bundles, tmp_path: Path) -> None:
    left = tmp_path / "tls/a.test/placeholder.new"
    left.mkdir(parents=True)
    (left / "privkey.pem").write_text("half")
    bundles.make_placeholder("a.test")
    assert bundles.read("a.test").source is Source.PLACEHOLDER
    assert not left.exists()


def test_a_bundle_is_switched_as_a_whole_and_pruned(bundles: Bundles, tmp_path: Path) -> None:
    bundles.make_placeholder("a.test")
    name = bundles.write("a.test", b"chain", b"key", HSTS_HEADER)
    assert bundles.read("a.test").source is Source.PLACEHOLDER
    bundles.switch("a.test", name)
    assert bundles.read("a.test") == Bundle(Source.ACME, b"chain", b"key", HSTS_HEADER, "")
    assert modes(tmp_path / f"tls/a.test/{name}") == {"privkey.pem": 0o600, "fullchain.pem": 0o644, "hsts.conf": 0o644}
    bundles.prune("a.test")
    assert sorted(path.name for path in (tmp_path / "tls/a.test").iterdir()) == [name, "current"]


def test_a_removed_site_leaves_no_key(bundles: Bundles, tmp_path: Path) -> None:
    bundles.make_placeholder("a.test")
    bundles.remove("a.test")
    assert list((tmp_path / "tls").iterdir()) == []


@pytest.mark.parametrize("chain", [b"", b"text", b"-----BEGIN CERTIFICATE-----\nA\n-----END CERTIFICATE-----"])
def test_what_is_no_certificate_has_no_fingerprint(chain: bytes) -> None:
    assert fingerprint(chain) == ""
