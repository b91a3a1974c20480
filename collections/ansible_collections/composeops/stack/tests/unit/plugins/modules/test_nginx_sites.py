# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import contextlib
import grp
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.certificates.bundle import Bundles
from ansible_collections.composeops.stack.plugins.module_utils.edge.capabilities import Capabilities
from ansible_collections.composeops.stack.plugins.module_utils.edge.live import LiveTree
from ansible_collections.composeops.stack.plugins.module_utils.edge.passwords import Passwords
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.io.runner import CommandRunner
from ansible_collections.composeops.stack.plugins.module_utils.release import state
from ansible_collections.composeops.stack.plugins.module_utils.release.state import Endpoint
from ansible_collections.composeops.stack.plugins.modules import nginx_sites

DEFAULTS = {"tls_policy": "intermediate", "http3": False, "brotli": False, "status_port": 0}
SITE = {"name": "a.test", "routes": [{"path": "/", "stack": "shop", "service": "web", "port": 80}]}


@dataclass
class Host:
    """A host in a directory, with an nginx that loads what is live."""

    root: Path
    installed: bool = True
    loaded: int | None = None
    refuses: str = ""
    tested: int = 0
    endpoints: dict[str, list[Endpoint]] = field(default_factory=dict)

    def capabilities(self) -> Capabilities | None:
        return Capabilities() if self.installed else None

    def includes_live_tree(self) -> bool:
        return self.installed

    def test_tree(self, tree: str) -> list[str]:
        self.tested += 1
        texts = [path.read_text() for path in Path(tree).rglob("*.conf")]
        if self.refuses and any(self.refuses in text for text in texts):
            raise ComposeOpsError(f"nginx refuses {self.refuses}.")
        return []

    def test_live(self) -> None:
        self.tested += 1

    def reload_until(self, generation: int) -> None:
        self.loaded = generation

    def loaded_generation(self) -> int | None:
        return self.loaded

    def run(self, *sites: Mapping[str, Any], check: bool = False) -> dict[str, Any]:
        return nginx_sites.run({**DEFAULTS, "sites": sites}, check=check)

    def content(self) -> dict[str, str]:
        return {str(path.relative_to(self.root)): path.read_text() for path in self.root.rglob("*") if path.is_file()}


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    found = Host(tmp_path, endpoints={"shop": [Endpoint("web", 80, "127.0.0.1", 21000)]})
    monkeypatch.setattr(nginx_sites, "Nginx", lambda runner: found)
    monkeypatch.setattr(nginx_sites, "LiveTree", lambda: LiveTree(str(tmp_path)))
    monkeypatch.setattr(nginx_sites, "Bundles", lambda runner: Bundles(CommandRunner(), str(tmp_path / "tls")))
    group = grp.getgrgid(os.getegid()).gr_name
    passwords = Passwords(str(tmp_path / "passwords"), group, owner=os.geteuid())
    monkeypatch.setattr(nginx_sites, "Passwords", lambda directory, group: passwords)
    monkeypatch.setattr(state, "endpoints", lambda stack: found.endpoints.get(stack, []))
    monkeypatch.setattr(nginx_sites, "exclusive", lambda *args, **options: contextlib.nullcontext())
    yield found


def test_check_mode_predicts_what_a_run_does(host: Host) -> None:
    predicted = host.run(SITE, check=True)
    assert host.content() == {}
    done = host.run(SITE)
    assert (predicted["plan"], predicted["diff"]) == (done["plan"], done["diff"])
    assert predicted["changed"]
    assert done["changed"]


def test_a_second_run_changes_nothing(host: Host) -> None:
    host.run(SITE)
    before = host.content()
    second = host.run(SITE)
    assert (second["changed"], second["plan"], second["diff"], host.content()) == (False, [], [], before)
    assert second["routes"] == [
        {"site": "a.test", "path": "/", "target": "shop/web:80", "addresses": ["127.0.0.1:21000"]}
    ]


def test_a_replica_changes_the_upstreams_alone(host: Host) -> None:
    host.run(SITE)
    host.endpoints["shop"].append(Endpoint("web", 80, "127.0.0.1", 21001))
    assert host.run(SITE)["plan"] == ["change upstreams of stack shop"]


def test_a_removed_site_is_removed_with_its_tls_files(host: Host) -> None:
    host.run(SITE, {**SITE, "name": "b.test"})
    assert host.run(SITE)["plan"] == [
        "remove site b.test",
        "remove the TLS files of b.test, which is no longer declared",
    ]
    assert not [path for path in host.content() if path.startswith("tls/b.test")]


def test_a_route_to_a_service_that_is_not_there_fails_before_any_change(host: Host) -> None:
    host.endpoints = {}
    with pytest.raises(ComposeOpsError, match=r"site a\.test, route /: service web of stack shop is not reached"):
        host.run(SITE)
    assert host.content() == {}


def test_check_mode_before_the_first_deployment_says_what_is_missing(host: Host) -> None:
    host.endpoints, host.installed = {}, False
    predicted = host.run(SITE, check=True)
    assert predicted["changed"]
    assert predicted["plan"][-1] == "needs the deployment of shop/web:80, which is not on this host yet"
    assert host.tested == 0


def test_without_nginx_the_way_out_is_named(host: Host) -> None:
    host.installed = False
    with pytest.raises(ComposeOpsError, match=r"nginx is not installed on this host\. Run the role edge"):
        host.run(SITE)


def test_check_mode_has_nginx_judge_what_is_planned(host: Host) -> None:
    host.run(SITE)
    host.refuses = "frobnicate"
    before = host.content()
    with pytest.raises(ComposeOpsError, match="nginx refuses frobnicate"):
        host.run({**SITE, "snippet": "frobnicate on;"}, check=True)
    assert host.content() == before


def test_check_mode_leaves_no_log_behind_that_nginx_makes_when_it_tests(host: Host) -> None:
    host.run(SITE)
    host.endpoints["shop"] = [
        Endpoint("web", 80, "127.0.0.1", port, colour) for port, colour in ((1, "blue"), (2, "green"))
    ]
    host.refuses = "access_log /var/log/nginx/composeops-shop.log"
    predicted = host.run(SITE, check=True)
    assert predicted["plan"] == [
        "add canaries of stack shop",
        "change site a.test",
        "add shared settings snippets/canary-shop.conf",
        "add shared settings snippets/colour-shop.conf",
        "change upstreams of stack shop",
    ]
    assert host.tested == 2
    with pytest.raises(ComposeOpsError, match="nginx refuses access_log"):
        host.run(SITE)


def test_a_refused_site_leaves_the_others_as_they_are(host: Host) -> None:
    host.run(SITE)
    host.refuses = "frobnicate"
    before = LiveTree(str(host.root)).files()
    with pytest.raises(ComposeOpsError, match="nginx refuses frobnicate"):
        host.run(SITE, {**SITE, "name": "b.test", "snippet": "frobnicate on;"})
    assert LiveTree(str(host.root)).files() == before


def test_a_run_killed_before_the_reload_is_completed(host: Host) -> None:
    host.run(SITE)
    host.loaded = None
    assert host.run(SITE)["plan"] == ["load the configuration: the running nginx does not answer for it"]
    assert host.loaded == 1
