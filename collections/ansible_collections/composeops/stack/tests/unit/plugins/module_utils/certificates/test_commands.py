# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import argparse
from dataclasses import dataclass, field

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.certificates import commands, settings
from ansible_collections.composeops.stack.plugins.module_utils.certificates.model import Observed, WantedCertificate
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError

WANTED = tuple(WantedCertificate(name, (name,)) for name in ("a.test", "b.test", "c.test"))


@dataclass
class FakeDeployment:
    """Deploys a.test, fails for b.test, and finds nothing to do for c.test."""

    deployed: list[str] = field(default_factory=list)

    def observe(self, site: str) -> Observed:
        return Observed()

    def deploy(self, wanted: WantedCertificate) -> tuple[str, ...]:
        self.deployed.append(wanted.site)
        if wanted.site == "b.test":
            raise ComposeOpsError("b.test: nginx refuses it.")
        return ("nginx has an older one",) if wanted.site == "a.test" else ()


@pytest.fixture
def deployment(monkeypatch: pytest.MonkeyPatch) -> FakeDeployment:
    fake = FakeDeployment()
    monkeypatch.setattr(commands, "_deployment", lambda: fake)
    monkeypatch.setattr(settings, "read", lambda: WANTED)
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
    monkeypatch.setattr(settings, "read", lambda: WANTED[:1])
    assert run("deploy") == 0


def test_list_shows_every_site(deployment: FakeDeployment, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("list") == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()[2:]] == ["a.test", "b.test", "c.test"]
