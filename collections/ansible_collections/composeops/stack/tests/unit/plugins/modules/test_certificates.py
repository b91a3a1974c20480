# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.certificates import (
    attempts,
    certbot,
    challenge,
    credentials,
    incomplete,
    lineage,
    metrics,
    settings,
)
from ansible_collections.composeops.stack.plugins.module_utils.certificates.bundle import Bundles
from ansible_collections.composeops.stack.plugins.module_utils.certificates.deploy import Deployment
from ansible_collections.composeops.stack.plugins.module_utils.certificates.model import Authority, WantedCertificate
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.io.runner import CommandRunner
from ansible_collections.composeops.stack.plugins.modules import certificates
from ansible_collections.composeops.stack.tests.unit.support import letsencrypt

RUNNER = CommandRunner()


@dataclass
class Host:
    """A host in a directory: an authority that issues at once, an nginx that serves what it is given."""

    root: Path
    tried: list[str] = field(default_factory=list)
    issued: list[str] = field(default_factory=list)
    unreachable: set[str] = field(default_factory=set)
    serving: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.bundles = Bundles(RUNNER, str(self.root / "tls"))

    def test_live(self) -> None:
        """Every bundle is one that nginx takes."""

    def drained(self) -> contextlib.AbstractContextManager[None]:
        """Nobody is connected who could lose anything."""
        return contextlib.nullcontext()

    def end_draining(self) -> None:
        """No run was killed while it drained."""

    def reload(self) -> None:
        self.serving = {site: self.bundles.read(site).fingerprint for site in self.bundles.sites()}

    def try_challenges(self, wanted: WantedCertificate, webroot: str) -> None:
        self.tried.append(wanted.site)
        if wanted.site in self.unreachable:
            raise ComposeOpsError(f"{wanted.site}: no certificate was requested.")

    def issue(
        self, runner: object, wanted: WantedCertificate, authority: Authority, webroot: str, *, replace: bool
    ) -> list[str]:
        self.issued.append(wanted.site)
        letsencrypt.issue(
            self.root / "letsencrypt", *wanted.names, server=authority.directory, key_type=authority.key_type
        )
        return []

    def deployment(self, *_arguments: object) -> Deployment:
        return Deployment(
            RUNNER,
            self,
            bundles=self.bundles,
            certbot_directory=str(self.root / "letsencrypt"),
            served=self.serving_for,
            lock=str(self.root / "lock"),
        )

    def serving_for(self, name: str) -> str | None:
        return next((self.serving[site] for site in self.serving if name.endswith(site)), None)

    def run(self, *sites: dict[str, Any], check: bool = False, **options: Any) -> tuple[dict[str, Any], list[str]]:
        params = {
            "sites": sites,
            "acme_directory": "https://acme.test/dir",
            "acme_ca_file": None,
            "email": "",
            "key_type": "ecdsa",
            "hsts": "auto",
            "try_challenges": True,
            **options,
        }
        return certificates.Certificates(params).run(check=check)


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    found = Host(tmp_path)
    monkeypatch.setattr(certificates, "Deployment", found.deployment)
    monkeypatch.setattr(challenge, "check", found.try_challenges)
    monkeypatch.setattr(certbot, "issue", found.issue)
    monkeypatch.setattr(settings, "PATH", str(tmp_path / "certificates.json"))
    monkeypatch.setattr(attempts, "DIRECTORY", str(tmp_path / "attempts"))
    monkeypatch.setattr(credentials, "DIRECTORY", str(tmp_path / "acme"))
    monkeypatch.setattr(incomplete, "put_aside", lambda site, directory: [])
    monkeypatch.setattr(metrics, "PATH", str(tmp_path / "certificates.prom"))
    for site in ("a.test", "b.test"):
        found.bundles.make_placeholder(site)
    found.reload()
    return found


A, B = {"name": "a.test"}, {"name": "b.test"}


def test_check_mode_predicts_what_a_run_does_and_does_nothing(host: Host) -> None:
    predicted, _ = host.run(A, check=True)
    assert (host.tried, host.issued, (host.root / "certificates.json").exists()) == ([], [], False)
    done, problems = host.run(A)
    assert problems == []
    assert (predicted["changed"], predicted["plan"], predicted["diff"]) == (True, done["plan"], done["diff"])
    assert [one["serving"] for one in done["certificates"]] == ["acme"]


def test_a_second_run_asks_nobody_and_changes_nothing(host: Host) -> None:
    host.run(A, B)
    result, problems = host.run(A, B)
    assert (result["changed"], result["plan"], result["diff"], problems) == (False, [], [], [])
    assert (host.tried, host.issued) == (["a.test", "b.test"], ["a.test", "b.test"])


@pytest.mark.parametrize(
    ("site", "options", "reason"),
    [
        ({"name": "a.test", "aliases": ["www.a.test"]}, {}, "it lacks www.a.test"),
        (A, {"key_type": "rsa"}, "its key is ecdsa, not rsa"),
        (A, {"acme_directory": "https://prod.test/dir"}, "it comes from https://acme.test/dir"),
    ],
    ids=["added-name", "key-type", "server"],
)
def test_a_change_is_issued_again(host: Host, site: dict[str, Any], options: dict[str, Any], reason: str) -> None:
    host.run(A)
    result, _ = host.run(site, **options)
    assert reason in result["plan"][0]
    assert host.issued == ["a.test", "a.test"]
    assert not host.run(site, **options)[0]["changed"]


def test_a_site_that_fails_does_not_keep_the_others_from_theirs(host: Host) -> None:
    host.unreachable = {"a.test"}
    result, problems = host.run(A, B)
    assert problems == ["a.test: no certificate was requested."]
    assert host.issued == ["b.test"]
    assert [(one["site"], one["serving"]) for one in result["certificates"]] == [
        ("a.test", "placeholder"),
        ("b.test", "acme"),
    ]
    assert [sentence for sentence in result["plan"] if sentence.startswith("a.test")] == []


def test_a_failure_alone_changed_nothing(host: Host) -> None:
    host.run(A)
    host.unreachable = {"a.test"}
    result, problems = host.run({**A, "aliases": ["www.a.test"]})
    assert problems
    assert (result["plan"], len(result["diff"])) == (["record the sites for renewals in " + settings.PATH], 1)
    assert [one["serving"] for one in result["certificates"]] == ["acme"]


def test_challenges_are_tried_unless_told_otherwise(host: Host) -> None:
    host.run(A, try_challenges=False)
    assert (host.tried, host.issued) == ([], ["a.test"])


def test_a_changed_hsts_is_deployed_without_a_new_certificate(host: Host) -> None:
    host.run(A)
    result, _ = host.run(A, hsts="always")
    assert result["plan"][0] == "a.test: hand the certificate to nginx: HSTS begins"
    assert [one["hsts"] for one in result["certificates"]] == [True]
    assert host.issued == ["a.test"]


def test_a_certificate_that_no_site_declares_is_named_with_the_way_out(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lineage, "names_renewed_through", lambda *places: ["a.test", "old.test"])
    params = {"sites": [A], "acme_directory": "", "acme_ca_file": None, "email": "", "key_type": "ecdsa"}
    warnings = certificates.Certificates({**params, "hsts": "auto", "try_challenges": True}).warnings()
    assert [warning.split("`")[1] for warning in warnings] == ["certbot delete --cert-name old.test"]
