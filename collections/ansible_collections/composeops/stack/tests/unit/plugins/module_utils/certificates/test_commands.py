# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import argparse
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.certificates import (
    attempts,
    certbot,
    commands,
    lineage,
    metrics,
    settings,
)
from ansible_collections.composeops.stack.plugins.module_utils.certificates.model import (
    Observed,
    Provided,
    WantedCertificate,
)
from ansible_collections.composeops.stack.plugins.module_utils.certificates.settings import Settings
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.io.runner import CommandRunner, Completed
from ansible_collections.composeops.stack.tests.unit.support import letsencrypt

WANTED = tuple(WantedCertificate(name, (name,)) for name in ("a.test", "b.test", "c.test"))


@dataclass
class FakeDeployment:
    """Deploys a.test, fails for b.test, and finds nothing to do for c.test."""

    deployed: list[str] = field(default_factory=list)

    def observe(self, wanted: WantedCertificate) -> Observed:
        return Observed()

    def deploy(self, wanted: WantedCertificate) -> tuple[str, ...]:
        self.deployed.append(wanted.site)
        if wanted.site == "b.test":
            raise ComposeOpsError("b.test: nginx refuses it.")
        return ("nginx has an older one",) if wanted.site == "a.test" else ()


@pytest.fixture
def deployment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeDeployment:
    fake = FakeDeployment()
    monkeypatch.setattr(commands, "_deployment", lambda: fake)
    monkeypatch.setattr(settings, "read", lambda: Settings(WANTED))
    monkeypatch.setattr(attempts, "DIRECTORY", str(tmp_path))
    monkeypatch.setattr(metrics, "PATH", str(tmp_path / "certificates.prom"))
    return fake


def run(*argv: str) -> int:
    parser = argparse.ArgumentParser()
    commands.register(parser.add_subparsers(required=True))
    arguments = parser.parse_args(["certificates", *argv])
    return int(arguments.handler(arguments))


def test_deploy_goes_on_after_a_failure_and_reports_it(
    deployment: FakeDeployment, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("deploy") == 1
    printed = capsys.readouterr()
    assert deployment.deployed == ["a.test", "b.test", "c.test"]
    assert printed.out.splitlines() == ["a.test: deployed, nginx has an older one", "c.test: up to date"]
    assert printed.err.splitlines() == ["b.test: nginx refuses it."]


def test_deploy_without_failure_succeeds(deployment: FakeDeployment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "read", lambda: Settings(WANTED[:1]))
    assert run("deploy") == 0


def test_list_shows_every_site(deployment: FakeDeployment, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("list") == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()[2:]] == ["a.test", "b.test", "c.test"]


@dataclass
class FakeRenewer:
    """Renews a.test, fails for b.test, and has something to tell of c.test."""

    def renew(self, wanted: WantedCertificate) -> list[str]:
        if wanted.site == "b.test":
            raise ComposeOpsError("b.test: refused.")
        return ["c.test: replaced"] if wanted.site == "c.test" else []


def test_renewal_goes_on_after_a_failure_looks_after_others_and_deploys(
    deployment: FakeDeployment, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    renewed: list[str] = []

    def renew(runner: object, name: str, authority: object) -> Completed:
        renewed.append(name)
        return Completed((), 1, "", "An unexpected error occurred:\nno\n")

    monkeypatch.setattr(commands, "Renewer", lambda *arguments: FakeRenewer())
    monkeypatch.setattr(lineage, "names", lambda: ["a.test", "mail.test"])
    monkeypatch.setattr(certbot, "renew", renew)
    assert run("renew") == 1
    printed = capsys.readouterr()
    assert renewed == ["mail.test"]
    assert deployment.deployed == ["a.test", "b.test", "c.test"]
    assert printed.out.splitlines()[:2] == ["a.test: looked after", "c.test: replaced"]
    assert printed.err.splitlines()[:2] == [
        "b.test: refused.",
        "mail.test: not renewed: An unexpected error occurred: no",
    ]


def test_a_provided_certificate_is_not_renewed_and_cannot_be_revoked_here(
    deployment: FakeDeployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = (WantedCertificate("c.test", ("c.test",), provided=Provided("/c", "/k")),)
    monkeypatch.setattr(settings, "read", lambda: Settings(theirs))
    monkeypatch.setattr(lineage, "names", lambda: [])
    asked: list[WantedCertificate] = []
    monkeypatch.setattr(commands, "Renewer", lambda *arguments: SimpleNamespace(renew=asked.append))
    assert run("renew") == 0
    assert asked == []
    with pytest.raises(ComposeOpsError, match="was provided"):
        run("revoke", "c.test")


def test_only_what_exists_can_be_revoked(deployment: FakeDeployment) -> None:
    with pytest.raises(ComposeOpsError, match=r"No site is named x\.test\. The sites are: a\.test, b\.test, c\.test"):
        run("revoke", "x.test")
    with pytest.raises(ComposeOpsError, match=r"certbot keeps no certificate for a\.test"):
        run("revoke", "a.test")


def test_the_successor_is_served_before_the_old_one_is_revoked(
    deployment: FakeDeployment, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    letsencrypt.issue(tmp_path / "letsencrypt", "a.test")
    kept = lineage.read_lineage(CommandRunner(), "a.test", str(tmp_path / "letsencrypt"))
    steps: list[str] = []
    monkeypatch.setattr(deployment, "observe", lambda wanted: Observed(kept))
    monkeypatch.setattr(commands.issuing, "issue", lambda *arguments, **options: steps.append("issue") or [])
    monkeypatch.setattr(deployment, "deploy", lambda wanted: steps.append("deploy"))
    monkeypatch.setattr(commands.revoking, "revoke", lambda *arguments: steps.append(f"revoke {arguments[-1]}"))
    assert run("revoke", "a.test", "--reason", "keycompromise") == 0
    assert steps == ["issue", "deploy", "revoke keycompromise"]


def test_the_list_tells_of_failures_and_when_the_timer_asks_again(
    deployment: FakeDeployment, capsys: pytest.CaptureFixture[str]
) -> None:
    memory = attempts.Attempts(failures=2, last_failed=1795305600, not_before=1795312800, reason="b.test: refused.")
    attempts.write("b.test", memory, attempts.DIRECTORY)
    run("list")
    assert capsys.readouterr().out.splitlines()[-1] == (
        "b.test: 2 failures, the last 2026-11-22 00:00 UTC; the timer asks again after 2026-11-22 02:00 UTC. "
        "b.test: refused."
    )
