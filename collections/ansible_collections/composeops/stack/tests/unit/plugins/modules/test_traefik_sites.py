# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.edge.traefik import certificates
from ansible_collections.composeops.stack.plugins.module_utils.edge.traefik.certificates import Served
from ansible_collections.composeops.stack.plugins.module_utils.edge.traefik.live import LiveDirectory
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError, InvalidInput
from ansible_collections.composeops.stack.plugins.module_utils.io.traefik import Traefik
from ansible_collections.composeops.stack.plugins.module_utils.release import state, traefik_file
from ansible_collections.composeops.stack.plugins.module_utils.release.state import Endpoint, StackState
from ansible_collections.composeops.stack.plugins.module_utils.release.traefik_file import Choice
from ansible_collections.composeops.stack.plugins.modules import traefik_sites

SITE = {"name": "a.test", "routes": [{"path": "/", "stack": "shop", "service": "web", "port": 80}]}
NAMES = frozenset({"a.test"})


@dataclass
class Host(Traefik):
    """A host in a directory, with a Traefik that reads it at once and an authority that issues at once."""

    root: Path
    issues: bool = True
    trusted: bool = False
    kept: dict[frozenset[str], bytes] = field(default_factory=dict)
    stacks: dict[str, StackState] = field(default_factory=dict)
    nudged: int = 0

    def has_taken(self, marker: str) -> bool:
        if self.issues and "sites.yml" in self.files():
            self.kept[NAMES] = b"leaf"
        return any(marker in text for text in self.files().values())

    def objections(self) -> dict[str, str]:
        return {}

    def files(self) -> dict[str, str]:
        return {path.name: path.read_text() for path in self.root.glob("*.yml")}

    def look(self, name: str) -> Served:
        return Served(self.kept.get(NAMES, b""), self.trusted and NAMES in self.kept)

    def deploy(self, colour: str) -> None:
        endpoints = tuple(Endpoint("web", 80, "127.0.0.1", port, name) for name, port in (("blue", 1), ("green", 2)))
        self.stacks["shop"] = StackState("shop", "shop", "r", "now", endpoints, colour=colour)

    def run(self, *sites: Mapping[str, Any], check: bool = False, hsts: str = "auto") -> dict[str, Any]:
        params = {"sites": sites, "hsts": hsts, "storage": "/absent", "certificate_timeout": 0.0}
        return traefik_sites.run({**params, "tls_policy": "intermediate"}, check=check)


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    found = Host(tmp_path)
    found.deploy("blue")
    live = LiveDirectory(found, str(tmp_path), sleep=lambda seconds: None, timeout=0.1)
    monkeypatch.setattr(traefik_sites, "Traefik", lambda: found)
    monkeypatch.setattr(traefik_sites, "LiveDirectory", lambda traefik: live)
    monkeypatch.setattr(traefik_sites, "exclusive", lambda *args, **options: contextlib.nullcontext())
    monkeypatch.setattr(traefik_file, "DIRECTORY", str(tmp_path))
    monkeypatch.setattr(certificates, "read", lambda path, resolver: dict(found.kept))
    monkeypatch.setattr(certificates, "look", found.look)
    monkeypatch.setattr(state, "deployed", lambda: sorted(found.stacks))
    monkeypatch.setattr(state, "read_state", lambda stack, root="": found.stacks.get(stack))
    return found


def test_check_mode_predicts_what_a_run_does(host: Host) -> None:
    predicted = host.run(SITE, check=True)
    assert host.files() == {}
    done = host.run(SITE)
    assert (predicted["changed"], predicted["plan"], predicted["diff"]) == (True, done["plan"], done["diff"])
    assert done["plan"] == [
        "add the sites",
        "add services of stack shop",
        "obtain a certificate for a.test: it has no certificate yet",
    ]


def test_a_second_run_changes_nothing(host: Host) -> None:
    host.run(SITE)
    before = host.files()
    second = host.run(SITE)
    assert (second["changed"], second["plan"], second["diff"], host.files()) == (False, [], [], before)
    assert second["routes"][0]["addresses"] == ["127.0.0.1:1", "127.0.0.1:2"]


def test_the_release_that_was_chosen_stays_chosen(host: Host) -> None:
    host.run(SITE)
    path = host.root / "stack-shop.yml"
    path.write_text(traefik_file.render("shop", Choice("green"), traefik_file.parse(path.read_text())[1]))
    assert host.run(SITE)["changed"] is False
    host.run({**SITE, "headers": {"X-A": "b"}})
    assert traefik_file.parse(path.read_text())[0] == Choice("green")


def test_a_stack_that_was_released_before_traefik_came_is_reached_where_it_is(host: Host) -> None:
    host.deploy("green")
    host.run(SITE)
    assert traefik_file.parse((host.root / "stack-shop.yml").read_text())[0] == Choice("green")


def test_a_stack_that_is_gone_is_forgotten(host: Host) -> None:
    host.run(SITE)
    host.stacks.clear()
    site = {"name": "a.test", "routes": [{"path": "/", "upstream": ["10.0.0.1:80"]}]}
    assert "remove services of stack shop" in host.run(site)["plan"]
    assert sorted(host.files()) == ["sites.yml"]


def test_a_service_that_is_not_deployed_is_named(host: Host) -> None:
    host.stacks.clear()
    assert "needs the deployment of shop/web:80, which is not on this host yet" in host.run(SITE, check=True)["plan"]
    with pytest.raises(InvalidInput, match="is not reached at port 80 on this host"):
        host.run(SITE)


@pytest.mark.parametrize(
    ("trusted", "hsts", "sent"),
    [(True, "auto", True), (False, "auto", False), (False, "always", True), (True, "never", False)],
)
def test_visitors_are_told_to_insist_on_https(host: Host, trusted: bool, hsts: str, sent: bool) -> None:
    host.trusted = trusted
    host.run(SITE, hsts=hsts)
    assert ("stsSeconds" in host.files()["sites.yml"]) is sent
    assert host.run(SITE, hsts=hsts)["changed"] is False


def test_a_certificate_that_does_not_come_fails_the_run_and_leaves_the_site(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    host.issues = False
    monkeypatch.setattr(traefik_sites, "journal", lambda since: "ERR Unable to obtain ACME certificate for a.test: no")
    with pytest.raises(ComposeOpsError) as raised:
        host.run(SITE)
    assert "a.test: it has no certificate yet" in str(raised.value)
    assert "Traefik logged: ERR Unable to obtain ACME certificate for a.test: no" in str(raised.value)
    assert "sites.yml" in host.files()
